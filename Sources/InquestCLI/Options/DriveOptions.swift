import ArgumentParser
import DiskImage
import Foundation
import Monitor
import PC
import Session

/// Disks and CDs, in QEMU's words.
struct DriveArguments: ParsableArguments {
  @Option(
    name: .customLong("drive", withSingleDash: true),
    help: ArgumentHelp(
      "A disk: if=ide (default), virtio, or none for a -device; format=raw or qcow2; media=cdrom; index=, id=, "
        + "readonly=on. What the guest writes stays in the run, unless readonly=off,snapshot=off are given. May be "
        + "repeated.",
      valueName: "file=FILE[,…]"))
  var drives: [String] = []

  @Option(name: .customLong("hda", withSingleDash: true), help: ArgumentHelp("IDE disk 0.", valueName: "file"))
  var hda: String?
  @Option(name: .customLong("hdb", withSingleDash: true), help: ArgumentHelp("IDE disk 1.", valueName: "file"))
  var hdb: String?
  @Option(name: .customLong("hdc", withSingleDash: true), help: ArgumentHelp("IDE disk 2.", valueName: "file"))
  var hdc: String?
  @Option(name: .customLong("hdd", withSingleDash: true), help: ArgumentHelp("IDE disk 3.", valueName: "file"))
  var hdd: String?
  @Option(
    name: .customLong("cdrom", withSingleDash: true), help: ArgumentHelp("A CD in IDE drive 2.", valueName: "file"))
  var cdrom: String?
}

/// The files of a machine's drives, opened before it is built.
final class DriveFiles: DriveSource {
  private(set) var options: [MachineConfiguration.DriveOptions] = []
  private var images: [any DiskImage] = []
  /// What a drive's file said at first; a guest sees an I/O error then.
  var onError: ((String) -> Void)?
  private var hasFailed = false

  var isEmpty: Bool { images.isEmpty }

  /// - Throws: `CommandFailure` that names option and value, `DiskImageError`.
  init(_ arguments: DriveArguments) throws {
    for (index, path) in [arguments.hda, arguments.hdb, arguments.hdc, arguments.hdd].enumerated() {
      if let path { try add(path, "-hd\("abcd".dropFirst(index).first!)", interface: .ide, index: index) }
    }
    if let path = arguments.cdrom { try add(path, "-cdrom", interface: .ide, index: 2, isCDROM: true) }
    for text in arguments.drives {
      do { try add(try OptionText(text, headless: true), text) } catch let failure as OptionText.Failure {
        throw CommandFailure.usage("-drive \(text): \(failure.message)")
      }
    }
  }

  /// The drives of a recording whose files are still there; for a branch that goes on from it.
  init(reopening options: [MachineConfiguration.DriveOptions]) {
    self.options = options
    for drive in options {
      let image = try? DiskImages.open(drive.path, format: nil)
      images.append(image.flatMap { $0.size == drive.size ? $0 : nil } ?? MissingImage(drive))
    }
  }

  private func add(_ text: OptionText, _ argument: String) throws {
    try text.allow([
      "file", "format", "if", "index", "media", "id", "readonly", "snapshot", "cache", "aio", "werror", "rerror",
      "discard", "detect-zeroes", "bus", "unit", "driver", "file.filename", "read-only", "copy-on-read",
    ])
    guard let path = text["file"] ?? text["file.filename"] else { throw OptionText.Failure("file=FILE is missing") }
    var format: DiskImageFormat?
    if let name = text["format"] ?? text["driver"] {
      guard let known = DiskImageFormat(rawValue: name) else {
        throw OptionText.Failure("format=\(name): raw and qcow2 can be read; convert it with qemu-img")
      }
      format = known
    }
    let name = text["if"] ?? "ide"
    guard let interface = MachineConfiguration.DriveOptions.Interface(rawValue: name) else {
      throw OptionText.Failure("if=\(name): there are ide, virtio and none")
    }
    let media = text["media"] ?? "disk"
    guard media == "disk" || media == "cdrom" else { throw OptionText.Failure("media=\(media): disk or cdrom") }
    var index = try text.number("index").map { Int(clamping: $0) }
    if let bus = try text.number("bus") {
      index = Int(clamping: bus) * 2 + Int(clamping: try text.number("unit") ?? 0)
    }
    let isReadOnly = try text.flag("readonly", default: try text.flag("read-only", default: false))
    let snapshot = try text.flag("snapshot", default: true)
    let writesThrough = !isReadOnly && !snapshot && (text["readonly"] != nil || text["read-only"] != nil)
    if !snapshot, !isReadOnly, !writesThrough {
      throw OptionText.Failure("snapshot=off writes to the file; say readonly=off, too, if that is meant")
    }
    try add(
      path, "-drive \(argument)", interface: interface, index: index, isCDROM: media == "cdrom", format: format,
      id: text["id"], isReadOnly: isReadOnly, writesThrough: writesThrough)
  }

  private func add(
    _ path: String, _ argument: String, interface: MachineConfiguration.DriveOptions.Interface, index: Int?,
    isCDROM: Bool = false, format: DiskImageFormat? = nil, id: String? = nil, isReadOnly: Bool = false,
    writesThrough: Bool = false
  ) throws {
    let image = try DiskImages.open(path, format: format, isWritable: writesThrough)
    var place = index
    if interface == .ide {
      let taken = options.filter { $0.interface == .ide }.compactMap(\.index)
      // A CD takes the secondary master when it can.
      place = place ?? (isCDROM && !taken.contains(2) ? 2 : (0..<4).first { !taken.contains($0) })
      guard let place, (0..<4).contains(place), !taken.contains(place) else {
        throw CommandFailure.usage("\(argument): IDE has four places, 0 to 3; this one is not there or taken")
      }
    }
    let name = id ?? "\(interface.rawValue)\(place ?? options.count)"
    guard !options.contains(where: { $0.id == name }) else {
      throw CommandFailure.usage("\(argument): there is a drive '\(name)' already")
    }
    var drive = MachineConfiguration.DriveOptions(id: name, interface: interface, size: image.size, path: path)
    drive.index = interface == .ide ? place : nil
    drive.isCDROM = isCDROM
    drive.isReadOnly = isReadOnly || isCDROM
    drive.writesThrough = writesThrough
    options.append(drive)
    images.append(image)
  }

  /// A drive that a `-device` names becomes one of the IDE controller's.
  func plugIDE(_ id: String, isCDROM: Bool, index: Int?) throws {
    guard let at = options.firstIndex(where: { $0.id == id }) else {
      throw OptionText.Failure("there is no drive '\(id)'")
    }
    guard options[at].interface == .none else {
      throw OptionText.Failure("drive '\(id)' is in use; say if=none with it")
    }
    let taken = options.filter { $0.interface == .ide }.compactMap(\.index)
    guard let place = index ?? (0..<4).first(where: { !taken.contains($0) }), (0..<4).contains(place),
      !taken.contains(place)
    else { throw OptionText.Failure("IDE has four places; this one is not there or taken") }
    options[at].interface = .ide
    options[at].index = place
    options[at].isCDROM = isCDROM
    if isCDROM { options[at].isReadOnly = true }
  }

  /// A drive that a `-device virtio-blk-pci` names. - Returns: its place.
  func plugVirtio(_ id: String) throws -> Int {
    guard let at = options.firstIndex(where: { $0.id == id }) else {
      throw OptionText.Failure("there is no drive '\(id)'")
    }
    guard options[at].interface == .none else {
      throw OptionText.Failure("drive '\(id)' is in use; say if=none with it")
    }
    options[at].interface = .virtio
    return at
  }

  /// The drives of `-drive if=virtio`, which make their own cards.
  func virtioDrives(notIn cards: [MachineConfiguration.PCIDeviceOptions]) -> [Int] {
    options.indices.filter { index in
      options[index].interface == .virtio && !cards.contains { $0.kind == .virtioBlock && $0.drive == index }
    }
  }

  // MARK: DriveSource

  func read(drive: Int, offset: UInt64, count: Int) -> [UInt8]? {
    guard images.indices.contains(drive) else { return nil }
    do { return try images[drive].read(offset, count) } catch {
      report(error)
      return nil
    }
  }

  func write(drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool {
    guard images.indices.contains(drive) else { return false }
    do { try images[drive].write(offset, bytes) } catch {
      report(error)
      return false
    }
    return true
  }

  private func report(_ error: any Error) {
    if !hasFailed { onError?("\(error); the guest sees an I/O error") }
    hasFailed = true
  }
}

/// Stands for a file that is gone.
private final class MissingImage: DiskImage {
  let size: UInt64
  private let path: String
  init(_ drive: MachineConfiguration.DriveOptions) {
    size = drive.size
    path = drive.path
  }
  func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
    throw DiskImageError.cannotOpen(path: path, code: ENOENT)
  }
  func write(_ offset: UInt64, _ bytes: [UInt8]) throws { throw DiskImageError.cannotOpen(path: path, code: ENOENT) }
}

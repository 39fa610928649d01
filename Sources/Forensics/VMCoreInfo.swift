import CoreDump

/// The lines with which a Linux kernel tells crash tools what its memory looks like (Linux,
/// Documentation/admin-guide/kdump/vmcoreinfo.rst).
public struct VMCoreInfo: Sendable {
  public enum Source: String, Sendable, Encodable {
    /// The guest told the vmcoreinfo device.
    case device
    /// Found in memory.
    case memory
  }
  public let source: Source
  public let note: VMCoreInfoNote
  private let values: [String: Substring]

  init(_ note: VMCoreInfoNote, source: Source) {
    self.note = note
    self.source = source
    let text = String(decoding: note.text, as: UTF8.self)
    var values: [String: Substring] = [:]
    for line in text.split(separator: "\n").prefix(4096) {
      guard let equals = line.firstIndex(of: "=") else { continue }
      values[String(line[..<equals])] = line[line.index(after: equals)...]
    }
    self.values = values
  }

  /// The guest's VMCOREINFO: what it handed over, else what is found in its RAM.
  public init?(_ view: any GuestView) {
    if let announced = view.announcedVMCoreInfo, let note = VMCoreInfoNote(parsing: announced) {
      self.init(note, source: .device)
      return
    }
    let found = VMCoreInfoScanner.notes(in: view.ranges, page: view.page)
    let current = found.first { note in
      view.processors.contains { VMCoreInfoScanner.runs(note, cr3: $0.cr3, page: view.page) }
    }
    guard let note = current ?? found.first else { return nil }
    self.init(note, source: .memory)
  }

  public subscript(_ key: String) -> String? { values[key].map(String.init) }

  /// `SYMBOL(name)`: a linear address.
  public func symbol(_ name: String) -> UInt64? { values["SYMBOL(\(name))"].flatMap { UInt64($0, radix: 16) } }
  /// `NUMBER(name)`, decimal and perhaps negative.
  public func number(_ name: String) -> Int64? { values["NUMBER(\(name))"].flatMap { Int64($0) } }
  /// `OFFSET(type.member)` in bytes.
  public func offset(_ type: String, _ member: String) -> UInt64? {
    values["OFFSET(\(type).\(member))"].flatMap { UInt64($0) }
  }
  /// `SIZE(type)` in bytes.
  public func size(_ type: String) -> UInt64? { values["SIZE(\(type))"].flatMap { UInt64($0) } }

  public var release: String? { self["OSRELEASE"] }
  public var buildID: String? { self["BUILD-ID"] }
  /// How far KASLR moved the kernel's text.
  public var kernelOffset: UInt64? { values["KERNELOFFSET"].flatMap { UInt64($0, radix: 16) } }
  /// What to add to (address − `__START_KERNEL_map`) for the physical address of the kernel's text.
  public var physicalBase: Int64? { number("phys_base") }
}

import CoreDump
import Foundation
import PC
import Session

/// Writes a session's machine as a core dump: the same bytes for the same instant, whoever asks.
enum DumpWriter {
  /// - Returns: bytes of guest memory in the dump.
  /// - Throws: `CoreDumpError`.
  static func write(
    _ session: Session, to target: DumpTarget, format: CoreFormat, paging: Bool = false,
    range: Range<UInt64>? = nil, filter: PageFilter = .all,
    level: Int32 = CoreWriter.defaultLevel, progress: ((CoreProgress) -> Void)? = nil
  ) throws -> UInt64 {
    let state = session.machine.processorState
    var image = CoreImage(
      memory: session.machine.memory, processors: [state], vmcoreinfo: note(session.machine), paging: paging,
      range: range)
    image.filter = filter
    switch target {
    case .file(let path): try CoreWriter.write(image, to: path, format: format, level: level, progress: progress)
    case .descriptor(let number):
      try CoreWriter.write(image, toFileDescriptor: number, format: format, level: level, progress: progress)
    }
    return try CoreWriter.memorySize(of: image)
  }

  /// `write` to a file.
  static func write(
    _ session: Session, to path: String, format: CoreFormat, paging: Bool = false,
    range: Range<UInt64>? = nil, filter: PageFilter = .all,
    level: Int32 = CoreWriter.defaultLevel, progress: ((CoreProgress) -> Void)? = nil
  ) throws -> UInt64 {
    try write(
      session, to: .file(path: path), format: format, paging: paging, range: range, filter: filter, level: level,
      progress: progress)
  }

  /// Lets QMP's `dump-guest-memory` write dumps of a session.
  static func install(in session: Session) {
    session.dumper = { session, target, format, paging, range, progress in
      let form: CoreFormat
      switch format {
      case "elf": form = .elf
      case "kdump-zlib", "kdump-raw-zlib": form = .kdumpZlib
      default: form = .elfGzip
      }
      do {
        return try write(session, to: target, format: form, paging: paging, range: range) {
          progress($0.completed, $0.total)
        }
      } catch CoreDumpError.cannotCreate(let path, let code) {
        throw ControlError("Could not open '\(path)': \(String(cString: strerror(code)))")
      }
    }
  }

  /// The guest's VMCOREINFO: what it told the device, else what is found in its memory.
  private static func note(_ machine: Machine) -> [UInt8]? {
    announcedNote(machine)
      ?? VMCoreInfoScanner.find(in: machine.memory, processors: [machine.processorState])
  }

  /// What the guest told the vmcoreinfo device, an ELF note with its header.
  static func announcedNote(_ machine: Machine) -> [UInt8]? {
    guard let note = machine.vmcoreinfo, note.size <= 1 << 20 else { return nil }
    return machine.readPhysical(note.physicalAddress, count: Int(note.size))
  }
}

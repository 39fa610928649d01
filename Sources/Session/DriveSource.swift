import Trace

/// What lies behind a machine's drives, by their places in the configuration. Used on the machine's thread.
public protocol DriveSource: AnyObject {
  /// - Returns: `count` bytes from `offset`; nil when they cannot be read.
  func read(drive: Int, offset: UInt64, count: Int) -> [UInt8]?
  /// Writes through to a drive's file. - Returns: whether it was done.
  func write(drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool
}

/// The drives of a replay: what was read then is read again, what was written through stays unwritten.
final class RecordedDrives: DriveSource {
  /// Where in the trace the next is looked for.
  var events: EventCursor

  /// - Parameter events: a cursor over inputs, at the start.
  init(_ events: EventCursor) { self.events = events }

  func read(drive: Int, offset: UInt64, count: Int) -> [UInt8]? {
    while let event = (try? events.next()) ?? nil {
      guard case .blockData(let device, let request, let digest, let bytes) = event.body else { continue }
      // Another request than the recording's: the comparison of events finds that.
      guard device == drive, request == offset, !digest.isEmpty, bytes.count == count else { return nil }
      return bytes
    }
    return nil
  }

  func write(drive: Int, offset: UInt64, bytes: [UInt8]) -> Bool { true }
}

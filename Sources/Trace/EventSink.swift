/// What a run tells its trace. A recording writes it down (`TraceWriter`), a replay compares it (`WitnessMatcher`);
/// whoever runs the machine uses the same verbs for both.
public protocol EventSink: AnyObject {
  /// Any event. An input is given before it takes effect. A read with a count of 1 is the same as the verbs below.
  func append(_ body: TraceEvent.Body, at instant: Instant) throws
  /// A read of 1, 2 or 4 bytes at an I/O port.
  func portRead(at instant: Instant, port: UInt16, size: UInt8, value: UInt32) throws
  /// A read of 1, 2, 4 or 8 bytes of a device in guest-physical memory.
  func mmioRead(at instant: Instant, address: UInt64, size: UInt8, value: UInt64) throws
  /// A byte that a serial port sent.
  func serialOutput(at instant: Instant, port: UInt32, byte: UInt8) throws
  /// The delivery of an interrupt.
  func interrupt(at instant: Instant, vector: UInt8, kind: InterruptKind) throws
}

extension TraceWriter: EventSink {}

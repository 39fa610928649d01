import Debugger
import Session
import X86Core
import X86System

/// A machine of nothing but registers and 64 KiB of memory at 0x1000, physical at 0x100000.
final class FakeTarget: DebugTarget {
  var features = DebugFeatures(reverses: true)
  var processorCount = 1
  var file: RegisterFile
  var memory = (0..<0x10000).map { UInt8(truncatingIfNeeded: $0) }
  var points: [DebugPoint] = []
  var refusesPoints = false
  /// What was asked of it, in order.
  var log: [String] = []
  /// The next stops; when there is none, it runs until `stop`.
  var stops: [DebugStop] = []
  private var onStop: ((DebugStop) -> Void)?

  init() {
    var state = ProcessorState()
    state.general = (0..<16).map { 0x1111_1111_0000_0000 &+ UInt64($0) }
    state.segments = (0..<6).map { .init(base: 0, register: SegmentRegister(selector: UInt16($0 * 8))) }
    state.segments[1].register.attributes = 0xA09B
    state.efer = EFER.lma | EFER.lme
    state.cr0 = CR0.pe | CR0.pg | CR0.et
    state.cr4 = CR4.pae
    state.rip = 0xFFFF_FFFF_8100_0000
    state.rflags = 0x246
    state.vectors = (0..<64).map { UInt64($0) }
    state.x87 = [UInt64](repeating: 0, count: 16)
    file = RegisterFile(state, cr8: 0)
  }

  func isHalted(_ processor: Int) -> Bool { false }
  func registers(of processor: Int) -> RegisterFile { file }
  func write(_ register: ProcessorRegister, _ bytes: [UInt8], of processor: Int) throws {
    try file.set(register, bytes)
    log.append("write \(register.name)")
  }

  private func base(_ space: AddressSpace) -> UInt64 { space == .linear ? 0x1000 : 0x100000 }
  func read(_ space: AddressSpace, _ address: UInt64, count: Int) -> [UInt8] {
    let offset = address &- base(space)
    guard offset < UInt64(memory.count) else { return [] }
    return Array(memory[Int(offset)..<min(memory.count, Int(offset) + count)])
  }
  func write(_ space: AddressSpace, _ address: UInt64, _ bytes: [UInt8]) throws {
    let offset = address &- base(space)
    guard offset < UInt64(memory.count), Int(offset) + bytes.count <= memory.count else { throw ControlError("no RAM") }
    memory.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
    log.append("write \(space) \(bytes.count)")
  }

  func setPoints(_ points: [DebugPoint]) throws {
    if refusesPoints { throw ControlError("no room") }
    self.points = points
  }
  func attach() -> DebugStop {
    log.append("attach")
    return .step
  }
  func detach(resumes: Bool) { log.append("detach \(resumes)") }
  func resume(_ how: DebugResume, processor: Int, onStop: @escaping (DebugStop) -> Void) {
    log.append("\(how)")
    if stops.isEmpty { self.onStop = onStop } else { onStop(stops.removeFirst()) }
  }
  func stop(_ stop: DebugStop) {
    let onStop = onStop
    self.onStop = nil
    onStop?(stop)
  }
  func interrupt() { log.append("interrupt") }
  func kill() { log.append("kill") }
  func monitor(_ line: String) -> String { line == "nothing" ? "" : "you said \(line)\n" }
}

/// A stub, its target, and the replies that came.
final class Conversation {
  let target = FakeTarget()
  private(set) var replies: [[UInt8]] = []
  private(set) var stub: Stub!

  init() {
    stub = Stub(target: target) { [unowned self] in replies.append($0) }
    stub.connected()
  }

  /// What comes back for a packet, as one text.
  @discardableResult
  func say(_ packet: String) -> String { say(Array(packet.utf8)) }
  @discardableResult
  func say(_ packet: [UInt8]) -> String {
    replies = []
    stub.receive(packet)
    return text
  }
  var text: String { replies.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") }
  /// The reply's bytes.
  var bytes: [UInt8] { replies.first ?? [] }
}

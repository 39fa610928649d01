import X86
import X86Core
import X86System

/// A world whose every answer is a function of the case, of how many questions came before, and of the instant: an answer
/// that was asked for at another instant, or once too often, changes the run.
final class FuzzSeams: ProcessorSeams {
  unowned var processor: Processor!
  private var seed: UInt64 = 0
  /// Of everything that passed.
  private(set) var digest: UInt64 = 0
  private var questions: UInt64 = 0

  func begin(_ seed: UInt64) {
    self.seed = seed
    digest = 0
    questions = 0
  }

  func note(_ kind: UInt64, _ a: UInt64, _ b: UInt64) {
    digest = FuzzRandom.mix(digest &+ kind) ^ FuzzRandom.mix(a &* 3 &+ b)
    digest = FuzzRandom.mix(digest &+ processor.instructionCount)
  }

  private func answer(_ kind: UInt64, _ a: UInt64, _ b: UInt64) -> UInt64 {
    questions &+= 1
    note(kind, a, b)
    let value = FuzzRandom.mix(
      seed ^ questions &* 0x1234_5678_9ABC_DEF1 ^ processor.instructionCount &* 31 ^ processor.cpu.virtualTime
    )
    // Now and then a device raises, lowers a line or asks for attention.
    switch value >> 56 {
    case 0...7: processor.setInterruptPending(true)
    case 8...11: processor.setInterruptPending(false)
    case 12: processor.requestNMI()
    case 13...20: processor.requestAttention()
    default: break
    }
    return value
  }

  override func readPort(_ port: UInt16, size: Int) -> UInt32 {
    let value = answer(1, UInt64(port), UInt64(size))
    return UInt32(truncatingIfNeeded: value) & (size == 4 ? .max : (1 << UInt32(8 * size)) - 1)
  }
  override func writePort(_ port: UInt16, size: Int, value: UInt32) {
    _ = answer(2, UInt64(port) << 8 | UInt64(size), UInt64(value))
  }
  override func readMemory(_ address: UInt64, size: Int) -> UInt64 {
    let value = answer(3, address, UInt64(size))
    return size == 8 ? value : value & ((1 << UInt64(8 * size)) - 1)
  }
  override func writeMemory(_ address: UInt64, size: Int, value: UInt64) {
    _ = answer(4, address &+ UInt64(size), value)
  }
  override func acknowledgeInterrupt() -> UInt8? {
    let value = answer(5, 0, 0)
    // A request that has gone away takes the line along.
    let isGone = value & 0xF0 == 0
    if isGone || value & 7 != 0 { processor.setInterruptPending(false) }
    return isGone ? nil : UInt8(truncatingIfNeeded: value >> 8)
  }
  override var taskPriority: UInt8 {
    get { UInt8(truncatingIfNeeded: answer(6, 0, 0)) & 15 }
    set { _ = answer(7, UInt64(newValue), 0) }
  }
  override func readAPICMSR(_ index: UInt32) -> UInt64? {
    let value = answer(8, UInt64(index), 0)
    return value & 0x30 == 0 ? nil : value
  }
  override func writeAPICMSR(_ index: UInt32, _ value: UInt64) -> Bool {
    answer(9, UInt64(index), value) & 0x30 != 0
  }
  override func timeStampOffsetChanged(_ offset: UInt64) { note(10, offset, 0) }
  override func drawEntropy() -> UInt64 { answer(11, 0, 0) }
  override func codeWritten(_ physicalAddress: UInt64, _ count: Int) {
    processor.codeWritten(physicalAddress, count)
  }
  override func flushBlocks() { processor.flushBlocks() }
}

/// What a case has come to.
struct FuzzResult: Equatable {
  var state: ProcessorState
  var isHalted: Bool
  var instructions: UInt64
  var addedTime: UInt64
  var memory: UInt64
  /// Of ports, devices, interrupts and exceptions with their instants.
  var world: UInt64
}

/// A processor that runs cases one after the other.
final class FuzzMachine {
  let memory: GuestMemory
  let seams = FuzzSeams()
  let processor: Processor
  /// Cuts runs behind each instruction, and notes the way: count, CS base, RIP.
  var steps = false
  private(set) var trail: [(UInt64, UInt64, UInt64)] = []
  /// Told of each exception: vector, error code.
  var onException: ((UInt8, UInt32) -> Void)?

  init() {
    memory = GuestMemory(size: FuzzMap.memorySize)!
    processor = Processor(memory: memory, seams: seams, model: SystemGuest.model)
    seams.processor = processor
    processor.onException = { [unowned self] vector, code in
      seams.note(12, UInt64(vector), UInt64(code) ^ processor.cpu.f.pointee.rip)
      onException?(vector, code)
    }
    processor.onInterrupt = { [unowned self] vector, isNMI in seams.note(13, UInt64(vector), isNMI ? 1 : 0) }
  }

  private func load(_ c: FuzzCase) {
    for page in 0..<memory.pageCount where memory.pageFlags[page] & GuestMemory.PageFlags.touched != 0 {
      (memory.base + page * 4096).initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
    }
    processor.flushBlocks()
    for page in 0..<memory.pageCount { memory.pageFlags[page] = 0 }
    for (address, bytes) in c.memory { memory.write(address, bytes) }
    let f = processor.cpu.f
    f.pointee.countLimit = 0
    f.pointee.exitLeft = 0
    f.pointee.addedTime = 0
    f.pointee.debugPending = 0
    seams.begin(c.seed)
    processor.setInterruptPending(false)
    processor.reset()
    var state = processor.cpu.state
    c.setUp(&state)
    processor.cpu.state = state
    processor.stateChanged()
  }

  /// Runs a case.
  /// - Parameters:
  ///   - slices: cuts the run at random, and does there what recordings do between slices and no guest may see.
  ///   - end: stops the case early, at this instruction count.
  func run(_ c: FuzzCase, slices: FuzzRandom?, end: UInt64 = .max) throws -> FuzzResult {
    load(c)
    trail = []
    var slices = slices
    var idle = 0
    var events = FuzzRandom(c.seed ^ 0x5555)
    cases: for event in c.events {
      let target = min(event, end)
      while processor.instructionCount < target {
        var limit = target
        if slices != nil {
          limit = min(
            target, processor.instructionCount &+ UInt64(1 + slices!.below(slices!.oneIn(4) ? 300 : 12)))
          disturb(&slices!)
        } else if steps {
          limit = processor.instructionCount &+ 1
          trail.append(
            (processor.instructionCount, processor.cpu.segmentBase(1), processor.cpu.f.pointee.rip))
        }
        let before = processor.instructionCount
        switch processor.run(until: limit) {
        case .limit, .attention: break
        case .halted:
          // Nothing wakes it before the next event.
          if !processor.cpu.f.pointee.interruptPending && !processor.cpu.f.pointee.nmiPending { break }
          if idle > 1000 { break cases }
        case .shutdown: break cases
        }
        if processor.instructionCount == before { idle += 1 } else { idle = 0 }
        if processor.isHalted {
          if events.oneIn(4) { processor.requestNMI() } else { processor.setInterruptPending(true) }
          if processor.cpu.f.pointee.nmiBlocked && processor.cpu.f.pointee.systemFlags & RFLAGS.if == 0 {
            break cases
          }
        }
        if idle > 10_000 { throw FuzzFailure.stuck(seed: c.seed) }
      }
      if target == end { break }
      switch events.below(4) {
      case 0: processor.requestNMI()
      case 1: processor.setInterruptPending(false)
      default: processor.setInterruptPending(true)
      }
    }
    return result()
  }

  private func disturb(_ slices: inout FuzzRandom) {
    switch slices.below(64) {
    case 0: processor.flushBlocks()
    case 1...4:
      for page in 0..<memory.pageCount { memory.pageFlags[page] &= ~GuestMemory.PageFlags.dirty }
      processor.cpu.clearWriteTLBs()
    case 5: processor.requestAttention()
    default: break
    }
  }

  private func result() -> FuzzResult {
    var hash: UInt64 = 0
    for page in 0..<memory.pageCount where memory.pageFlags[page] & GuestMemory.PageFlags.touched != 0 {
      let words = (memory.base + page * 4096).assumingMemoryBound(to: UInt64.self)
      var sum = UInt64(page)
      for i in 0..<512 { sum = (sum ^ words[i]) &* 0x9E37_79B9_7F4A_7C15 &+ sum >> 29 }
      hash = FuzzRandom.mix(hash ^ sum)
    }
    let f = processor.cpu.f.pointee
    return FuzzResult(
      state: processor.cpu.state, isHalted: processor.isHalted, instructions: processor.instructionCount,
      addedTime: f.addedTime, memory: hash, world: seams.digest)
  }
}

enum FuzzFailure: Error, CustomStringConvertible {
  case stuck(seed: UInt64)
  var description: String {
    switch self {
    case .stuck(let seed): return "case \(seed): the processor comes back again and again without getting on"
    }
  }
}

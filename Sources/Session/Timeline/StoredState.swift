import Foundation
import PC
import Trace
import X86
import X86Core

/// A replay's state as a trace carries it.
///
/// Content: `INQSTATE`, then numbers of 8 bytes, little-endian: length of the JSON, count of words of translations, count of
/// words of dirty pages, count of pages; then these four. A page is its number (4 bytes; bit 31: all zeros) and 4096 bytes.
/// Pages are those that may differ from the machine as it is switched on.
struct StoredState {
  /// What JSON holds.
  struct Values: Codable {
    struct Funnel: Codable {
      var inputCount: UInt64
      var inputAdded: UInt64
      var inputsHere: UInt32
      var output: [UInt8]
      var outputPort: Int
    }
    var instant: Instant
    var virtualTime: UInt64
    var machine: MachineSnapshot
    var runState: RunState
    var actions: ActionSettings
    var funnel: Funnel
    var nextDigest: UInt64
    var matcher: WitnessMatcher.State
    /// The registers' hash, to notice a checkpoint that does not belong to this machine.
    var registers: UInt64
  }

  static let magic = Array("INQSTATE".utf8)
  /// The number of a page that is all zeros has this bit.
  static let zeroBit: UInt32 = 1 << 31

  var values: Values
  var translations: TranslationState
  var dirtyPages: [UInt64]
  /// Number and content, in ascending order; nil for zeros.
  var pages: [(number: UInt32, content: Range<Int>?)] = []
  /// What `pages` points into.
  var data = Data()

  /// What a session is now.
  /// - Parameters:
  ///   - matcher: where a replay of it stands in the trace.
  ///   - pages: those that may differ from the machine as it is switched on.
  static func encode(_ session: Session, _ matcher: WitnessMatcher.State, pages: [UInt32]) throws -> Data {
    let (machine, memory) = (session.machine, session.machine.memory)
    let pages = pages.sorted()
    let dirtyPages = memory.dirtyPages
    let funnel = session.funnel.state
    let values = Values(
      instant: session.instant, virtualTime: machine.virtualTime, machine: machine.snapshot(),
      runState: session.control.state, actions: session.control.actions,
      funnel: .init(
        inputCount: funnel.inputCount, inputAdded: funnel.inputAdded, inputsHere: funnel.inputsHere,
        output: funnel.output, outputPort: funnel.outputPort),
      nextDigest: session.nextDigest, matcher: matcher, registers: StateDigester.registers(of: machine))
    let json = try JSONEncoder().encode(values)
    let words = machine.processor.translationState.words
    var data = Data(magic)
    data.reserveCapacity(pages.count * 4100 + json.count + (words.count + dirtyPages.count) * 8 + 64)
    func add(_ values: [UInt64]) { values.withUnsafeBytes { data.append(contentsOf: $0) } }
    add([UInt64(json.count), UInt64(words.count), UInt64(dirtyPages.count), UInt64(pages.count)])
    data.append(json)
    add(words)
    add(dirtyPages)
    let zeros = [UInt8](repeating: 0, count: 4096)
    for page in pages {
      let content = memory.base + Int(page) * 4096
      let isZero = memcmp(content, zeros, 4096) == 0
      withUnsafeBytes(of: isZero ? page | zeroBit : page) { data.append(contentsOf: $0) }
      if !isZero { data.append(content.assumingMemoryBound(to: UInt8.self), count: 4096) }
    }
    return data
  }

  /// - Throws: `MalformedState` for what is no state of a machine with so many pages.
  init(_ data: Data, pageCount: Int) throws {
    let bytes = data.startIndex == 0 ? data : Data(data)
    var offset = 0
    func take(_ count: Int) throws -> Range<Int> {
      guard count >= 0, count <= bytes.count - offset else { throw MalformedState(reason: "it is too short") }
      defer { offset += count }
      return offset..<offset + count
    }
    func number(_ range: Range<Int>) -> UInt64 {
      bytes[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard Array(bytes[try take(8)]) == Self.magic else { throw MalformedState(reason: "it has another layout") }
    let counts = try (0..<4).map { _ in number(try take(8)) }
    guard counts.allSatisfy({ $0 <= UInt64(bytes.count) }) else { throw MalformedState(reason: "it is too short") }
    do {
      values = try JSONDecoder().decode(Values.self, from: bytes[try take(Int(counts[0]))])
    } catch let error as DecodingError {
      throw MalformedState(reason: "its values are not those of this machine: \(error)")
    }
    func words(_ count: Int) throws -> [UInt64] {
      let range = try take(count * 8)
      return bytes.withUnsafeBytes { raw in
        (0..<count).map { raw.loadUnaligned(fromByteOffset: range.lowerBound + $0 * 8, as: UInt64.self) }
      }
    }
    guard let translations = TranslationState(words: try words(Int(counts[1]))) else {
      throw MalformedState(reason: "its translations are not such")
    }
    self.translations = translations
    dirtyPages = try words(Int(counts[2]))
    var last: UInt32?
    pages.reserveCapacity(Int(counts[3]))
    for _ in 0..<Int(counts[3]) {
      let tag = UInt32(truncatingIfNeeded: number(try take(4)))
      let page = tag & ~Self.zeroBit
      guard Int(page) < pageCount, last.map({ $0 < page }) ?? true else {
        throw MalformedState(reason: "its pages are not those of this machine")
      }
      last = page
      pages.append((page, tag & Self.zeroBit == 0 ? try take(4096) : nil))
    }
    guard offset == bytes.count else { throw MalformedState(reason: "bytes are left over") }
    self.data = bytes
  }
}

/// A checkpoint that cannot be used.
struct MalformedState: Error, CustomStringConvertible {
  var reason: String
  var description: String { reason }
}

extension ReplaySession {
  /// The state that a trace carries, as this session takes it. RAM is not in it.
  func state(from stored: StoredState) throws -> ReplayState {
    let values = stored.values
    var inputs = try reader.events(behind: values.matcher.eventCount, inputsOnly: true)
    let next = try inputs.next()
    var state = self.state
    state.instant = values.instant
    state.virtualTime = values.virtualTime
    state.machine = values.machine
    state.translations = stored.translations
    state.dirtyPages = stored.dirtyPages
    state.control.restore(state: values.runState, actions: values.actions)
    state.funnel = Funnel.State(
      inputCount: values.funnel.inputCount, inputAdded: values.funnel.inputAdded,
      inputsHere: values.funnel.inputsHere, output: values.funnel.output, outputPort: values.funnel.outputPort)
    state.nextDigest = values.nextDigest
    state.matcher = WitnessMatcher(try reader.events(behind: values.matcher.eventCount), values.matcher)
    state.inputs = inputs
    state.nextInput = next
    return state
  }
}

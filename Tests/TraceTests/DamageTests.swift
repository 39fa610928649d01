import Foundation
import Testing
import Trace

@Suite struct DamageTests {
  static func sample(frames: Int = 4) throws -> (bytes: [UInt8], events: [TraceEvent]) {
    let file = ScratchFile()
    let events = randomEvents(40, seed: 5)
    try write(
      events, to: file,
      images: [ImageSource(name: "k", role: "kernel", data: Data(Random(3).state.description.utf8))],
      flushEvery: events.count / frames)
    return (file.bytes, events)
  }

  @Test func truncationAtEveryByte() throws {
    let (bytes, events) = try Self.sample()
    let file = ScratchFile()
    var longest = 0
    for length in 0..<bytes.count {
      file.bytes = Array(bytes[..<length])
      do {
        let reader = try TraceReader(path: file.path)
        #expect(reader.isCutOff, "at \(length): \(reader.ending)")
        let some = try readAll(reader)
        #expect(events.starts(with: some))
        #expect(some.count >= longest)
        longest = some.count
        try reader.verify()
      } catch let error as TraceError {
        // Only a cut within the header leaves nothing.
        #expect(longest == 0)
        switch error {
        case .empty: #expect(length == 0)
        case .cutOffInHeader: break
        default: Issue.record("cut at \(length): \(error)")
        }
      }
    }
    #expect(longest == events.count)
  }

  @Test func flipAtEveryByte() throws {
    let (bytes, events) = try Self.sample(frames: 2)
    let file = ScratchFile()
    for offset in 0..<bytes.count {
      for bit in [offset % 8, (offset + 3) % 8] {
        var flipped = bytes
        flipped[offset] ^= 1 << UInt8(bit)
        file.bytes = flipped
        do {
          let reader = try TraceReader(path: file.path)
          // Plain conditions: the macros' bookkeeping would be most of the test's time.
          if !events.starts(with: readIntact(reader).0) {
            Issue.record("wrong events after a flip at \(offset).\(bit)")
          }
          if reader.isCutOff { Issue.record("flip at \(offset).\(bit) taken for a cut") }
          var found = false
          do { try reader.verify() } catch is TraceError { found = true }
          if !found { Issue.record("flip at \(offset).\(bit) not found: \(reader.ending)") }
        } catch is TraceError {}
      }
    }
  }

  @Test func prefixOfADamagedTraceStaysUsable() throws {
    let (bytes, events) = try Self.sample(frames: 4)
    let file = ScratchFile()
    file.bytes = bytes
    let frames = try TraceReader(path: file.path).eventFrames
    let third = frames[2].frame
    var flipped = bytes
    flipped[Int(third.offset) + 30] ^= 4
    file.bytes = flipped
    let (some, error) = readIntact(try TraceReader(path: file.path))
    #expect(some == Array(events[..<20]))
    guard case .damaged(_, let offset, _) = error as? TraceError else {
      Issue.record("no damage reported")
      return
    }
    #expect(offset >= third.offset && offset < third.offset + third.length)
  }

  @Test func foreignFiles() throws {
    let file = ScratchFile()
    #expect(throws: TraceError.missing(path: file.path)) { try TraceReader(path: file.path) }
    file.bytes = []
    #expect(throws: TraceError.empty(path: file.path)) { try TraceReader(path: file.path) }
    for bytes in [
      Array("\u{7F}ELF and more".utf8), [0x1F, 0x8B, 8, 0], [1], [UInt8](repeating: 0, count: 5000),
    ] {
      file.bytes = bytes
      do {
        _ = try TraceReader(path: file.path)
        Issue.record("accepted")
      } catch let error as TraceError {
        guard case .notATrace = error else {
          Issue.record("\(error)")
          continue
        }
      }
    }
    do {
      _ = try TraceReader(path: NSTemporaryDirectory())
      Issue.record("accepted a directory")
    } catch let error as TraceError {
      guard case .notATrace = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test(arguments: 0..<300) func noiseIsRefused(seed: UInt64) throws {
    var random = Random(seed)
    var (bytes, events) = try Self.sample()
    for _ in 0..<1 + random.below(20) {
      let at = Int(random.below(UInt64(bytes.count)))
      switch random.below(3) {
      case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
      case 1: bytes.remove(at: at)
      default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
      }
    }
    let file = ScratchFile()
    file.bytes = bytes
    guard let reader = try? TraceReader(path: file.path) else { return }
    #expect(events.starts(with: readIntact(reader).0))
  }
}

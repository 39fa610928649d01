import Foundation

/// A file of the SingleStepTests suites in the MOO format, version 1: chunks of a 4-character tag, a little-endian length
/// and the payload. What a test needs is taken, the rest (bus cycles, hashes) skipped.
struct MOOFile {
  /// Registers in the file's order.
  enum Register: Int, CaseIterable {
    case ax, bx, cx, dx, cs, ss, ds, es, sp, bp, si, di, ip, flags
  }

  struct State {
    /// The registers that are given: all at the beginning, the changed ones at the end.
    var registers: [Register: UInt16] = [:]
    var memory: [(address: Int, value: UInt8)] = []
  }

  struct Case {
    var index = 0
    var name = ""
    var bytes: [UInt8] = []
    var initial = State()
    var final = State()
    /// The exception that the instruction raised.
    var exception: UInt8?
  }

  var cases: [Case] = []

  init(_ data: [UInt8]) {
    for (tag, body) in Self.chunks(data[...]) where tag == "TEST" {
      cases.append(Self.testCase(body))
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>, _ offset: Int, _ size: Int) -> Int {
    let start = bytes.startIndex + offset
    guard start + size <= bytes.endIndex else { return 0 }
    return bytes[start..<start + size].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private static func chunks(_ bytes: ArraySlice<UInt8>) -> [(String, ArraySlice<UInt8>)] {
    var result: [(String, ArraySlice<UInt8>)] = []
    var rest = bytes
    while rest.count >= 8 {
      let length = number(rest, 4, 4)
      let tag = String(decoding: rest.prefix(4), as: UTF8.self)
      result.append((tag, rest.dropFirst(8).prefix(length)))
      rest = rest.dropFirst(8 + length)
    }
    return result
  }

  private static func testCase(_ body: ArraySlice<UInt8>) -> Case {
    var test = Case()
    test.index = number(body, 0, 4)
    for (tag, part) in chunks(body.dropFirst(4)) {
      switch tag {
      case "NAME": test.name = String(decoding: part.dropFirst(4), as: UTF8.self)
      case "BYTS": test.bytes = Array(part.dropFirst(4))
      case "INIT": test.initial = state(part)
      case "FINA": test.final = state(part)
      case "EXCP": test.exception = part.first
      default: break
      }
    }
    return test
  }

  private static func state(_ body: ArraySlice<UInt8>) -> State {
    var state = State()
    for (tag, part) in chunks(body) {
      switch tag {
      case "REGS":
        let mask = number(part, 0, 2)
        var offset = 2
        for register in Register.allCases where mask >> register.rawValue & 1 != 0 {
          state.registers[register] = UInt16(truncatingIfNeeded: number(part, offset, 2))
          offset += 2
        }
      case "RAM ":
        for i in 0..<number(part, 0, 4) {
          state.memory.append((number(part, 4 + 5 * i, 4), UInt8(truncatingIfNeeded: number(part, 8 + 5 * i, 1))))
        }
      default: break
      }
    }
    return state
  }
}

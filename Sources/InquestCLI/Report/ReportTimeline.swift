import Foundation
import Session
import Trace

/// A whole run in so many columns, for a picture: how much of each kind happened in each, and the places that have a name.
struct ReportTimeline: Encodable {
  struct Mark: Encodable {
    var kind: String
    var instructions: UInt64
    /// Nanoseconds.
    var time: UInt64
    var text: String
  }
  struct Row: Encodable {
    var name: String
    /// Events in each column.
    var counts: [UInt32]
  }
  static let columns = 1200
  private static let maximumMarks = 4000
  private static let maximumText = 160

  /// At the end of the run.
  var instructions: UInt64
  /// Nanoseconds.
  var time: UInt64
  /// Virtual time at the start of each column.
  var times: [UInt64]
  var rows: [Row]
  var marks: [Mark]
  /// More happened than there are marks.
  var isCut = false

  /// Reads a trace's events once, up to its damage if it has any.
  init(_ reader: TraceReader) throws {
    let last = reader.summary?.last ?? .zero
    let shift = (try? RunSetup(of: reader).configuration.timeShift) ?? 2
    let end = max(1, last.instructionCount)
    instructions = last.instructionCount
    time = last.virtualTime(shift: shift)
    (times, rows, marks) = ([], [], [])
    var counts: [String: [UInt32]] = [:]
    var known = [UInt64?](repeating: nil, count: Self.columns)
    var line: [UInt8] = []
    var lineStart = Instant.zero
    var cursor = reader.events()
    while let event = try? cursor.next() {
      let column = Int(min(UInt64(Self.columns - 1), Self.scaled(event.instant.instructionCount, end)))
      let time = event.instant.virtualTime(shift: shift)
      if known[column] == nil { known[column] = time }
      let name: String
      switch event.body {
      case .interrupt: name = "interrupts"
      case .portRead, .portWrite, .mmioRead: name = "device accesses"
      case .serialOutput(let port, let bytes):
        name = "console"
        if port == 0 {
          for byte in bytes {
            if line.isEmpty { lineStart = event.instant }
            if byte == 10 {
              addLine(line, lineStart, shift)
              line = []
            } else if line.count < Self.maximumText, byte != 13 {
              line.append(byte)
            }
          }
        }
      case .serialInput(_, let bytes):
        name = "inputs"
        mark("input", event, time, "\(bytes.count) bytes typed: " + String(decoding: bytes.prefix(40), as: UTF8.self))
      case .command(_, let json):
        name = "inputs"
        mark("QMP", event, time, json)
      case .marker(let kind, let text):
        name = "events"
        mark("\(kind)", event, time, text)
      case .machineEvent(let event0, let json):
        name = "events"
        mark("event", event, time, event0 + (json == "{}" ? "" : " " + json))
      case .runState(let from, let to, let reason):
        name = "events"
        mark("state", event, time, "\(from) → \(to) (\(reason))")
      default: continue
      }
      counts[name, default: [UInt32](repeating: 0, count: Self.columns)][column] &+= 1
    }
    if !line.isEmpty { addLine(line, lineStart, shift) }
    rows = ["console", "interrupts", "device accesses", "inputs", "events"].compactMap { name in
      counts[name].map { Row(name: name, counts: $0) }
    }
    // Columns without events lie, in time, between those around them.

    var previous: UInt64 = 0
    for value in known {
      previous = max(previous, value ?? previous)
      times.append(previous)
    }
  }

  private static func scaled(_ count: UInt64, _ end: UInt64) -> UInt64 {
    let (high, low) = count.multipliedFullWidth(by: UInt64(columns))
    return high >= end ? UInt64(columns) : end.dividingFullWidth((high, low)).quotient
  }

  private mutating func addLine(_ line: [UInt8], _ instant: Instant, _ shift: UInt64) {
    add(
      Mark(
        kind: "console", instructions: instant.instructionCount, time: instant.virtualTime(shift: shift),
        text: String(decoding: line, as: UTF8.self).visible))
  }

  private mutating func mark(_ kind: String, _ event: TraceEvent, _ time: UInt64, _ text: String) {
    add(
      Mark(
        kind: kind, instructions: event.instant.instructionCount, time: time,
        text: String(text.prefix(400)).visible))
  }

  private mutating func add(_ mark: Mark) {
    guard marks.count < Self.maximumMarks else {
      isCut = true
      return
    }
    marks.append(mark)
  }
}

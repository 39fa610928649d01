import Foundation

/// What a hunt knows of itself: written to its folder after every run, so that it can go on after an interruption.
struct HuntRecord: Codable, Equatable {
  struct Run: Codable, Equatable {
    enum Outcome: String, Codable {
      /// It ended as it should.
      case clean
      case panic
      /// The limit of virtual time passed.
      case hang
      case match
      /// `inquest record` itself failed.
      case failed
    }
    var seed: UInt64
    var outcome: Outcome
    /// Of the first panic, or of the end.
    var instant: String
    var instructions: UInt64
    /// Nanoseconds.
    var virtualTime: UInt64
    /// How the run ended.
    var ending: String
    /// What the console said about it.
    var line: String?
    /// The trace's name in the folder, where it was kept.
    var trace: String?

    var isCaught: Bool { outcome == .panic || outcome == .hang || outcome == .match }
  }

  /// The command line but for what a later call may change: how many runs, and how many at a time.
  var arguments: [String]
  var runs: [Run] = []

  init(arguments: [String]) { self.arguments = arguments }

  static let fileName = "hunt.json"

  /// - Returns: nil when the folder has none.
  static func read(from folder: String) throws -> HuntRecord? {
    let path = folder + "/" + fileName
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let record = try? JSONDecoder().decode(HuntRecord.self, from: data) else {
      throw CommandFailure.badData(
        "\(path): not the state of a hunt; remove it, or give another folder with -o")
    }
    return record
  }

  func write(to folder: String) throws {
    let path = folder + "/" + Self.fileName
    var sorted = self
    sorted.runs.sort { $0.seed < $1.seed }
    do {
      try Data((JSONOutput.text(sorted) + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CommandFailure(
        status: ExitStatus.inputOutput, message: "\(path): cannot write: \(error.localizedDescription)")
    }
  }
}

/// How often something happens, from a sample.
package enum Proportion {
  /// Wilson's interval of 95 %.
  package static func interval(_ hits: Int, of runs: Int) -> ClosedRange<Double> {
    guard runs > 0 else { return 0...1 }
    let z = 1.959964
    let n = Double(runs)
    let p = Double(hits) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, centre - half)...min(1, centre + half)
  }
}

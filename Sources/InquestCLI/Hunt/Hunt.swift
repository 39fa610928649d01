import Foundation

/// Records with seed after seed, several at a time, and keeps what was looked for.
///
/// Each recording is a process of its own, a child of this one that runs `inquest record`: a run that brings the
/// emulator down, or is killed for lack of memory, costs the hunt that run and nothing else; the memory of a guest goes
/// back whole; and the processes need no common locks, so that `-j` scales with the host's processors. Starting one takes
/// a few milliseconds.
final class Hunt: @unchecked Sendable {
  struct Plan {
    var folder: String
    var seeds: ClosedRange<UInt64>
    var jobs: Int
    /// Options of `inquest record` for every run.
    var recordArguments: [String]
    /// Runs branch off a trace at an instant; nil: each starts anew.
    var parent: (trace: String, instant: String)?
    var match: NSRegularExpression?
  }

  private let plan: Plan
  private let lock = NSLock()
  private(set) var record: HuntRecord
  private var queue: [UInt64]
  private var children: [UInt64: Process] = [:]
  private var isStopped = false
  private var failure: (any Error)?
  private let start = DispatchTime.now().uptimeNanoseconds
  private let before: Int

  init(_ plan: Plan, record: HuntRecord) {
    self.plan = plan
    self.record = record
    let done = Set(record.runs.map(\.seed))
    queue = plan.seeds.filter { !done.contains($0) }.reversed()
    before = record.runs.count
  }

  /// Runs what is left. - Throws: the first failure of the hunt itself.
  func run() throws {
    let group = DispatchGroup()
    for _ in 0..<plan.jobs {
      group.enter()
      let worker = Thread { [self] in
        while let seed = next() { finish(seed, perform(seed)) }
        group.leave()
      }
      worker.stackSize = 1 << 20
      worker.start()
    }
    group.wait()
    Terminal.clearProgress()
    if let failure { throw failure }
  }

  /// Ends what is running; those runs are not counted.
  func stop() {
    lock.lock()
    isStopped = true
    let running = Array(children.values)
    lock.unlock()
    for child in running where child.isRunning { child.terminate() }
  }

  private func next() -> UInt64? {
    lock.lock()
    defer { lock.unlock() }
    return isStopped || failure != nil ? nil : queue.popLast()
  }

  private func traceName(_ seed: UInt64) -> String { "seed-\(seed).inq" }

  /// - Returns: nil for a run that was stopped.
  private func perform(_ seed: UInt64) -> HuntRecord.Run? {
    let trace = plan.folder + "/.run-\(seed).inq"
    let console = plan.folder + "/.run-\(seed).console"
    defer {
      unlink(trace)
      unlink(console)
    }
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments =
      (plan.parent.map { ["branch", $0.trace, "--at", $0.instant] } ?? ["record", "--checkpoint", "none"])
      + plan.recordArguments + [
        "--seed", "\(seed)", "--json", "-serial", "file:\(Self.escaped(console))", "-o", trace,
      ]
    let (output, errors) = (Pipe(), Pipe())
    child.standardInput = FileHandle.nullDevice
    child.standardOutput = output
    child.standardError = errors
    lock.lock()
    guard !isStopped else {
      lock.unlock()
      return nil
    }
    do { try child.run() } catch {
      failure = failure ?? error
      lock.unlock()
      return nil
    }
    children[seed] = child
    lock.unlock()
    // Neither is more than a pipe holds.
    let report = output.fileHandleForReading.readDataToEndOfFile()
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    child.waitUntilExit()
    lock.lock()
    children[seed] = nil
    let wasStopped = isStopped
    lock.unlock()
    if wasStopped { return nil }
    guard let result = try? JSONDecoder().decode(RunReport.self, from: report) else {
      return fail(seed, child, message)
    }
    return judge(seed, result, trace, console)
  }

  /// A run that could not be made. What would hold for every seed ends the hunt.
  private func fail(_ seed: UInt64, _ child: Process, _ message: String) -> HuntRecord.Run? {
    let line = message.split(separator: "\n").last.map { String($0.drop { $0 == " " }) } ?? "no message"
    let text = line.hasPrefix("inquest: ") ? String(line.dropFirst(9)) : line
    let status = child.terminationStatus
    if child.terminationReason == .exit, status >= 64, status != ExitStatus.internal {
      lock.lock()
      failure = failure ?? CommandFailure(status: status, message: text)
      lock.unlock()
      return nil
    }
    let how = child.terminationReason == .exit ? "status" : "signal"
    return HuntRecord.Run(
      seed: seed, outcome: .failed, instant: "0", instructions: 0, virtualTime: 0, ending: "\(how) \(status)",
      line: text)
  }

  private func judge(_ seed: UInt64, _ result: RunReport, _ trace: String, _ console: String) -> HuntRecord
    .Run?
  {
    var run = HuntRecord.Run(
      seed: seed, outcome: .clean, instant: result.panics.first ?? result.instant,
      instructions: result.instructions,
      virtualTime: result.virtualTime, ending: result.ending)
    let search = ConsoleSearch(path: console)
    if let match = plan.match {
      if let line = search.first(matching: match) { (run.outcome, run.line) = (.match, line) }
    } else if !result.panics.isEmpty {
      (run.outcome, run.line) = (.panic, search.panicLine)
    } else if result.ending == "time-limit" {
      run.outcome = .hang
    }
    if run.isCaught {
      let name = traceName(seed)
      if rename(trace, plan.folder + "/" + name) != 0 {
        let code = errno
        lock.lock()
        failure = failure ?? CommandFailure.output(plan.folder + "/" + name, creating: true, code: code)
        lock.unlock()
        return nil
      }
      run.trace = name
    }
    return run
  }

  private func finish(_ seed: UInt64, _ run: HuntRecord.Run?) {
    guard let run else { return }
    lock.lock()
    defer { lock.unlock() }
    record.runs.append(run)
    do { try record.write(to: plan.folder) } catch { failure = failure ?? error }
    if run.isCaught {
      Terminal.clearProgress()
      Terminal.print(Self.describe(run))
    } else if run.outcome == .failed {
      Terminal.note("seed \(seed): the run failed (\(run.ending)): \(run.line ?? "")")
    }
    let done = record.runs.count
    let caught = record.runs.filter(\.isCaught).count
    let fresh = done - before
    let passed = Double(DispatchTime.now().uptimeNanoseconds &- start) / 1e9
    let left = fresh > 0 ? passed / Double(fresh) * Double(queue.count + children.count) : 0
    Terminal.progress(
      "\(fresh + before) of \(before + fresh + queue.count + children.count) runs, \(caught) caught, "
        + "about \(Int(left.rounded())) s left")
  }

  static func describe(_ run: HuntRecord.Run) -> String {
    "caught \(run.trace ?? ""): \(run.outcome.rawValue) at \(run.instant)\(run.line.map { ": \($0)" } ?? "")"
  }

  /// A path within QEMU's option syntax.
  static func escaped(_ path: String) -> String { path.replacingOccurrences(of: ",", with: ",,") }
}

import PC
import Trace
import X86Core

/// The checkpoints of one replay: states, and between two neighbours the pages that were written between them.
///
/// RAM is always that of the checkpoint `base` and what was written since, whose earlier contents the memory's journal
/// holds. What lies between two checkpoints is kept as the pages' contents at the end that RAM is farther from: going over
/// an interval exchanges RAM and what is kept, in either direction.
final class CheckpointStore {
  private let session: ReplaySession
  private(set) var states: [ReplayState]
  /// Before `base`: contents at the interval's beginning. From `base` on: at its end.
  private var intervals: [PageImages] = []
  private(set) var base = 0
  private let budget: UInt64
  private static let mostStates = 600

  private var machine: Machine { session.machine }
  private var memory: GuestMemory { session.machine.memory }

  /// The place where the session stands becomes the first checkpoint.
  init(_ session: ReplaySession, budget: UInt64) {
    self.session = session
    self.budget = budget
    session.machine.processor.setJournal(PageImages())
    states = [session.state]
  }

  /// The last checkpoint that fulfils a condition which holds for none behind one for which it does not.
  func last(where isBefore: (ReplayState) -> Bool) -> Int? {
    var low = 0
    var high = states.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(states[middle]) { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  /// Bytes of host memory.
  var byteCount: UInt64 {
    intervals.reduce(states.reduce(0) { $0 &+ $1.byteCount }) { $0 &+ $1.byteCount }
      &+ (memory.journal?.byteCount ?? 0)
  }

  /// The place where the session stands, behind `base` and before its successor, becomes a checkpoint.
  func add() {
    guard let journal = memory.journal, session.instant > states[base].instant else { return }
    if base + 1 < states.count {
      guard session.instant < states[base + 1].instant else { return }
      recall(journal, in: intervals[base])
      // Looking through very many pages costs more than it gives.
      if intervals[base].count < 4096 { intervals[base].removeEqual(to: memory) }
    }
    states.insert(session.state, at: base + 1)
    intervals.insert(journal, at: base)
    base += 1
    machine.processor.replaceJournal(PageImages())
    thin()
  }

  /// Pages that are the same at both ends of an interval are not kept for it. Those that differ at a place within must be: what
  /// they are at the end is what they were at the beginning, which the journal up to the place knows.
  private func recall(_ journal: PageImages, in interval: PageImages) {
    let equal = Set(interval.equalPages).subtracting(interval.pages)
    if equal.isEmpty { return }
    let zeros = [UInt8](repeating: 0, count: 4096)
    zeros.withUnsafeBytes { zeros in
      journal.forEach { page, content in
        if equal.contains(page), let content = content ?? zeros.baseAddress { interval.append(page, content) }
      }
    }
  }

  /// The session has come to the checkpoint behind `base` by itself.
  func arrive() {
    guard base + 1 < states.count, session.instant == states[base + 1].instant, let journal = memory.journal else {
      return
    }
    intervals[base] = journal
    base += 1
    machine.processor.replaceJournal(PageImages())
  }

  /// Puts the session back to a checkpoint.
  func restore(_ index: Int) {
    // What happened since `base` is forgotten.
    memory.journal?.exchange(with: memory)
    while base > index {
      base -= 1
      intervals[base].exchange(with: memory)
    }
    while base < index {
      intervals[base].exchange(with: memory)
      base += 1
    }
    machine.processor.replaceJournal(PageImages())
    session.state = states[index]
  }

  /// Goes to a state that the trace carries, behind the checkpoint `index` and before the next; it becomes a checkpoint.
  func enter(_ state: ReplayState, _ stored: StoredState, behind index: Int) {
    restore(index)
    let images = stored.images()
    // Exchanged, they hold what was there before, as a journal would.
    images.exchange(with: memory)
    machine.processor.replaceJournal(images)
    session.state = state
    add()
  }

  /// Whether one of these pages was written between a checkpoint and the next, or since the last one before now.
  func hasWritten(_ pages: Set<UInt32>, since index: Int, includingNow: Bool) -> Bool {
    if index < intervals.count, intervals[index].hasWritten(pages) { return true }
    return includingNow && index == base && memory.journal?.hasWritten(pages) == true
  }

  /// Pages written between a checkpoint and the next.
  func writtenPages(since index: Int) -> [UInt32] {
    index < intervals.count ? intervals[index].pages + intervals[index].equalPages : []
  }

  /// Pages written since `base`.
  var journalPages: [UInt32] { memory.journal?.pages ?? [] }

  // MARK: Thinning

  /// Gives up checkpoints until the budget suffices: those that leave the smallest gap for their distance from here.
  private func thin() {
    var bytes = states.count % 16 == 0 || states.count > Self.mostStates ? byteCount : 0
    while states.count > 2 && (bytes > budget || states.count > Self.mostStates) {
      let here = session.instant.instructionCount
      var best: (index: Int, weight: Double)?
      for i in 1..<states.count where i != base {
        let next = i + 1 < states.count ? states[i + 1].instant.instructionCount : .max / 2
        let gap = next &- states[i - 1].instant.instructionCount
        let at = states[i].instant.instructionCount
        let distance = (at > here ? at &- here : here &- at) &+ 4096
        let weight = Double(gap) / Double(distance)
        if best.map({ weight < $0.weight }) ?? true { best = (i, weight) }
      }
      guard let best, best.index + 1 < states.count else { return }
      remove(best.index)
      bytes = byteCount
    }
  }

  /// Not the first, the last, or `base`.
  private func remove(_ index: Int) {
    let later = intervals.remove(at: index)
    let earlier = intervals[index - 1]
    if index < base {
      // Contents at the beginnings: the earlier ones count.
      earlier.absorb(later)
      base -= 1
    } else {
      later.absorb(earlier)
      intervals[index - 1] = later
    }
    states.remove(at: index)
  }
}

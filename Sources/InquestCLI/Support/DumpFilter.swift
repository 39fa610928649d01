import CoreDump
import Forensics

/// `--pages`: what of the guest's memory goes into a compressed kdump.
enum DumpPages: String, CaseIterable {
  case all
  /// The same: pages of zeros share one in any case.
  case noZero = "no-zero"
  /// Without free ones.
  case noFree = "no-free"
  /// Without those, the page cache and programs' memory: makedumpfile's level 31.
  case kernel

  init(option text: String) throws {
    guard let pages = Self(rawValue: text) else {
      throw CommandFailure.usage(
        "--pages \(text): there are \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    self = pages
  }

  /// - Throws: `CommandFailure` where the guest does not tell what its pages are used for.
  func filter(_ guest: PausedGuest) throws -> PageFilter {
    let kinds: PageUsage.Kinds
    switch self {
    case .all: return .all
    case .noZero: return PageFilter(level: 1)
    case .noFree: kinds = [.free]
    case .kernel: kinds = [.free, .cache, .user]
    }
    do {
      let usage = try PageUsage(try guest.kernel(), without: kinds)
      return PageFilter(excluded: usage.excluded, level: 1 | kinds.rawValue)
    } catch let error as ForensicsError {
      throw CommandFailure.badData("--pages \(rawValue): \(guest.place): \(error)")
    }
  }
}

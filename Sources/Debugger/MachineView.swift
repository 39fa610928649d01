import PC
import Session

/// Looking at a machine for a debugger, without any effect on it.
extension Machine {
  /// As many of the bytes as can be read: RAM that is mapped, or RAM alone.
  func readable(_ space: AddressSpace, _ address: UInt64, count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var at = address
    while bytes.count < count {
      let piece = min(count - bytes.count, 4096 - Int(at & 0xFFF))
      guard let part = space == .linear ? readLinear(at, count: piece) : readPhysical(at, count: piece) else { break }
      bytes += part
      let (next, wraps) = at.addingReportingOverflow(UInt64(piece))
      if wraps { break }
      at = next
    }
    return bytes
  }
}

extension DebugPoint {
  /// As `Timeline` and `LiveDebugger` take it; nil for a breakpoint.
  var watchpoint: Watchpoint? {
    switch kind {
    case .software, .hardware: return nil
    case .write: return Watchpoint(address, count: UInt64(length), access: .write)
    case .read: return Watchpoint(address, count: UInt64(length), access: .read)
    case .access: return Watchpoint(address, count: UInt64(length), access: .access)
    }
  }
}

/// A debugger's points, sorted as machines want them.
struct PointTable {
  private(set) var breakpoints: Set<UInt64> = []
  private(set) var watchpoints: [Watchpoint] = []
  /// For each watchpoint the point that it came from.
  private var watched: [DebugPoint] = []
  private var points: [DebugPoint] = []

  init(_ points: [DebugPoint] = []) {
    self.points = points
    for point in points {
      if let watchpoint = point.watchpoint {
        watchpoints.append(watchpoint)
        watched.append(point)
      } else {
        breakpoints.insert(point.address)
      }
    }
  }

  /// What to say of a breakpoint that was met.
  func stop(atBreakpoint address: UInt64) -> DebugStop {
    .breakpoint(
      points.first { !$0.kind.isWatchpoint && $0.address == address } ?? DebugPoint(.hardware, address))
  }

  func stop(atWatchpoint index: Int) -> DebugStop {
    watched.indices.contains(index) ? .watchpoint(watched[index]) : .interrupt
  }
}

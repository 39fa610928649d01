import Foundation
import PC
import X86Core

/// The project's own guests, assembled once for all tests.
enum OwnGuests {
  private static let folder: Result<URL, Error> = Result {
    var root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    while root.path != "/",
      !FileManager.default.fileExists(atPath: root.appendingPathComponent("tools/guests-asm").path)
    {
      root.deleteLastPathComponent()
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "board-tests-\(UUID().uuidString)")
    let tool = Process()
    tool.executableURL = root.appendingPathComponent("tools/guests-asm")
    tool.arguments = ["-o", folder.path]
    try tool.run()
    tool.waitUntilExit()
    guard tool.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    return folder
  }

  static func image(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.get().appendingPathComponent("\(name).elf")))
  }
}

/// What a machine told the world, in order.
final class WorldLog: MachineWorld {
  enum Event: Equatable {
    case port(UInt16, UInt32)
    case memory(UInt64, UInt64)
    case interrupt(UInt8, at: UInt64)
    case delay(UInt64)
  }
  var events: [Event] = []
  var console: [UInt8] = []
  weak var machine: Machine?
  var text: String { String(decoding: console, as: UTF8.self) }

  func didReadPort(_ port: UInt16, size: Int, value: UInt32) { events.append(.port(port, value)) }
  func didReadMemory(_ address: UInt64, size: Int, value: UInt64) { events.append(.memory(address, value)) }
  func didInterrupt(vector: UInt8, isNMI: Bool) {
    events.append(.interrupt(vector, at: machine?.virtualTime ?? 0))
  }
  func didTransmit(port: Int, byte: UInt8) { console.append(byte) }
  func didDelayInterrupt(nanoseconds: UInt64) { events.append(.delay(nanoseconds)) }
}

/// A machine with one of the project's guests.
struct Bench {
  let world = WorldLog()
  let machine: Machine

  init(_ guest: String, seed: UInt64 = 1, chaos: Bool = false) throws {
    var configuration = MachineConfiguration()
    configuration.memorySize = 4 << 20
    configuration.seed = seed
    configuration.chaos = chaos
    configuration.pvpanic = .init()
    configuration.isaDebugExit = .init()
    configuration.startTime = 1_700_000_000_000_000_000
    var images = MachineImages()
    images.kernel = try OwnGuests.image(guest)
    machine = try Machine(configuration: configuration, images: images, world: world)
    world.machine = machine
  }

  /// Runs to the limit or to a stop that is neither that nor an idle time, which is skipped.
  func run(until limit: UInt64 = 100_000_000) -> MachineStop {
    while true {
      let stop = machine.run(until: limit)
      guard case .idle(let next?) = stop else { return stop }
      machine.skipIdle(to: next)
    }
  }

  /// RAM, registers, counts and devices.
  func endState() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let snapshot = [UInt8](try encoder.encode(machine.snapshot()))
    return snapshot + ram
  }
  var ram: [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: machine.memory.base, count: Int(machine.memory.size)))
  }
}

import Foundation
import X86
import X86Core
import X86System

/// A guest of Guests/asm/system: assembled at test time, run on a processor with RAM, a serial port and just enough of a
/// local APIC that it can interrupt itself. It says itself, line by line, whether what came was what the manual says.
struct SystemGuest {
  enum Ending: Equatable, CustomStringConvertible {
    /// The number written to the debug exit port: failures.
    case exit(UInt32)
    /// A triple fault.
    case shutdown
    /// HLT with nothing that could end it.
    case halted
    /// It did not come to an end.
    case instructions(UInt64)

    var description: String {
      switch self {
      case .exit(let code): return "exit \(code)"
      case .shutdown: return "shutdown"
      case .halted: return "halted"
      case .instructions(let count): return "still running after \(count) instructions"
      }
    }
  }

  struct Result {
    var ending: Ending
    var console: String
    var instructions: UInt64
    var failures: [Substring] { lines("FAILED") }
    var passes: Int { lines("ok ").count }

    private func lines(_ prefix: String) -> [Substring] {
      console.split(whereSeparator: \.isNewline).filter { $0.hasPrefix(prefix) }
    }
  }

  static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Guests/asm/system")

  /// The guests' names, in order.
  static let all: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".s") }.map { String($0.dropLast(2)) }.sorted()
  }()

  /// Everything that this project's processors can do, vector extensions apart.
  static let model: ProcessorModel = {
    var model = ProcessorModel.default
    model.decoder.formUnion([.smap, .pku, .xsave, .monitor, .invpcid, .fsgsbase])
    model.features.formUnion([.pcid, .la57, .pks, .smep, .umip, .gigabytePages])
    return model
  }()

  let name: String

  /// Assembles, links, loads and runs the guest.
  func run(limit: UInt64 = 400_000_000, cut: UInt64 = .max) throws -> Result {
    let image = try build()
    let memory = GuestMemory(size: 32 << 20)!
    let world = SystemGuestWorld()
    let processor = Processor(memory: memory, seams: world, model: Self.model)
    world.processor = processor
    let entry = try load(image, into: memory)
    world.enter(entry)
    var ending: Ending?
    while ending == nil {
      let count = processor.instructionCount
      if count >= limit {
        ending = .instructions(count)
        break
      }
      let stop = processor.run(until: min(limit, count &+ min(cut, 1 << 30)))
      if let code = world.exitCode {
        ending = .exit(code)
      } else if stop == .shutdown {
        ending = .shutdown
      } else if stop == .halted {
        ending = .halted
      }
    }
    return Result(
      ending: ending!, console: String(decoding: world.console, as: UTF8.self), instructions: processor.instructionCount
    )
  }

  // MARK: Building

  private struct ToolFailure: Error, CustomStringConvertible { var description: String }

  private func build() throws -> [UInt8] {
    let work = FileManager.default.temporaryDirectory.appendingPathComponent("system-guest-\(UUID())")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: work) }
    let object = work.appendingPathComponent("guest.o").path
    let linked = work.appendingPathComponent("guest.elf").path
    try tool("as", ["--64", "-I", "..", "-o", object, "\(name).s"])
    try tool(
      "ld",
      ["-m", "elf_x86_64", "-nostdlib", "--build-id=none", "--no-warn-rwx-segments", "-z", "max-page-size=16"]
        + ["-T", "system.ld", "-o", linked, object])
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: linked)))
  }

  private func tool(_ name: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    process.currentDirectoryURL = Self.folder
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ToolFailure(description: "\(name) \(self.name): \(String(decoding: output.prefix(2000), as: UTF8.self))")
    }
  }

  /// Loads the segments of an ELF64 file.
  /// - Returns: the entry point.
  private func load(_ image: [UInt8], into memory: GuestMemory) throws -> UInt64 {
    func number(_ at: Int, _ size: Int) -> UInt64 {
      image[at..<at + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard image.count > 64, number(0, 4) == 0x464C_457F else { throw ToolFailure(description: "no ELF file") }
    let table = Int(number(32, 8))
    for i in 0..<Int(number(56, 2)) {
      let header = table + i * Int(number(54, 2))
      guard number(header, 4) == 1 else { continue }
      let offset = Int(number(header + 8, 8))
      let size = Int(number(header + 32, 8))
      guard memory.write(number(header + 24, 8), Array(image[offset..<offset + size])) else {
        throw ToolFailure(description: "it does not fit into memory")
      }
    }
    return number(24, 8)
  }
}

/// The world of a system guest: console, debug exit, and a local APIC's ICR for interrupts to itself.
final class SystemGuestWorld: ProcessorSeams {
  unowned var processor: Processor!
  private(set) var console: [UInt8] = []
  private(set) var exitCode: UInt32?
  /// Vectors requested and not yet taken.
  private var requested: [UInt8] = []
  private var priority: UInt8 = 0
  private var isDivisorLatch = false

  private enum Port {
    static let debugExit: UInt16 = 0xF4
    static let serialData: UInt16 = 0x3F8
    static let serialLineControl: UInt16 = 0x3FB
    static let serialStatus: UInt16 = 0x3FD
  }
  private enum APIC {
    static let icr: UInt64 = 0xFEE0_0300
  }

  /// The state that a multiboot loader leaves: flat 32-bit protected mode.
  func enter(_ entry: UInt64) {
    let cpu = processor.cpu
    cpu.f.pointee.rip = entry
    cpu.f.pointee.cr0 = 0x11
    for i: UInt8 in 0..<6 {
      cpu.segment(i).pointee = SegmentRegister(
        selector: i == 1 ? 8 : 16, attributes: i == 1 ? 0xC09B : 0xC093, limit: .max)
      cpu.setSegmentBase(i, 0)
    }
    cpu.setR64(GPR.rax, 0x2BAD_B002)
    processor.stateChanged()
  }

  override func readPort(_ port: UInt16, size: Int) -> UInt32 {
    port == Port.serialStatus ? 0x60 : size == 4 ? .max : (1 << UInt32(8 * size)) - 1
  }
  override func writePort(_ port: UInt16, size: Int, value: UInt32) {
    switch port {
    case Port.debugExit:
      exitCode = value & 0xFF
      processor.requestAttention()
    case Port.serialLineControl: isDivisorLatch = value & 0x80 != 0
    case Port.serialData where size == 1 && !isDivisorLatch: console.append(UInt8(truncatingIfNeeded: value))
    default: break
    }
  }
  override func readMemory(_ address: UInt64, size: Int) -> UInt64 { 0 }
  override func writeMemory(_ address: UInt64, size: Int, value: UInt64) {
    guard address == APIC.icr else { return }
    if value >> 8 & 7 == 4 {
      processor.requestNMI()
    } else {
      requested.append(UInt8(truncatingIfNeeded: value))
      processor.setInterruptPending(true)
    }
  }
  override func acknowledgeInterrupt() -> UInt8? {
    guard let vector = requested.max() else { return nil }
    requested.removeAll { $0 == vector }
    processor.setInterruptPending(!requested.isEmpty)
    return vector
  }
  override var taskPriority: UInt8 {
    get { priority }
    set { priority = newValue }
  }
  override func readAPICMSR(_ index: UInt32) -> UInt64? { index == MSR.apicBase ? 0xFEE0_0900 : nil }
  override func writeAPICMSR(_ index: UInt32, _ value: UInt64) -> Bool { index == MSR.apicBase }
  override func codeWritten(_ physicalAddress: UInt64, _ count: Int) { processor.codeWritten(physicalAddress, count) }
  override func flushBlocks() { processor.flushBlocks() }
}

import Foundation

/// One case for the host's processor: an operation's number in the helper, a control register, two operands.
struct ReferenceInput {
  var operation: UInt32
  /// MXCSR or the x87 control word.
  var control: UInt32
  var a: UInt64
  /// Sign and exponent of an x87 operand; other uses are the operation's own.
  var aHigh: UInt64 = 0
  var b: UInt64 = 0
  var bHigh: UInt64 = 0
}

/// What the host's processor made of a case.
struct ReferenceOutput {
  var result: UInt64
  var resultHigh: UInt64
  /// The flags; meaning is the helper's own.
  var status: UInt64
}

/// Where the helpers lie; removed when the process ends. Guarded by the lock.
nonisolated(unsafe) private var temporaryFolders: [URL] = []
private let temporaryFoldersLock = NSLock()

/// A C program that runs single instructions on the host: it maps inputs to outputs, as plain structures on
/// its standard input and output. Compiled when first used.
final class HostReference: @unchecked Sendable {
  private let executable: URL?

  /// Whether the host can run the helper: an x86-64 with a C compiler.
  var isAvailable: Bool { executable != nil }

  init(name: String, source: String) {
    #if arch(x86_64)
      let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("inquest-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
      try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let file = folder.appendingPathComponent("\(name).c")
      let program = folder.appendingPathComponent(name)
      temporaryFoldersLock.withLock {
        temporaryFolders.append(folder)
        guard temporaryFolders.count == 1 else { return }
        atexit { for folder in temporaryFolders { try? FileManager.default.removeItem(at: folder) } }
      }
      try? source.write(to: file, atomically: true, encoding: .utf8)
      let compiler = Process()
      compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      compiler.arguments = ["cc", "-O1", "-w", "-msse4.1", "-o", program.path, file.path]
      do {
        try compiler.run()
        compiler.waitUntilExit()
        executable = compiler.terminationStatus == 0 ? program : nil
      } catch {
        executable = nil
      }
    #else
      executable = nil
    #endif
  }

  func run(_ inputs: [ReferenceInput]) throws -> [ReferenceOutput] {
    guard let executable else { return [] }
    let base = executable.deletingLastPathComponent().appendingPathComponent(UUID().uuidString)
    let inFile = base.appendingPathExtension("in")
    let outFile = base.appendingPathExtension("out")
    defer {
      try? FileManager.default.removeItem(at: inFile)
      try? FileManager.default.removeItem(at: outFile)
    }
    try inputs.withUnsafeBytes { try Data($0).write(to: inFile) }
    try Data().write(to: outFile)
    let process = Process()
    process.executableURL = executable
    process.standardInput = try FileHandle(forReadingFrom: inFile)
    process.standardOutput = try FileHandle(forWritingTo: outFile)
    try process.run()
    process.waitUntilExit()
    let data = try Data(contentsOf: outFile)
    return data.withUnsafeBytes { Array($0.bindMemory(to: ReferenceOutput.self)) }
  }
}

/// SplitMix64: the source of the random cases.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// All cases in optimised builds; one in eight else, where the software paths are slow.
func thinnedInDebug(_ inputs: [ReferenceInput]) -> [ReferenceInput] {
  #if DEBUG
    return stride(from: 0, to: inputs.count, by: 8).map { inputs[$0] }
  #else
    return inputs
  #endif
}

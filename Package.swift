// swift-tools-version: 6.1
import PackageDescription

/// The processor is built with optimisation in every configuration: its handlers are chained by tail calls, which only
/// the optimiser makes. Its hot path lives on registers: no frame pointer, no exclusivity bookkeeping, and no merging of
/// handlers that are alike (a merged one is entered by a call).
let processorSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v5),
  .unsafeFlags([
    "-Xcc", "-momit-leaf-frame-pointer", "-enforce-exclusivity=unchecked",
    "-Xllvm", "-swiftmergefunc-threshold=0",
  ]),
  .unsafeFlags(["-O", "-wmo", "-num-threads", "2", "-disable-batch-mode"], .when(configuration: .debug)),
]
let settings: [SwiftSetting] = [.swiftLanguageMode(.v5)]

let package = Package(
  name: "inquest",
  products: [
    .executable(name: "inquest", targets: ["inquest"]),
    .library(name: "Trace", targets: ["Trace"]),
    // What Benchmarks/parts measures.
    .library(
      name: "InquestParts", targets: ["X86", "X86Core", "X86Decode", "X86System", "Trace", "Session", "CoreDump"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
  ],
  targets: [
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CCapstone", pkgConfig: "capstone", providers: [.apt(["libcapstone-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

    // The processor. Handlers of one family are a module each, so that they compile side by side.
    .target(name: "X86Decode", swiftSettings: processorSettings),
    .target(name: "X86Float", swiftSettings: processorSettings),
    .target(name: "X86Core", swiftSettings: processorSettings),
    .target(name: "X86Integer", dependencies: ["X86Core", "X86Decode"], swiftSettings: processorSettings),
    .target(name: "X86Vector", dependencies: ["X86Core", "X86Decode", "X86Float"], swiftSettings: processorSettings),
    .target(name: "X86FPU", dependencies: ["X86Core", "X86Decode", "X86Float"], swiftSettings: processorSettings),
    .target(name: "X86System", dependencies: ["X86Core", "X86Decode"], swiftSettings: processorSettings),
    .target(
      name: "X86",
      dependencies: [
        "X86Core", "X86Decode", "X86Integer", "X86Vector", "X86FPU", "X86System",
      ], swiftSettings: processorSettings),

    .target(
      name: "PC", dependencies: ["X86", "X86Core", "CLZ4", "CLZMA", "CZlib", "CZstd"], swiftSettings: settings),
    // One function for processors with SHA instructions; its callers ask first.
    .target(
      name: "SHAInstructions",
      swiftSettings: settings + [
        .unsafeFlags(["-Xcc", "-msha", "-Xcc", "-msse4.1"]), .unsafeFlags(["-O"], .when(configuration: .debug)),
      ]),
    .target(name: "Trace", dependencies: ["CLZ4", "SHAInstructions"], swiftSettings: settings),
    .target(name: "Session", dependencies: ["PC", "Trace", "X86Core", "X86System"], swiftSettings: settings),
    .target(
      name: "Monitor",
      dependencies: [
        "Session", "Disassembly",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: settings),
    .target(name: "Manage", dependencies: ["Monitor", "Trace"], swiftSettings: settings),
    .target(
      name: "Debugger", dependencies: ["Session", "Monitor", "Disassembly", "PC", "X86Core", "X86System"],
      swiftSettings: settings),
    .target(name: "CoreDump", dependencies: ["X86Core", "X86System", "CZlib"], swiftSettings: settings),
    .target(name: "Disassembly", dependencies: ["CCapstone"], swiftSettings: settings),
    .target(name: "Forensics", dependencies: ["CoreDump", "X86Core", "X86System"], swiftSettings: settings),
    .target(name: "DiskImage", dependencies: ["CZlib"], swiftSettings: settings),
    .target(
      name: "InquestCLI",
      dependencies: [
        "Session", "Monitor", "Debugger", "Manage", "CoreDump", "Forensics", "Disassembly", "Trace", "PC", "DiskImage",
        "CZlib",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .executableTarget(name: "inquest", dependencies: ["InquestCLI"], swiftSettings: settings),

    .testTarget(name: "X86DecodeTests", dependencies: ["X86Decode"], swiftSettings: settings),
    .testTarget(name: "X86FloatTests", dependencies: ["X86Float"], swiftSettings: settings),
    .testTarget(name: "X86Tests", dependencies: ["X86"], swiftSettings: settings),
    .testTarget(name: "PCTests", dependencies: ["PC"], swiftSettings: settings),
    .testTarget(name: "TraceTests", dependencies: ["Trace"], swiftSettings: settings),
    .testTarget(name: "SessionTests", dependencies: ["Session"], swiftSettings: settings),
    .testTarget(name: "ManageTests", dependencies: ["Manage"], swiftSettings: settings),
    .testTarget(name: "MonitorTests", dependencies: ["Monitor"], swiftSettings: settings),
    .testTarget(
      name: "DebuggerTests", dependencies: ["Debugger", "Monitor", "Session", "X86Core", "X86System"],
      swiftSettings: settings),
    .testTarget(name: "ForensicsTests", dependencies: ["Forensics"], swiftSettings: settings),
    .testTarget(name: "CoreDumpTests", dependencies: ["CoreDump", "CZlib"], swiftSettings: settings),
    .testTarget(name: "DiskImageTests", dependencies: ["DiskImage"], swiftSettings: settings),
    .testTarget(name: "InquestTests", dependencies: ["InquestCLI"], swiftSettings: settings),
  ]
)

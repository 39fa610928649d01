// swift-tools-version: 6.1
import PackageDescription

// A package of its own: whoever builds inquest needs none of this.
let package = Package(
  name: "parts",
  platforms: [.macOS(.v13)],
  dependencies: [
    .package(name: "inquest", path: "../.."),
    // Without its counters of allocations: they need packages that not every mirror has.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "Parts",
      dependencies: [
        .product(name: "InquestParts", package: "inquest"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Benchmarks/Parts",
      swiftSettings: [.swiftLanguageMode(.v5)],
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
  ]
)

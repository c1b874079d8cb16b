// swift-tools-version: 6.2
import PackageDescription

// The two halves of Abacus in one package: the runtime for devices and the packer for the host.
//
// `swift build` makes the host half. With ABACUS_BOARD=<folder of Targets> in the environment, the
// package offers instead what that board links: the firmware and the static library, both in
// Embedded Swift (tools/build-library and `abacus emulate` set it; see Targets/README.md).

let board = Context.environment["ABACUS_BOARD"]

let runtimeSettings: [SwiftSetting] = [.strictMemorySafety()]

// 64-bit CPUs have inner loops for several sets of vector instructions, each in a module compiled for its set;
// a session chooses when it is opened. Microcontrollers know theirs when they are compiled (toolset.json).
var vectorSets: [String: [String]] = [:]
let isHost = board == nil || board == "linux"
#if arch(x86_64)
if isHost {
  vectorSets = [
    "AbacusAVX2": ["-mavx2"],
    "AbacusVNNI": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mbmi2"],
  ]
}
#elseif arch(arm64)
if isHost { vectorSets = ["AbacusSDOT": ["-march=armv8.2-a+dotprod"]] }
#endif
if board == "aarch64-virt" { vectorSets = ["AbacusSDOT": ["-march=armv8.2-a+dotprod"]] }

var products: [Product] = []
var dependencies: [Package.Dependency] = []
var targets: [Target] = [
  .target(name: "CAbacus"),
  .target(name: "AbacusFormat", swiftSettings: runtimeSettings),
  .target(
    name: "AbacusRuntime",
    dependencies: ["CAbacus", "AbacusFormat"] + vectorSets.keys.sorted().map { .target(name: $0) },
    swiftSettings: runtimeSettings),
  .target(name: "AbacusDispatch", dependencies: ["CAbacus", "AbacusFormat", "AbacusRuntime"], swiftSettings: runtimeSettings),
]

if !vectorSets.isEmpty {
  targets.append(.target(name: "AbacusVectors", dependencies: ["CAbacus"], swiftSettings: runtimeSettings))
}
for (name, features) in vectorSets.sorted(by: { $0.key < $1.key }) {
  targets.append(
    .target(
      name: name, dependencies: ["CAbacus", "AbacusVectors"],
      swiftSettings: runtimeSettings + [.unsafeFlags(features.flatMap { ["-Xcc", $0] })]))
}

if let board {
  products += [.library(name: "abacus", type: .static, targets: ["AbacusRuntime", "AbacusDispatch"])]
  // A host has its own startup and its own programs.
  if board != "linux" {
    let boards = "\(Context.packageDirectory)/Targets"
    targets += [
      .target(
        name: "Board", path: "Targets", exclude: ["common/sections.ld"],
        sources: ["common", "\(board)/startup.c"], publicHeadersPath: "common/include",
        cSettings: [.headerSearchPath("common")]),
      .executableTarget(
        name: "Firmware", dependencies: ["Board", "CAbacus", "AbacusRuntime", "AbacusDispatch"],
        path: "Targets/firmware", swiftSettings: runtimeSettings,
        linkerSettings: [
          .unsafeFlags([
            "-Xlinker", "-L\(boards)/common", "-Xlinker", "-T\(boards)/\(board)/linker.ld",
          ])
        ]),
    ]
  }
} else {
  products += [
    .executable(name: "abacus", targets: ["abacus"]),
    .library(name: "AbacusRuntime", targets: ["AbacusRuntime", "AbacusDispatch"]),
    .library(name: "AbacusPack", targets: ["AbacusPack"]),
  ]
  dependencies += [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.28.0"),
  ]
  targets += [
    .systemLibrary(name: "CImage", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(
      name: "AbacusPack",
      dependencies: [
        "AbacusFormat", "AbacusRuntime", "AbacusDispatch", "CImage",
        .product(name: "Collections", package: "swift-collections"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Import/ONNX.proto"]),
    .executableTarget(
      name: "abacus",
      dependencies: [
        "AbacusPack", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "onnx-node-tests",
      dependencies: [
        "AbacusPack", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      exclude: ["README.md"]),
    .target(name: "ToolSupport"),
    .executableTarget(
      name: "accuracy",
      dependencies: [
        "AbacusPack", "ToolSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "bench",
      dependencies: [
        "AbacusPack", "ToolSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(name: "AbacusFormatTests", dependencies: ["AbacusFormat"]),
    .testTarget(name: "AbacusRuntimeTests", dependencies: ["AbacusRuntime", "AbacusDispatch"]),
    .testTarget(name: "AbacusPackTests", dependencies: ["AbacusPack", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    .testTarget(name: "AbacusTests", dependencies: ["AbacusFormat", "AbacusPack"]),
    .testTarget(name: "BenchTests", dependencies: ["bench", "AbacusPack"]),
  ]
}

let package = Package(
  name: "abacus", products: products, dependencies: dependencies, targets: targets,
  swiftLanguageModes: [.v6])

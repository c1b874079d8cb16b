import AbacusFormat
import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// The same blob computes the same bytes on this machine and on every board.
@Suite(.serialized) struct BoardTests {
  static let boards = [
    "microbit", "mps2-an385", "mps2-an385-m0", "mps2-an386", "mps2-an500", "mps3-an547", "riscv32-virt",
    "aarch64-virt",
  ]

  /// Models that a board with 16 KB of RAM and 256 KB of flash has no room for.
  static let tooLarge: [String: Set<String>] = [
    "microbit": [
      "ad01_int8", "pretrainedResnet_quant", "vww_96_int8", "person_detect", "vit_int8", "vit_int8_tflm",
    ]
  ]

  /// The kernels of a model, for the board whose flash does not hold every kernel and the model.
  private static func kernels(_ blob: [UInt8], on board: String) throws -> [NeededKernel]? {
    board == "microbit" ? try BlobDescription(blob, name: board).neededKernels : nil
  }

  @Test(arguments: boards)
  func computesTheSameBytes(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    var random = SeededGenerator(state: 7)
    for model in ModelCase.available {
      let packed = try Packer.pack(try model.graph)
      let host = try Model(packed.blob)
      let samples = (0..<2).map { _ in
        host.inputs.map { input in (0..<input.byteCount).map { _ in UInt8.random(in: 0...255, using: &random) } }
      }
      let kernels = try Self.kernels(packed.blob, on: name)
      let fits = !(Self.tooLarge[name]?.contains(model.name) ?? false)
      guard fits else {
        let error = #expect(throws: PackError.self, "\(model.name)") {
          try emulator.run(blob: packed.blob, samples: samples, kernels: kernels)
        }
        #expect(error?.kind == .doesNotFit, "\(model.name)")
        continue
      }
      let result = try emulator.run(blob: packed.blob, samples: samples, kernels: kernels)
      #expect(result.outputs == (try samples.map { try host($0) }), "\(model.name)")
      #expect(result.stackBytes <= board.stackBytes, "\(model.name)")
      #expect(result.arenaBytes == packed.planned.plan.arenaBytes, "\(model.name)")
      #expect(result.runInstructions.count == 2 && result.runInstructions.allSatisfy { $0 > 0 })
    }
  }

  /// The same with weights in pairs or quads, on the cores that have loops for them.
  @Test(arguments: ["mps2-an386", "mps2-an500", "aarch64-virt"])
  func computesTheSameBytesInItsOwnOrder(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    var options = PackOptions()
    options.weightOrder = board.weightOrder
    var random = SeededGenerator(state: 8)
    for model in ModelCase.available {
      let host = try Model(try Packer.pack(try model.graph).blob)
      let sample = host.inputs.map { input in (0..<input.byteCount).map { _ in UInt8.random(in: 0...255, using: &random) } }
      let result = try emulator.run(
        blob: try Packer.pack(try model.graph, options: options).blob, samples: [sample])
      #expect(result.outputs == [try host(sample)], "\(model.name)")
      #expect(result.stackBytes <= board.stackBytes, "\(model.name)")
    }
  }

  /// Steps on a board: as many as the blob has, the same bytes, and about as many instructions as a run.
  @Test func measuresStepByStep() throws {
    let packed = try Packer.pack(try ModelCase.ours[0].graph)
    let host = try Model(packed.blob)
    let samples = (0..<2).map { sample in host.inputs.map { [UInt8](repeating: UInt8(sample * 40), count: $0.byteCount) } }
    let blob = try BlobDescription(packed.blob, name: "dscnn")
    let emulator = try Emulator(board: try Board.named("mps2-an386"))
    let whole = try emulator.run(blob: packed.blob, samples: samples, kernels: blob.neededKernels)
    let steps = try emulator.run(
      blob: packed.blob, samples: samples, kernels: blob.neededKernels, stepByStep: true)
    #expect(steps.outputs == whole.outputs)
    #expect(steps.outputs == (try samples.map { try host($0) }))
    #expect(whole.callInstructions == whole.runInstructions.map { [$0] })
    for (calls, run) in zip(steps.callInstructions, whole.runInstructions) {
      #expect(calls.count == blob.operatorOfEachStep.count)
      #expect(abs(calls.reduce(0, +) - run) < run / 100)
    }
  }

  /// A transformer in integers on every board, the one with 16 KB of RAM included.
  @Test(
    .enabled(if: ReleaseCommand.exists, ReleaseCommand.hint),
    .enabled(if: AccuracyTests.hasFashion, VisionTransformer.hint), arguments: boards)
  func classifiesWithATransformer(_ name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    try TestFolder.temporary { folder in
      try VisionTransformer.pack(to: "\(folder)/vit.abm")
      let blob = try readFile("\(folder)/vit.abm")
      let host = try Model(blob)
      let images = try VisionTransformer.images(3)
      let codes = images.bytes.map { $0 ^ 0x80 }
      let samples = (0..<3).map { [Array(codes[$0 * codes.count / 3..<($0 + 1) * codes.count / 3])] }
      let wanted = try samples.map { try host($0) }
      #expect(Set(wanted).count == 3 && wanted[0].map(\.count) == [20])
      // CPUs of 64 bits take more stack.
      let ram = emulator.board.is64Bit ? 20_480 : 16_384
      let result = try emulator.run(
        blob: blob, samples: samples, ramLimit: ram, kernels: try Self.kernels(blob, on: name))
      #expect(result.outputs == wanted)
      #expect(result.ramBytes <= ram)
      #expect(result.stackBytes <= emulator.board.stackBytes)
      #expect(result.arenaBytes == host.requirements.arenaBytes)
    }
  }
}

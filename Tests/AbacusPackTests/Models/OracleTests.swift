import Foundation
import Testing

@testable import AbacusPack

/// The runtime equals an independent interpreter, integer by integer and inside of models, too.
@Suite(.enabled(if: ReleaseCommand.exists, ReleaseCommand.hint), .enabled(if: Oracle.exists, Oracle.hint))
struct OracleTests {
  static let forms = [
    "refined": [], "int8 residual": ["--residual", "8"], "paper": ["--arithmetic", "paper"],
    "released": ["--arithmetic", "released"], "4 bits": ["--weight-bits", "4", "--group-size", "32"],
    "2 bits": ["--weight-bits", "2", "--group-size", "16", "--weight-grid", "offset"],
  ]

  @Test(.enabled(if: AccuracyTests.hasFashion, VisionTransformer.hint), arguments: forms.keys.sorted())
  func visionTransformer(form: String) throws {
    let options = try #require(Self.forms[form])
    try TestFolder.temporary { folder in
      try NumPyFile.write(try VisionTransformer.images(64), to: "\(folder)/in.npy")
      try VisionTransformer.pack(to: "\(folder)/open.abm", exposing: VisionTransformer.residuals, options)
      let outputs = try expectOracle("\(folder)/open.abm", "\(folder)/in.npy")
      #expect(outputs.map(\.shape) == [[64, 10]] + Array(repeating: [64, 50, 64], count: 6) + [[64, 1, 64], [64, 1, 64]])
      #expect(outputs.dropFirst().allSatisfy { $0.type == (form == "int8 residual" ? .int8 : .int16) })

      // To look inside changes nothing.
      try VisionTransformer.pack(to: "\(folder)/closed.abm", options)
      try ReleaseCommand.run(
        "run", "\(folder)/closed.abm", "--input", "\(folder)/in.npy", "--output-file", "\(folder)/closed.npy")
      #expect(try NumPyFile.read("\(folder)/closed.npy") == outputs[0])
    }
  }

  /// 64 tokens of one session, with what the caches hold from token to token.
  @Test func decoder() throws {
    try TestFolder.temporary { folder in
      let golden = try NumPyArchive(TestFolder.golden("models/shakespeare-llama/golden.npz"))
      let window = try golden.array("window").int32s()
      func write(_ tokens: ArraySlice<Int32>, _ shape: [Int], to name: String) throws {
        let bytes = tokens.flatMap(littleEndianBytes)
        try NumPyFile.write(try NumericArray(shape: shape, type: .int32, bytes: bytes), to: "\(folder)/\(name)")
      }
      try write(window[...], [1, window.count], to: "calibration.npy")
      try write(window.prefix(64), [64, 1, 1], to: "in.npy")
      let sums = (0..<5).flatMap { ["model.layers.\($0).sum1", "model.layers.\($0).sum2"] }
      try ReleaseCommand.run(
        [
          "pack", TestFolder.golden("models/shakespeare-llama"), "--calibrate", "\(folder)/calibration.npy",
          "--context", "64", "-o", "\(folder)/model.abm",
        ] + sums.flatMap { ["--expose", $0] })
      let outputs = try expectOracle("\(folder)/model.abm", "\(folder)/in.npy")
      #expect(outputs.map(\.shape) == [[64, 1, 65]] + Array(repeating: [64, 1, 64], count: 10))
    }
  }

  @Test(.enabled(if: AccuracyTests.hasFashion, VisionTransformer.hint), arguments: ModelCase.ours)
  func convolutions(model: ModelCase) throws {
    try TestFolder.temporary { folder in
      try NumPyFile.write(try VisionTransformer.images(64), to: "\(folder)/in.npy")
      try ReleaseCommand.run("pack", try model.path, "-o", "\(folder)/model.abm")
      let outputs = try expectOracle("\(folder)/model.abm", "\(folder)/in.npy")
      #expect(outputs.map(\.shape) == [[64, 10]])
    }
  }

  /// The interpreter itself computes the golden vectors, and every operator of rows in a loop.
  @Test func goldenVectors() throws {
    let programs =
      try GoldenAttentionTests.programs.get() + GoldenTransformerTests.programs.get() + NormalizeTests.variances()
      + [RowChain(rows: 5, unitsInLoop: 2).program] + CodedWeightsTests.projections + CodedWeightsTests.convolutions
    for program in programs {
      try TestFolder.temporary { folder in
        try Data(try program.hand.blob()).write(to: URL(filePath: "\(folder)/model.abm"))
        var arguments = ["\(folder)/model.abm"]
        for (index, bytes) in program.sample.enumerated() {
          let type = try #require(DataType(rawValue: "\(program.hand.program.tensors[program.hand.program.inputs[index]].type)"))
          arguments.append("\(folder)/in-\(index).npy")
          try NumPyFile.write(
            try NumericArray(shape: [1, bytes.count / type.bytes], type: type, bytes: bytes), to: arguments[index + 1])
        }
        try Oracle.run("oracle.py", arguments + ["--output", "\(folder)/oracle"])
        program.expect(try Oracle.outputs("\(folder)/oracle").map(\.bytes))
      }
    }
  }

  /// The prototype of the whole transformer, older than packer and runtime, with the packed parameters.
  @Test(
    .enabled(if: AccuracyTests.hasFashion, VisionTransformer.hint),
    .enabled(if: TestFolder.shared != nil, "the prototype is not here"))
  func prototype() throws {
    let shared = try #require(TestFolder.shared)
    try TestFolder.temporary { folder in
      try NumPyFile.write(try VisionTransformer.images(64), to: "\(folder)/in.npy")
      try VisionTransformer.pack(to: "\(folder)/open.abm", exposing: VisionTransformer.residuals)
      try ReleaseCommand.run(
        "run", "\(folder)/open.abm", "--input", "\(folder)/in.npy", "--output-folder", "\(folder)/runtime")
      try Oracle.run(
        "oracle_prototype.py", [shared, "\(folder)/open.abm", "\(folder)/in.npy", "\(folder)/prototype"])
      let outputs = try Oracle.outputs("\(folder)/runtime")
      #expect(outputs.count == 1 + 2 * VisionTransformer.blocks)
      #expect(try Oracle.outputs("\(folder)/prototype") == outputs)
    }
  }

  /// Runs a blob here and by the oracle; returns the outputs, which must be equal.
  private func expectOracle(
    _ blob: String, _ input: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [NumericArray] {
    let (runtime, oracle) = (blob + ".runtime", blob + ".oracle")
    try ReleaseCommand.run("run", blob, "--input", input, "--output-folder", runtime)
    try Oracle.run("oracle.py", [blob, input, "--output", oracle])
    let outputs = try Oracle.outputs(runtime)
    let wanted = try Oracle.outputs(oracle)
    #expect(outputs.count == wanted.count, sourceLocation: sourceLocation)
    for (index, pair) in zip(outputs, wanted).enumerated() {
      #expect(pair.0 == pair.1, "output \(index)", sourceLocation: sourceLocation)
      // Outputs that are all alike would prove nothing.
      #expect(Set(try pair.0.int32s()).count > 10, "output \(index)", sourceLocation: sourceLocation)
    }
    return outputs
  }
}

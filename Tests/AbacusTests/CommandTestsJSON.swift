import AbacusPack
import Foundation
import Testing

/// `--json`: the fields that scripts rely on, and what they say of each other.
@Suite struct CommandTestsJSON {
  private struct Summary: Decodable {
    var output: String
    var blobBytes, arenaBytes, arenaLowerBound, stackBytes, operators, inPlaceOperators, multiplyAccumulates: Int
    var arenaIsOptimal: Bool
  }

  private struct Inspection: Decodable {
    struct Operator: Decodable {
      var index: Int
      var opcode: String
      var operands: [Int]
      var units, unitsPerStep: Int
    }
    struct Tensor: Decodable {
      var index: Int
      var name, type, placement: String
      var shape: [Int]
      var offset, bytes: Int
      var scale: Double?
      var zeroPoint, firstOperator, lastOperator: Int?
    }
    var formatVersion, blobBytes, arenaBytes, stackBytes, multiplyAccumulates, constantBytes: Int
    var packedBy: String
    var inputs, outputs: [Int]
    var labels: [String]
    var operators: [Operator]
    var tensors: [Tensor]
  }

  private struct Bound: Decodable {
    var `operator`, bound: Int
    var opcode: String
    var headroomBits: Double
  }

  private struct Output: Decodable {
    var name: String
    var shape, codes: [Int]
    var values: [Double]
    var top: Int
    var label: String?
  }

  private struct Comparison: Decodable {
    var name: String
    var samples, values, largest, sameTop: Int
    var mean: Double
    var histogram: [String: Int]
  }

  private struct Emulation: Decodable {
    var board: String
    var flashBytes, ramBytes, arenaBytes, stackBytes, openInstructions: Int
    var runInstructions: [Int]
    var outputs: [[Output]]
  }

  private func answer<Value: Decodable>(_ bench: CommandBench, _ arguments: [String]) throws -> Value {
    let outcome = try bench.run(arguments)
    try #require(outcome.succeeded && outcome.errors == "", "\(outcome.report)")
    return try JSONDecoder().decode(Value.self, from: Data(outcome.output.utf8))
  }

  @Test func packAndInspect() throws {
    try CommandBench.use { bench in
      let summary: Summary = try answer(bench, ["pack", CommandBench.classifier, "-o", "new.abm", "--json"])
      #expect(summary.output == "new.abm")
      #expect(try summary.blobBytes == bench.bytes("new.abm").count)
      #expect(summary.arenaIsOptimal && summary.arenaLowerBound == summary.arenaBytes && summary.stackBytes > 0)
      #expect(summary.inPlaceOperators <= summary.operators)

      let inspection: Inspection = try answer(bench, ["inspect", "new.abm", "--json"])
      #expect(inspection.formatVersion >= 1 && inspection.packedBy.split(separator: ".").count == 3)
      #expect(inspection.blobBytes == summary.blobBytes && inspection.arenaBytes == summary.arenaBytes)
      #expect(inspection.stackBytes == summary.stackBytes)
      #expect(inspection.multiplyAccumulates == summary.multiplyAccumulates && summary.multiplyAccumulates > 0)
      #expect(inspection.operators.map(\.index) == Array(0..<summary.operators))
      #expect(inspection.operators.first?.opcode == "convolution" && inspection.operators.last?.opcode == "softmax")
      #expect(inspection.operators.allSatisfy { $0.unitsPerStep > 0 && $0.units >= $0.unitsPerStep })
      #expect(inspection.constantBytes > 0 && inspection.constantBytes < inspection.blobBytes)
      #expect(inspection.labels.isEmpty)
      let labelled: Inspection = try answer(bench, ["inspect", "model.abm", "--json"])
      #expect(labelled.labels.count == 10 && labelled.labels.last == "Ankle boot")

      let tensors = inspection.tensors
      #expect(tensors.map(\.index) == Array(tensors.indices))
      let valid = Array(tensors.indices) + [-1]
      #expect(inspection.operators.allSatisfy { $0.operands.allSatisfy(valid.contains) })
      let input = tensors[try #require(inspection.inputs.first)]
      let output = tensors[try #require(inspection.outputs.first)]
      #expect(input.name == "input" && input.shape == [1, 28, 28, 1] && input.type == "int8" && input.bytes == 784)
      #expect(output.name == "Identity" && output.shape == [1, 10])
      #expect(output.zeroPoint == -128 && output.scale == 1.0 / 256)
      let inArena = tensors.filter { $0.firstOperator != nil && $0.placement == input.placement }
      #expect(inArena.count > summary.operators / 2)
      #expect(inArena.map { $0.offset + $0.bytes }.max() ?? .max <= summary.arenaBytes)
      #expect(inArena.allSatisfy { $0.firstOperator! <= $0.lastOperator ?? -1 })
    }
  }

  @Test func bounds() throws {
    try CommandBench.use { bench in
      let bounds: [Bound] = try answer(bench, ["inspect", "model.abm", "--bounds", "--json"])
      #expect(bounds.contains { $0.opcode == "fully_connected" })
      #expect(bounds.map(\.operator) == bounds.map(\.operator).sorted())
      for row in bounds {
        // A softmax sums without a sign.
        let bits = row.opcode == "softmax" ? 32.0 : 31.0
        #expect(row.bound > 0 && row.headroomBits >= 0)
        #expect(abs(bits - log2(Double(row.bound)) - row.headroomBits) < 1e-6, "\(row)")
      }
    }
  }

  @Test func runAndEmulate() throws {
    try CommandBench.use { bench in
      let inputs = ["--json", "--input", CommandBench.photos[1], CommandBench.photos[9]]
      let samples: [[Output]] = try answer(bench, ["run", "model.abm"] + inputs)
      #expect(samples.map { $0.map(\.label) } == [["Trouser"], ["Ankle boot"]])
      for output in samples.joined() {
        #expect(output.name == "Identity" && output.shape == [1, 10] && output.codes.count == 10)
        #expect(output.codes.max() == output.codes[output.top])
        #expect(output.values == output.codes.map { Double($0 + 128) / 256 })
      }
      // JSON it stays, whatever else is asked for.
      let shown: [[Output]] = try answer(bench, ["run", "model.abm", "--show"] + inputs)
      #expect(shown.map { $0.map(\.codes) } == samples.map { $0.map(\.codes) })

      let emulation: Emulation = try answer(bench, ["emulate", "model.abm", "--board", "mps2-an386"] + inputs)
      #expect(emulation.board == "mps2-an386" && emulation.runInstructions.count == 2)
      #expect(emulation.outputs.map { $0.map(\.codes) } == samples.map { $0.map(\.codes) })
      #expect(emulation.outputs.map { $0.map(\.label) } == samples.map { $0.map(\.label) })
      #expect(try emulation.flashBytes > bench.bytes("model.abm").count)
      #expect(emulation.ramBytes >= emulation.arenaBytes + emulation.stackBytes && emulation.stackBytes > 0)
      #expect(emulation.openInstructions > 0)
      #expect(emulation.runInstructions.allSatisfy { $0 > emulation.openInstructions })
      // Nothing of ours is left (the compiler, where the firmware had to be built, may leave something).
      let left = try FileManager.default.contentsOfDirectory(atPath: bench.folder.path(of: "temporary"))
      #expect(!left.contains { $0.hasPrefix("abacus-") }, "\(left)")
    }
  }

  @Test func compare() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("run", "model.abm", "--output-file", "out.npy", "--input", CommandBench.photos[3])
      let comparisons: [Comparison] = try answer(
        bench, ["compare", "model.abm", "--json", "--expected", "out.npy", "--input", CommandBench.photos[3]])
      let only = try #require(comparisons.first)
      #expect(comparisons.count == 1 && only.name == "Identity" && only.samples == 1 && only.values == 10)
      #expect(only.mean == 0 && only.largest == 0 && only.sameTop == 1 && only.histogram == ["0": 10])
    }
  }
}

import AbacusFormat
import Foundation
import Testing

@testable import AbacusPack

/// The cases of a file of golden vectors.
func goldenCases<Case: Decodable>(_ name: String, _: Case.Type = Case.self) throws -> [Case] {
  let data = try Data(contentsOf: URL(filePath: TestFolder.golden("vectors/\(name).json")))
  return try JSONDecoder().decode(GoldenFile<Case>.self, from: data).cases
}

private struct GoldenFile<Case: Decodable>: Decodable {
  let cases: [Case]
}

/// A dyadic multiplier of a vector.
struct GoldenMultiplier: Decodable, Equatable {
  let m: Int32
  let s: Int32
}

/// Many golden cases in one blob, so that a board computes all of them in one start: each case adds
/// its own inputs, steps and outputs.
struct GoldenProgram: Sendable, CustomTestStringConvertible {
  let name: String
  var hand = HandProgram()
  /// Codes of each input.
  private var inputs: [[Int]] = []
  /// What each output should be, and of which case.
  private(set) var expected: [(label: String, codes: [Int])] = []

  var testDescription: String { name }

  init(_ name: String) { self.name = name }

  mutating func input(_ shape: [Int], _ type: ElementType, _ codes: [Int]) -> Program.TensorIndex {
    inputs.append(codes)
    return hand.input(shape, type)
  }

  /// An output and what it should be.
  mutating func output(
    _ shape: [Int], _ type: ElementType, _ codes: [Int], _ label: String
  ) -> Program.TensorIndex {
    expected.append((label, codes))
    return hand.output(shape, type)
  }

  mutating func words(_ shape: [Int], _ values: [Int], _ type: ElementType = .int32) -> Program.TensorIndex {
    hand.constant(shape, type, type.bytes(of: values))
  }

  mutating func step<Parameters: BitwiseCopyable>(
    _ opcode: Opcode, variant: UInt8 = 0, _ operands: [Int: Program.TensorIndex],
    _ parameters: Parameters, units: Int
  ) {
    hand.step(opcode, variant: variant, operands, parameters, units: units)
  }

  /// Bytes of all inputs and outputs.
  var boundaryBytes: Int {
    (hand.program.inputs + hand.program.outputs).reduce(0) { $0 + hand.program.tensors[$1].byteCount }
  }

  /// Bytes of the inputs of one run.
  var sample: [[UInt8]] {
    zip(hand.program.inputs, inputs).map { hand.program.tensors[$0].type.bytes(of: $1) }
  }

  /// Compares the bytes of the outputs of one run.
  func expect(_ outputs: [[UInt8]], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(outputs.count == expected.count && !expected.isEmpty, sourceLocation: sourceLocation)
    for (index, tensor) in hand.program.outputs.enumerated() where index < outputs.count {
      let codes = hand.program.tensors[tensor].type.codes(of: outputs[index])
      #expect(codes == expected[index].codes, "\(name): \(expected[index].label)", sourceLocation: sourceLocation)
    }
  }
}

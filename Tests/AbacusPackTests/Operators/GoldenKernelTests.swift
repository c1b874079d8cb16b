import AbacusFormat
import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// The golden vectors once more, through kernels in blobs that are put together by hand.
@Suite struct GoldenKernelTests {
  private struct File<Case: Decodable>: Decodable {
    let cases: [Case]
  }

  private func cases<Case: Decodable>(_ name: String, _: Case.Type) throws -> [Case] {
    let data = try Data(contentsOf: URL(filePath: TestFolder.golden("vectors/\(name).json")))
    return try JSONDecoder().decode(File<Case>.self, from: data).cases
  }

  private struct LinearCase: Decodable {
    let name: String
    let x: [[Int]]
    let w: [[Int]]
    let bias: [Int]
    let m: [Int]
    let s: [Int]
    let y: [[Int]]
  }

  /// - Parameter blocks: rows and columns of the weight layout.
  private func layer(_ golden: LinearCase, blocks: (rows: Int, columns: Int)) throws -> [Int] {
    let (rows, depth, channels) = (golden.x.count, golden.x[0].count, golden.w.count)
    var program = HandProgram()
    let input = program.input([rows, depth])
    let output = program.output([rows, channels])
    let weights = program.constant(
      [channels, depth], .int8,
      blockedLayout(
        golden.w.flatMap { $0 }, rows: channels, blockRows: blocks.rows, blockColumns: blocks.columns))
    if blocks != (1, 1) {
      program.program.tensors[weights].layout = .blocked
      program.program.tensors[weights].blockRows = blocks.rows
      program.program.tensors[weights].blockColumns = blocks.columns
    }
    let pairs = zip(golden.bias, golden.m).flatMap { [$0, $1] }
    program.step(
      .fullyConnected,
      [
        Operands.input: input, Operands.output: output, Operands.weights: weights,
        Operands.channels: program.constant([channels, 2], .int32, ElementType.int32.bytes(of: pairs)),
        Operands.shifts: program.constant([channels], .uint8, golden.s.map { UInt8($0) }),
      ],
      FullyConnectedParameters(stage: OutputStage(shift: 1, zeroPoint: 0, low: -128, high: 127)),
      units: rows)
    return try program.run([golden.x.flatMap { $0 }])[0]
  }

  @Test func linearLayers() throws {
    let all = try cases("linear", LinearCase.self)
    #expect(all.count == 4)
    for golden in all {
      for rows in [1, 2, 4] {
        for columns in [1, 4, 16] {
          #expect(
            try layer(golden, blocks: (rows, columns)) == golden.y.flatMap { $0 },
            "\(golden.name), \(rows) x \(columns)")
        }
      }
    }
  }

  private struct SoftmaxCase: Decodable {
    struct Parameters: Decodable {
      let m, s: Int32
    }
    let name: String
    let params: Parameters
    let x: [[Int]]
    let q15: [[Int]]
    let i8: [[Int]]
  }

  @Test(arguments: [false, true])
  func softmaxRows(withTable: Bool) throws {
    let narrow = try cases("softmax", SoftmaxCase.self).filter { golden in
      golden.x.allSatisfy { $0.allSatisfy((-128...127).contains) }
    }
    #expect(narrow.count == 40)
    for golden in narrow {
      let (rows, length) = (golden.x.count, golden.x[0].count)
      for (type, expected) in [(ElementType.int8, golden.i8), (.int16, golden.q15)] {
        var program = HandProgram()
        var operands = [
          Operands.input: program.input([rows, length]),
          Operands.output: program.output([rows, length], type),
        ]
        if withTable {
          let exponentials = (Int32(0)..<256).map {
            Int(exponentQ20(exponentArgument($0, multiplier: golden.params.m, shift: golden.params.s)))
          }
          operands[Operands.weights] = program.constant(
            [256], .int32, ElementType.int32.bytes(of: exponentials))
        }
        program.step(
          .softmax, operands,
          SoftmaxParameters(
            rowLength: UInt32(length), multiplier: golden.params.m, shift: golden.params.s), units: rows)
        #expect(try program.run([golden.x.flatMap { $0 }])[0] == expected.flatMap { $0 }, "\(golden.name)")
      }
    }
  }

  private struct AddCase: Decodable {
    struct Parameters: Decodable {
      let ma, mb, s: Int32
    }
    let name: String
    let params: Parameters
    let a: [Int]
    let b: [Int]
    let y: [Int]
  }

  /// The cases of eight bits; the kernel's output is clamped to as many.
  @Test func sums() throws {
    let narrow = try cases("add2", AddCase.self).filter { golden in
      (golden.a + golden.b).allSatisfy((-128...127).contains)
    }
    #expect(!narrow.isEmpty)
    for golden in narrow {
      var program = HandProgram()
      var parameters = BinaryParameters(
        stage: OutputStage(shift: golden.params.s, zeroPoint: 0, low: -128, high: 127))
      parameters.dims[5] = UInt32(golden.a.count)
      parameters.strideA[5] = 1
      parameters.strideB[5] = 1
      parameters.multiplierA = golden.params.ma
      parameters.multiplierB = golden.params.mb
      program.step(
        .add,
        [
          Operands.input: program.input([golden.a.count]), Operands.second: program.input([golden.a.count]),
          Operands.output: program.output([golden.a.count]),
        ], parameters, units: 1)
      #expect(try program.run([golden.a, golden.b])[0] == golden.y.map { min(max($0, -128), 127) })
    }
  }
}

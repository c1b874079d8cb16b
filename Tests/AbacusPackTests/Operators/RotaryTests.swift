import AbacusFormat
import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// Rotary embedding against its definition in plain `Int`, and against rotations of real numbers.
@Suite struct RotaryTests {
  private struct Case {
    var input = ElementType.int8
    var output = ElementType.int8
    var isInterleaved = false
    var position: Int?
    var rows = 5
    var heads = 3
    var depth = 6
    var positions = 12
    var zeroPoint = 0

    /// Elements of pair `pair` of a head.
    func pair(_ pair: Int) -> (Int, Int) {
      isInterleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + depth / 2)
    }

    func entry(_ row: Int) -> Int { min(max(position ?? 0, 0) + row, positions - 1) }
  }

  private struct Numbers {
    let codes, table: [Int]
    let scales: [Dyadic]

    init(_ test: Case) {
      var random = SeededGenerator(state: UInt64(test.depth * 31 + test.rows))
      codes = (0..<test.rows * test.heads * test.depth).map { _ in
        Int.random(in: test.input.codeRange, using: &random)
      }
      table = (0..<test.positions * test.depth / 2).flatMap { index -> [Int] in
        let angle = Double(index / (test.depth / 2)) * pow(100, -Double(index % (test.depth / 2)) / 3)
        return [Int((cos(angle) * 16384).rounded()), Int((sin(angle) * 16384).rounded())]
      }
      // Codes of the output over most of its range.
      let width = test.output == test.input ? 0.7 : test.output == .int16 ? 180 : 0.7 / 256
      scales = (0..<test.heads).map { Dyadic(width * (1 - 0.1 * Double($0)) / 16384) }
    }
  }

  private func program(_ test: Case, _ numbers: Numbers) -> HandProgram {
    var program = HandProgram()
    let shape = [test.rows, test.heads * test.depth]
    var operands = [
      Operands.input: program.input(shape, test.input), Operands.output: program.output(shape, test.output),
      Operands.weights: program.constant(
        [test.positions, test.depth / 2, 2], .int16, codes: numbers.table),
      Operands.channels: program.constant(
        [test.heads, 2], .int32, codes: numbers.scales.flatMap { [Int($0.multiplier), Int($0.shift)] }),
    ]
    if let position = test.position { operands[Operands.position] = program.position(position) }
    program.step(
      .rotary, operands,
      RotaryParameters(
        stage: OutputStage(test.output, zeroPoint: test.zeroPoint), heads: UInt32(test.heads),
        depth: UInt32(test.depth), positions: UInt32(test.positions), isInterleaved: test.isInterleaved),
      units: test.rows)
    return program
  }

  private func expected(_ test: Case, _ numbers: Numbers) -> [Int] {
    var result = numbers.codes
    for row in 0..<test.rows {
      for head in 0..<test.heads {
        let start = (row * test.heads + head) * test.depth
        let scale = numbers.scales[head]
        for pair in 0..<test.depth / 2 {
          let (i, j) = test.pair(pair)
          let entry = (test.entry(row) * test.depth / 2 + pair) * 2
          let (x, y) = (numbers.codes[start + i], numbers.codes[start + j])
          let (cosine, sine) = (numbers.table[entry], numbers.table[entry + 1])
          for (index, sum) in [(i, x * cosine - y * sine), (j, x * sine + y * cosine)] {
            result[start + index] = AttentionReference.finish(
              AttentionReference.requantize(sum, Int(scale.multiplier), Int(scale.shift)),
              OutputStage(test.output, zeroPoint: test.zeroPoint))
          }
        }
      }
    }
    return result
  }

  private func check(_ test: Case, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let numbers = Numbers(test)
    #expect(
      try program(test, numbers).run([numbers.codes]) == [expected(test, numbers)], "\(test)",
      sourceLocation: sourceLocation)
  }

  @Test(arguments: [ElementType.int8, .int16], [ElementType.int8, .int16])
  func widths(input: ElementType, output: ElementType) throws {
    for isInterleaved in [false, true] {
      for depth in [2, 4, 6, 16] {
        try check(Case(input: input, output: output, isInterleaved: isInterleaved, depth: depth))
      }
    }
  }

  /// Rows behind the last entry of the table read the last.
  @Test func positions() throws {
    for position in [-5, 0, 1, 9, 10, 11, 12, 32767] { try check(Case(position: position)) }
    try check(Case(rows: 5, positions: 3, zeroPoint: 4))
    try check(Case(rows: 1, heads: 1, depth: 2, positions: 1))
  }

  /// Within half a step of a rotation, and what a table of 15 bits may lose.
  @Test(arguments: [false, true])
  func rotates(isInterleaved: Bool) throws {
    let test = Case(output: .int16, isInterleaved: isInterleaved, position: 2)
    let numbers = Numbers(test)
    let codes = try program(test, numbers).run([numbers.codes])[0]
    for row in 0..<test.rows {
      for head in 0..<test.heads {
        let start = (row * test.heads + head) * test.depth
        let scale = numbers.scales[head]
        let factor = Double(scale.multiplier) * pow(2, 14 - Double(scale.shift))
        for pair in 0..<test.depth / 2 {
          let (i, j) = test.pair(pair)
          let angle = Double(row + 2) * pow(100, -Double(pair) / 3)
          let (x, y) = (Double(numbers.codes[start + i]), Double(numbers.codes[start + j]))
          let tolerance = 0.5 + 128 * factor / 16384
          #expect(abs(Double(codes[start + i]) - factor * (x * cos(angle) - y * sin(angle))) <= tolerance)
          #expect(abs(Double(codes[start + j]) - factor * (x * sin(angle) + y * cos(angle))) <= tolerance)
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func inPlace(isInterleaved: Bool) throws {
    for type in [ElementType.int8, .int16] {
      let test = Case(input: type, output: type, isInterleaved: isInterleaved)
      let numbers = Numbers(test)
      var program = program(test, numbers)
      let input = program.program.inputs[0]
      program.program.tensors[program.program.outputs[0]].storage = program.program.tensors[input].storage
      #expect(try program.run([numbers.codes]) == [expected(test, numbers)])
    }
  }

  @Test func loops() throws {
    let test = Case(position: 1, rows: 7)
    let numbers = Numbers(test)
    var program = program(test, numbers)
    program.surroundFirstStep(units: test.rows)
    let shares: Set<Int> = [Operands.input, Operands.output]
    let codes = try program.runInLoops([numbers.codes], rowSlots: [shares, shares, shares])
    #expect(codes == [expected(test, numbers)])
  }
}

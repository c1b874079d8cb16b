import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Activations of every width, table and variant against plain integers.
@Suite struct ActivationTests {
  private struct TableCase: Decodable {
    let name: String
    let table: [Int]?
  }

  private func tables() throws -> [String: [Int]] {
    Dictionary(
      uniqueKeysWithValues: try goldenCases("activation", TableCase.self).compactMap { golden in
        golden.table.map { (golden.name, $0) }
      })
  }

  /// The packer's tables are those of the vectors.
  @Test func tablesOfThePacker() throws {
    let golden = try tables()
    let functions: [(String, UnaryFunction)] = [
      ("gelu", .gelu(approximate: false)), ("gelu_tanh", .gelu(approximate: true)), ("quick_gelu", .quickGelu),
      ("silu", .silu),
    ]
    #expect(golden.count == functions.count)
    for (name, function) in functions {
      #expect(ActivationCurve(function)?.table.map { Int($0) } == golden["table \(name)"], "\(name)")
    }
    #expect(ActivationCurve(.tanh) == nil)
  }

  /// Every number on the grid, for every table.
  @Test func everyArgument() throws {
    let short = [[0, 1], [5, -5, 32767], Array(-512...512)]
    for table in try tables().values + short {
      let entries = table.map { Int16($0) }
      let matches = (-32767...32767).allSatisfy { x in
        Int(activationCurve(Int32(x), last: table.count - 1) { entries[$0] }) == IntegerReference.curve(x, table)
      }
      #expect(matches, "table of \(table.count)")
    }
  }

  @Test func everyWidth() throws {
    var random = RandomCodes(seed: 40)
    let all = Array(try tables().sorted { $0.key < $1.key }.map(\.value)) + [[0, 3], Array(-512...512)]
    for table in all {
      var program = GoldenProgram("curves")
      for input in [ElementType.int8, .int16] {
        for output in [ElementType.int8, .int16] {
          for shift in [0, random.number(20...34)] {
            let codes = input == .int8 ? Array(-128...127) : random.codes(96, input)
            var p = ActivationParameters(
              stage: random.stage(output, shift: random.number(33...44)),
              multiplier: Int32(random.number(1 << 30...Int(Int32.max))), rowLength: UInt32(codes.count / 2))
            p.inputZeroPoint = input == .int8 ? Int32(random.number(-128...127)) : 0
            p.inputMultiplier = Int32(random.number(1 << 30...Int(Int32.max)))
            p.inputShift = Int32(shift)
            let wanted = IntegerReference.activate(codes, table: table, p)
            program.step(
              .activation,
              [
                Operands.input: program.input([2, codes.count / 2], input, codes),
                Operands.output: program.output([2, codes.count / 2], output, wanted, "\(input) to \(output)"),
                Operands.weights: program.words([table.count], table, .int16),
              ], p, units: 2)
          }
        }
      }
      program.expect(try Model(try program.hand.blob())(program.sample))
    }
  }

  @Test func paper() throws {
    var random = RandomCodes(seed: 41)
    for length in [1, 2, 5, 64] {
      var program = GoldenProgram("ShiftGELU")
      for round in 0..<16 {
        let (input, output) = (random.pick([ElementType.int8, .int16]), random.pick([ElementType.int8, .int16]))
        let rows = [random.codes(length, input), random.codes(length, input).map { min($0, -$0, -1) }]
        var p = ActivationParameters(
          stage: random.stage(output, shift: random.number(30...44)),
          multiplier: Int32(random.number(1 << 30...Int(Int32.max))), rowLength: UInt32(length))
        p.inputZeroPoint = input == .int8 ? Int32(random.number(-20...20)) : 0
        p.exponent = ShiftExponentParameters(
          unit: Int32(random.pick([1, 2, 10, 16, 1000, 1 << 24])), octaves: Int32(random.pick([1, 15, 23, 30])),
          quotientBits: Int32(random.pick([2, 8, 16])), keepsHalfBit: round % 2 == 1)
        p.isScaled = UInt32(round / 2 % 2)
        let wanted = rows.flatMap { IntegerReference.activatePaper($0, p) }
        program.step(
          .activation, variant: ActivationVariant.paper.rawValue,
          [
            Operands.input: program.input([2, length], input, rows.flatMap { $0 }),
            Operands.output: program.output([2, length], output, wanted, "\(p)"),
          ], p, units: 2)
      }
      program.expect(try Model(try program.hand.blob())(program.sample))
    }
  }
}

import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Sums and products of tensors of any width against their definition in plain `Int`.
@Suite struct WideBinaryTests {
  private struct Case {
    var opcode = Opcode.addWide
    var variant = AddWideVariant.sum
    var a = ElementType.int16
    var b = ElementType.int8
    var output = ElementType.int16
    var dims = [1, 1, 1, 1, 3, 5]
    var strideA = [0, 0, 0, 0, 5, 1]
    var strideB = [0, 0, 0, 0, 5, 1]
    var zeroPointA = 0
    var zeroPointB = 0
    var zeroPoint = 0

    func elements(_ strides: [Int]) -> Int { zip(dims, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 } }
  }

  /// Codes of both inputs, and multipliers that spread the results over the output.
  private struct Numbers {
    var a, b: [Int]
    var parameters: BinaryParameters

    init(_ test: Case, seed: UInt64) {
      var random = SeededGenerator(state: seed)
      func codes(_ count: Int, _ type: ElementType) -> [Int] {
        let range = type.codeRange
        return (0..<count).map { _ in
          [range.lowerBound, range.upperBound, Int.random(in: range, using: &random), Int.random(in: range, using: &random)]
            .randomElement(using: &random)!
        }
      }
      a = codes(test.elements(test.strideA), test.a)
      b = codes(test.elements(test.strideB), test.b)
      parameters = BinaryParameters(stage: OutputStage(test.output, zeroPoint: test.zeroPoint))
      for dimension in 0..<6 {
        parameters.dims[dimension] = UInt32(test.dims[dimension])
        parameters.strideA[dimension] = UInt32(test.strideA[dimension])
        parameters.strideB[dimension] = UInt32(test.strideB[dimension])
      }
      parameters.zeroPointA = Int32(test.zeroPointA)
      parameters.zeroPointB = Int32(test.zeroPointB)
      func ratio(_ bits: Int) -> Double {
        Double.random(in: 0.2...1.1, using: &random) * Double(sign: .plus, exponent: Int(test.output.bits) - bits, significand: 1)
      }
      let (bitsA, bitsB) = (Int(test.a.bits), Int(test.b.bits))
      if test.opcode == .multiplyWide {
        let dyadic = Dyadic(ratio(bitsA + bitsB - 1))
        (parameters.multiplierA, parameters.stage.shift) = (dyadic.multiplier, dyadic.shift)
      } else if test.variant == .paper {
        let (first, second) = (Dyadic(ratio(bitsA)), Dyadic(-ratio(bitsB)))
        (parameters.multiplierA, parameters.innerShift) = (first.multiplier, first.shift)
        (parameters.multiplierB, parameters.stage.shift) = (second.multiplier, second.shift)
      } else {
        let shared = SharedShift([ratio(bitsA), -ratio(bitsB)], bits: 30)
        (parameters.multiplierA, parameters.multiplierB) = (shared.multipliers[0], shared.multipliers[1])
        parameters.stage.shift = shared.shift
      }
    }

    func expected(_ test: Case) -> [Int] {
      let p = parameters
      let (mA, mB) = (Int(p.multiplierA), Int(p.multiplierB))
      return (0..<test.dims.reduce(1, *)).map { index in
        var (rest, i, j) = (index, 0, 0)
        for dimension in (0..<6).reversed() {
          i += rest % test.dims[dimension] * test.strideA[dimension]
          j += rest % test.dims[dimension] * test.strideB[dimension]
          rest /= test.dims[dimension]
        }
        let (x, y) = (a[i] - test.zeroPointA, b[j] - test.zeroPointB)
        let value: Int
        if test.opcode == .multiplyWide {
          value = AttentionReference.requantize(x * y, mA, Int(p.stage.shift))
        } else if test.variant == .paper {
          value =
            Self.saturated(AttentionReference.requantize(x, mA, Int(p.innerShift)))
            + Self.saturated(AttentionReference.requantize(y, mB, Int(p.stage.shift)))
        } else {
          value = (x * mA + y * mB + 1 << (p.stage.shift - 1)) >> Int(p.stage.shift)
        }
        return AttentionReference.finish(Self.saturated(value), p.stage)
      }
    }

    private static func saturated(_ value: Int) -> Int { Int(Int32(clamping: value)) }

    func program(_ test: Case) -> HandProgram {
      var program = HandProgram()
      program.step(
        test.opcode, variant: test.opcode == .addWide ? test.variant.rawValue : 0,
        [
          Operands.input: program.input([a.count], test.a), Operands.second: program.input([b.count], test.b),
          Operands.output: program.output(test.dims, test.output),
        ], parameters, units: test.dims.dropLast().reduce(1, *))
      return program
    }
  }

  private func check(_ test: Case, seed: UInt64 = 1, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let numbers = Numbers(test, seed: seed)
    #expect(
      try numbers.program(test).run([numbers.a, numbers.b]) == [numbers.expected(test)], "\(test)",
      sourceLocation: sourceLocation)
  }

  private static let types: [ElementType] = [.int8, .int16, .int32]

  @Test(arguments: types, types)
  func sums(a: ElementType, b: ElementType) throws {
    for output in Self.types {
      for variant in [AddWideVariant.sum, .paper] {
        try check(Case(variant: variant, a: a, b: b, output: output), seed: UInt64(output.bits))
      }
    }
  }

  @Test(arguments: [ElementType.int8, .int16], [ElementType.int8, .int16])
  func products(a: ElementType, b: ElementType) throws {
    for output in Self.types {
      try check(Case(opcode: .multiplyWide, a: a, b: b, output: output), seed: UInt64(output.bits))
    }
  }

  @Test func zeroPoints() throws {
    for (a, b, c) in [(-128, 127, 5), (3, -4, -128), (100, 0, 127)] {
      for opcode in [Opcode.addWide, .multiplyWide] {
        try check(
          Case(opcode: opcode, a: .int8, b: .int8, output: .int8, zeroPointA: a, zeroPointB: b, zeroPoint: c))
      }
    }
  }

  @Test func broadcasting() throws {
    for (strideA, strideB) in [
      ([60, 20, 10, 5, 5, 1], [0, 0, 0, 0, 0, 1]), ([60, 0, 10, 5, 0, 1], [0, 20, 0, 0, 1, 0]),
      ([0, 0, 0, 0, 0, 0], [120, 40, 20, 20, 5, 1]), ([0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0]),
    ] {
      for opcode in [Opcode.addWide, .multiplyWide] {
        try check(Case(opcode: opcode, dims: [2, 3, 2, 1, 4, 5], strideA: strideA, strideB: strideB))
      }
    }
  }

  /// Sums that leave 32 bits are saturated.
  @Test func saturation() throws {
    for variant in [AddWideVariant.sum, .paper] {
      let test = Case(variant: variant, a: .int32, b: .int32, output: .int32)
      var numbers = Numbers(test, seed: 4)
      numbers.parameters.multiplierA = 1 << 30
      numbers.parameters.multiplierB = -(1 << 30)
      numbers.parameters.innerShift = 30
      for shift in [29, 30, 31] {
        numbers.parameters.stage.shift = Int32(shift)
        #expect(try numbers.program(test).run([numbers.a, numbers.b]) == [numbers.expected(test)])
      }
    }
  }

  @Test func inPlace() throws {
    for slot in [0, 1] {
      let test = Case(a: .int16, b: .int16, output: .int16)
      let numbers = Numbers(test, seed: 2)
      var program = numbers.program(test)
      let input = program.program.inputs[slot]
      program.program.tensors[program.program.outputs[0]].storage = program.program.tensors[input].storage
      #expect(try program.run([numbers.a, numbers.b]) == [numbers.expected(test)])
    }
  }

  /// Blocks of rows on all sides, and beside a constant that is broadcast.
  @Test(arguments: [Opcode.addWide, .multiplyWide])
  func loops(opcode: Opcode) throws {
    for isBroadcast in [false, true] {
      let test = Case(
        opcode: opcode, dims: [1, 1, 1, 1, 7, 5], strideB: isBroadcast ? [0, 0, 0, 0, 0, 1] : [0, 0, 0, 0, 5, 1])
      let numbers = Numbers(test, seed: 8)
      var program = numbers.program(test)
      program.surroundFirstStep(units: 7)
      let shares: Set<Int> = [Operands.input, Operands.output]
      let codes = try program.runInLoops(
        [numbers.a, numbers.b],
        rowSlots: [shares, isBroadcast ? shares : shares.union([Operands.second]), shares])
      #expect(codes == [numbers.expected(test)])
    }
  }
}

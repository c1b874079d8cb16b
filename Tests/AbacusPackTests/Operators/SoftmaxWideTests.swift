import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Softmax of rows of any width against its definition in plain `Int`.
@Suite struct SoftmaxWideTests {
  private func codes(_ count: Int, _ type: ElementType, seed: UInt64) -> [Int] {
    var random = SeededGenerator(state: seed)
    let range = type == .int32 ? -(1 << 30) + 1...(1 << 30) - 1 : type.codeRange
    return (0..<count).map { _ in Int.random(in: range, using: &random) >> Int.random(in: 0...4, using: &random) }
  }

  private func program(
    _ type: ElementType, _ output: ElementType, _ variant: SoftmaxVariant, rows: Int, _ p: SoftmaxWideParameters
  ) -> HandProgram {
    var program = HandProgram()
    let shape = [rows, Int(p.rowLength)]
    program.step(
      .softmaxWide, variant: variant.rawValue,
      [Operands.input: program.input(shape, type), Operands.output: program.output(shape, output)], p, units: rows)
    return program
  }

  private static let types: [ElementType] = [.int8, .int16, .int32]

  @Test(arguments: types, [ElementType.int8, .int16])
  func refined(type: ElementType, output: ElementType) throws {
    let bits = type == .int32 ? 31 : Int(type.bits)
    for (seed, length) in [1, 2, 3, 17, 100, 4095].enumerated() {
      // A full range of 0.1 to 40 octaves.
      for octaves in [0.1, 1, 8, 40] {
        let dyadic = Dyadic(octaves * Double(sign: .plus, exponent: 16 - bits, significand: 1))
        let scale = (multiplier: Int(dyadic.multiplier), shift: Int(dyadic.shift))
        let rows = length > 100 ? 1 : 3
        let codes = codes(rows * length, type, seed: UInt64(seed))
        let parameters = SoftmaxWideParameters(
          rowLength: UInt32(length), multiplier: dyadic.multiplier, shift: dyadic.shift)
        let wanted = (0..<rows).flatMap { row in
          AttentionReference.softmax(
            Array(codes[row * length..<(row + 1) * length]), scale, isNarrow: output == .int8)
        }
        #expect(
          try program(type, output, .refined, rows: rows, parameters).run([codes]) == [wanted],
          "\(length), \(octaves) octaves")
      }
    }
  }

  @Test(arguments: types, [ElementType.int8, .int16])
  func paper(type: ElementType, output: ElementType) throws {
    for (seed, length) in [1, 2, 17, 300].enumerated() {
      for unit in [1, 12, 300, 1 << 20, 1 << 24] {
        for (bits, octaves) in [(2, 1), (8, 15), (16, 15), (16, 30)] where output == .int16 || bits <= 8 {
          var parameters = SoftmaxWideParameters(rowLength: UInt32(length))
          parameters.exponent = ShiftExponentParameters(
            unit: Int32(unit), octaves: Int32(octaves), quotientBits: Int32(bits), keepsHalfBit: seed % 2 == 1)
          let codes = codes(2 * length, type, seed: UInt64(seed))
          let wanted = (0..<2).flatMap { row in
            AttentionReference.shiftmax(Array(codes[row * length..<(row + 1) * length]), parameters.exponent)
          }
          #expect(
            try program(type, output, .paper, rows: 2, parameters).run([codes]) == [wanted],
            "\(length), \(unit), \(bits), \(octaves)")
        }
      }
    }
  }

  /// int8 rows give the codes of the operator for int8 alone.
  @Test func agreesWithSoftmax() throws {
    let dyadic = Dyadic(0.05 * 65536)
    let codes = codes(4 * 33, .int8, seed: 7)
    for output in [ElementType.int8, .int16] {
      let wide = program(
        .int8, output, .refined, rows: 4,
        SoftmaxWideParameters(rowLength: 33, multiplier: dyadic.multiplier, shift: dyadic.shift))
      var narrow = HandProgram()
      narrow.step(
        .softmax, [Operands.input: narrow.input([4, 33]), Operands.output: narrow.output([4, 33], output)],
        SoftmaxParameters(rowLength: 33, multiplier: dyadic.multiplier, shift: dyadic.shift), units: 4)
      #expect(try wide.run([codes]) == narrow.run([codes]))
    }
  }

  @Test(arguments: [SoftmaxVariant.refined, .paper])
  func loops(variant: SoftmaxVariant) throws {
    var parameters = SoftmaxWideParameters(rowLength: 9, multiplier: 1 << 30, shift: 25)
    parameters.exponent = ShiftExponentParameters(unit: 5000, quotientBits: 16)
    var program = program(.int16, .int16, variant, rows: 7, parameters)
    program.surroundFirstStep(units: 7)
    let shares: Set<Int> = [Operands.input, Operands.output]
    try program.runInLoops([codes(63, .int16, seed: 1)], rowSlots: [shares, shares, shares])
  }
}

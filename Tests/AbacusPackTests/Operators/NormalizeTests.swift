import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Normalisations of every width and variant against plain integers.
@Suite struct NormalizeTests {
  /// One normalisation with random constants.
  struct Normalization {
    var input = ElementType.int8
    var output = ElementType.int8
    var variant = NormalizeVariant.layer
    var epsilon = 0
    var hasShifts = false

    func add(to program: inout GoldenProgram, _ rows: [[Int]], _ random: inout RandomCodes, _ label: String) {
      let length = rows[0].count
      let shift = random.number(40...50)
      var p = NormalizeParameters(
        stage: random.stage(output, shift: variant == .paper ? 53 : shift), rowLength: UInt32(length),
        epsilon: UInt64(epsilon))
      p.inputZeroPoint = input == .int8 ? Int32(random.number(-128...127)) : 0
      p.rootStart = UInt32(random.pick([0, 12, 16, 31]))
      let channels = (0..<length).map { _ in
        variant == .paper
          ? (random.number(-1 << 30 + 1...1 << 30 - 1), random.number(Int(Int32.min)...Int(Int32.max)))
          : (random.number(-1 << 30...1 << 30), random.number(-1 << 28...1 << 28))
      }
      let shifts = hasShifts ? (0..<length).map { _ in random.number(46...60) } : nil
      let wanted = rows.flatMap { IntegerReference.normalize($0, channels: channels, shifts: shifts, variant, p) }
      var operands = [
        Operands.input: program.input([rows.count, length], input, rows.flatMap { $0 }),
        Operands.output: program.output([rows.count, length], output, wanted, label),
        Operands.channels: program.words([length, 2], channels.flatMap { [$0.0, $0.1] }),
      ]
      if let shifts { operands[Operands.shifts] = program.words([length], shifts, .uint8) }
      program.step(.normalize, variant: variant.rawValue, operands, p, units: rows.count)
    }
  }

  /// Rows of a length: any codes, small ones, one outlier, extremes, a constant.
  private func rows(_ length: Int, _ type: ElementType, _ random: inout RandomCodes) -> [[Int]] {
    let range = RandomCodes.range(type)
    return [
      random.codes(length, type), (0..<length).map { _ in random.number(-1...1) },
      (0..<length).map { $0 == length / 2 ? range.upperBound : 0 },
      (0..<length).map { $0 % 2 == 0 ? range.lowerBound : range.upperBound },
      Array(repeating: random.number(range), count: length), Array(repeating: 0, count: length),
    ]
  }

  @Test(arguments: [NormalizeVariant.layer, .rootMeanSquare, .paper])
  func everyWidth(_ variant: NormalizeVariant) throws {
    var random = RandomCodes(seed: UInt64(variant.rawValue) + 10)
    for (index, length) in [1, 2, 3, 7, 32, 191].enumerated() {
      var program = GoldenProgram("normalisations")
      for input in [ElementType.int8, .int16] {
        for output in [ElementType.int8, .int16] {
          let limit = Int(variant == .layer ? Limits.layerEpsilon : Limits.rootMeanSquareEpsilon)
          let normalization = Normalization(
            input: input, output: output, variant: variant,
            epsilon: random.pick([0, 1, random.number(0...100_000), random.number(0...limit), limit]),
            hasShifts: variant == .paper && index % 2 == 0)
          normalization.add(to: &program, rows(length, input, &random), &random, "\(normalization), \(length)")
        }
      }
      let model = try Model(try program.hand.blob())
      program.expect(try model(program.sample))
      #expect(model.guardsAreIntact)
    }
  }

  /// The longest row, where every bound is tight.
  @Test(arguments: [NormalizeVariant.layer, .rootMeanSquare, .paper])
  func longestRows(_ variant: NormalizeVariant) throws {
    var random = RandomCodes(seed: UInt64(variant.rawValue) + 20)
    let length = Int(Limits.maximumNormalizedRow)
    var program = GoldenProgram("longest rows")
    let normalization = Normalization(input: .int16, output: .int16, variant: variant)
    normalization.add(to: &program, rows(length, .int16, &random), &random, "\(normalization)")
    program.expect(try Model(try program.hand.blob())(program.sample))
  }

  /// Square roots of any size: E sets V = 4 a^2 + E of a row (a, -a), and 1 + E of (1, 0). The numbers are
  /// those of isqrt.json that a variance can be, and both sides of the powers of 2.
  static func variances() throws -> [GoldenProgram] {
    struct Roots: Decodable {
      let v: [String]?
      init(from decoder: any Decoder) throws {
        // The other case of the file has numbers, not strings.
        v = try? decoder.container(keyedBy: Keys.self).decode([String].self, forKey: .v)
      }
      enum Keys: CodingKey { case v }
    }
    let golden = try goldenCases("isqrt", Roots.self).compactMap(\.v).joined().compactMap { Int($0) }
    let values = (golden + (2..<58).flatMap { [1 << $0 - 1, 1 << $0] })
      .filter { (1...Int(Limits.layerEpsilon)).contains($0) }
    var random = RandomCodes(seed: 30)
    return stride(from: 0, to: values.count, by: 24).map { start in
      var program = GoldenProgram("isqrt, exact, variances from \(start)")
      for v in values[start..<min(start + 24, values.count)] {
        let a = min(IntegerReference.squareRoot(v / 4), 32767)
        let (row, least) = a == 0 ? ([1, 0], 1) : ([a, -a], 4 * a * a)
        Normalization(input: .int16, output: .int16, epsilon: v - least)
          .add(to: &program, [row], &random, "exact, V = \(v)")
      }
      return program
    }
  }

  @Test func varianceOfEverySize() throws {
    let programs = try Self.variances()
    #expect(programs.reduce(0) { $0 + $1.expected.count } > 150)
    for program in programs { program.expect(try Model(try program.hand.blob())(program.sample)) }
  }

  /// The bound holds, and one more does not.
  @Test func certificate() throws {
    func bound(_ offset: Int, _ variant: NormalizeVariant) throws -> (bound: Int64, holds: Bool) {
      var program = GoldenProgram("certificate")
      let p = NormalizeParameters(
        stage: OutputStage(shift: 34, zeroPoint: 0, low: -128, high: 127), rowLength: 2)
      program.step(
        .normalize, variant: variant.rawValue,
        [
          Operands.input: program.input([1, 2], .int8, [0, 0]), Operands.output: program.output([1, 2], .int8, [], ""),
          Operands.channels: program.words([2, 2], [offset, offset, 1, 1]),
        ], p, units: 1)
      let certificate = BoundsCertificate(try BlobDescription(try program.hand.blob(), name: "test"))
      return (try #require(certificate.rows.first).bound, certificate.holds)
    }
    #expect(try bound(1 << 29, .layer).holds && bound(1 << 29, .paper).holds)
    #expect(try bound(1 << 29, .layer).bound >= 1 << 29 + 1 << 18)
    #expect(try bound(1 << 30, .paper) == (1 << 31, false))
    #expect(try !bound(Int(Int32.max) - 2, .layer).holds)
  }
}

import AbacusFormat
import AbacusRuntime

@testable import AbacusPack

// The golden vectors of projections, normalisations and activations as blobs.

private func stage(_ shift: Int32, _ type: ElementType, zeroPoint: Int32 = 0) -> OutputStage {
  let half: Int32 = type == .int16 ? 0x8000 : 0x80
  return OutputStage(shift: shift, zeroPoint: zeroPoint, low: -half, high: half - 1)
}

/// The narrowest type that holds codes.
private func type(of codes: [Int]) -> ElementType {
  if codes.allSatisfy((-128...127).contains) { return .int8 }
  return codes.allSatisfy((-32768...32767).contains) ? .int16 : .int32
}

private func pairs(_ first: [Int], _ second: [Int]) -> [Int] { zip(first, second).flatMap { [$0, $1] } }

extension GoldenProgram {
  static func projections() throws -> [GoldenProgram] {
    [try linear(), try requantisations(), try residuals()]
  }

  // MARK: linear.json

  private struct LinearCase: Decodable {
    let name: String
    let x: [[Int]]
    let w: [[Int]]
    let bias, m, s: [Int]
    let acc, y: [[Int]]
  }

  /// Every case on int8 and int16 inputs, with output of every width; int32 shows the accumulator.
  private static func linear() throws -> GoldenProgram {
    var program = GoldenProgram("linear through project")
    for golden in try goldenCases("linear", LinearCase.self) {
      for input in [ElementType.int8, .int16] {
        program.layer(golden, input, .int8, m: golden.m, s: golden.s, golden.y)
        program.layer(golden, input, .int16, m: golden.m, s: golden.s, golden.acc.map { row in
          row.indices.map { n in
            Int(min(max(requantize(Int32(row[n]), Int32(golden.m[n]), shift: Int32(golden.s[n])), -32768), 32767))
          }
        })
        program.layer(
          golden, input, .int32, m: golden.m.map { _ in 2 }, s: golden.s.map { _ in 1 }, golden.acc)
      }
    }
    return program
  }

  private mutating func layer(
    _ golden: LinearCase, _ input: ElementType, _ output: ElementType, m: [Int], s: [Int], _ wanted: [[Int]]
  ) {
    let (rows, depth, channels) = (golden.x.count, golden.x[0].count, golden.w.count)
    var end = stage(1, output)
    if output == .int32 { (end.low, end.high) = (.min, .max) }
    step(
      .project,
      [
        Operands.input: self.input([rows, depth], input, golden.x.flatMap { $0 }),
        Operands.output: self.output([rows, channels], output, wanted.flatMap { $0 }, golden.name),
        Operands.weights: words([channels, depth], golden.w.flatMap { $0 }, .int8),
        Operands.channels: words([channels, 2], pairs(golden.bias, m)),
        Operands.shifts: words([channels], s, .uint8),
      ], ProjectParameters(stage: end), units: rows)
  }

  /// Accumulators of a row are biases of channels whose weights are 0.
  private mutating func accumulators(
    _ values: [Int], m: [Int], s: [Int]?, variant: ProjectVariant = .plain, residual: [Int] = [],
    _ parameters: ProjectParameters, _ output: Program.TensorIndex
  ) {
    var operands = [
      Operands.input: input([1, 1], .int8, [1]), Operands.output: output,
      Operands.weights: words([values.count, 1], values.map { _ in 0 }, .int8),
      Operands.channels: words([values.count, 2], pairs(values, m)),
    ]
    if let s { operands[Operands.shifts] = words([values.count], s, .uint8) }
    if variant != .plain { operands[Operands.second] = input([1, residual.count], .int16, residual) }
    step(.project, variant: variant.rawValue, operands, parameters, units: 1)
  }

  // MARK: requant.json

  private struct RequantisationCase: Decodable {
    struct Parameters: Decodable {
      let m, s, zp, lo, hi: Int
    }
    let name: String
    let params: Parameters
    let x, raw, y: [Int]
  }

  private static func requantisations() throws -> GoldenProgram {
    var program = GoldenProgram("requant through project")
    for golden in try goldenCases("requant", RequantisationCase.self) {
      let p = golden.params
      let m = golden.x.map { _ in p.m }
      var parameters = ProjectParameters(
        stage: OutputStage(shift: Int32(p.s), zeroPoint: Int32(p.zp), low: Int32(p.lo), high: Int32(p.hi)))
      let narrow = program.output([1, m.count], .int8, golden.y, golden.name)
      program.accumulators(golden.x, m: m, s: nil, parameters, narrow)
      parameters.stage = OutputStage(shift: Int32(p.s), zeroPoint: 0, low: .min, high: .max)
      let saturated = golden.raw.map { min(max($0, Int(Int32.min)), Int(Int32.max)) }
      let wide = program.output([1, m.count], .int32, saturated, golden.name)
      program.accumulators(golden.x, m: m, s: nil, parameters, wide)
    }
    return program
  }

  // MARK: add2.json

  private struct SumCase: Decodable {
    struct Parameters: Decodable {
      let ma, mb, s: Int
    }
    struct Paper: Decodable {
      let a, b: GoldenMultiplier
      let y: [Int]
    }
    let name: String
    let params: Parameters
    let a, b, y: [Int]
    let paper: Paper
  }

  /// Residuals: `a` is the accumulator. I-ViT's form has `a` in 16 bits.
  private static func residuals() throws -> GoldenProgram {
    var program = GoldenProgram("add2 through project")
    for golden in try goldenCases("add2", SumCase.self) {
      var parameters = ProjectParameters(stage: stage(Int32(golden.params.s), .int16))
      parameters.residualMultiplier = Int32(golden.params.mb)
      let one = program.output([1, golden.y.count], .int16, golden.y, golden.name)
      program.accumulators(
        golden.a, m: golden.a.map { _ in golden.params.ma }, s: nil, variant: .residual,
        residual: golden.b, parameters, one)

      guard type(of: golden.a) != .int32 else { continue }
      // The accumulator on int16 as it is, then both branches.
      parameters.stage.shift = 30
      (parameters.branchMultiplier, parameters.branchShift) = (golden.paper.a.m, golden.paper.a.s)
      (parameters.residualMultiplier, parameters.residualShift) = (golden.paper.b.m, golden.paper.b.s)
      let two = program.output([1, golden.y.count], .int16, golden.paper.y, golden.name + " paper")
      program.accumulators(
        golden.a, m: golden.a.map { _ in 1 << 30 }, s: nil, variant: .paperResidual,
        residual: golden.b, parameters, two)
    }
    return program
  }
}

// MARK: - Normalisation

extension GoldenProgram {
  static func normalisations() throws -> [GoldenProgram] { [try norms(), try paperNorms()] + (try paperRoots()) }

  private struct NormCase: Decodable {
    struct Parameters: Decodable {
      let G, B: [Int]
      let sg: Int32
      let E: String
    }
    let name: String
    let params: Parameters
    let x, y: [[Int]]
  }

  private mutating func normalize(
    _ x: [[Int]], _ input: ElementType, _ output: ElementType, variant: NormalizeVariant, channels: [Int],
    shifts: [Int]? = nil, _ parameters: NormalizeParameters, _ wanted: [Int], _ label: String
  ) {
    let shape = [x.count, x[0].count]
    var operands = [
      Operands.input: self.input(shape, input, x.flatMap { $0 }),
      Operands.output: self.output(shape, output, wanted, label),
      Operands.channels: words([shape[1], 2], channels),
    ]
    if let shifts { operands[Operands.shifts] = words([shape[1]], shifts, .uint8) }
    step(.normalize, variant: variant.rawValue, operands, parameters, units: shape[0])
  }

  private static func norms() throws -> GoldenProgram {
    var program = GoldenProgram("norm")
    for golden in try goldenCases("norm", NormCase.self) {
      let variant: NormalizeVariant = golden.name.hasPrefix("rms") ? .rootMeanSquare : .layer
      for input in [ElementType.int8, .int16] where !(type(of: golden.x.flatMap { $0 }) == .int16 && input == .int8) {
        let parameters = NormalizeParameters(
          stage: stage(golden.params.sg, .int8), rowLength: UInt32(golden.x[0].count),
          epsilon: UInt64(golden.params.E)!)
        program.normalize(
          golden.x, input, .int8, variant: variant, channels: pairs(golden.params.G, golden.params.B),
          parameters, golden.y.flatMap { $0 }, golden.name)
      }
    }
    return program
  }

  private struct PaperNormCase: Decodable {
    let name: String
    let x: [[Int]]
    let bias_int, m, s: [Int]
    let start_2_16, start_bits, y8: [[Int]]
  }

  private static func paperNorms() throws -> GoldenProgram {
    var program = GoldenProgram("paper_layernorm")
    for golden in try goldenCases("paper_layernorm", PaperNormCase.self) {
      let input = type(of: golden.x.flatMap { $0 })
      var parameters = NormalizeParameters(stage: stage(1, .int8), rowLength: UInt32(golden.x[0].count))
      parameters.rootStart = 0
      program.normalize(
        golden.x, input, .int8, variant: .paper, channels: pairs(golden.bias_int, golden.m), shifts: golden.s,
        parameters, golden.y8.flatMap { $0 }, golden.name)
      // All 32 bits before the requantisation: a bias that leaves a small number.
      parameters.stage = stage(1, .int16)
      for (start, wanted) in [(UInt32(16), golden.start_2_16), (0, golden.start_bits)] {
        parameters.rootStart = start
        for (row, z) in zip(golden.x, wanted) {
          let small = z.indices.map { $0 % 201 - 100 }
          let bias = z.indices.map { golden.bias_int[$0] - z[$0] + small[$0] }
          program.normalize(
            [row], input, .int16, variant: .paper, channels: pairs(bias, bias.map { _ in 2 }), parameters,
            small, "\(golden.name), start \(start)")
        }
      }
    }
    return program
  }

  // MARK: isqrt.json

  private struct RootCase: Decodable {
    let name: String
    /// Empty in the case that has strings, because its numbers are larger.
    let v: [Int]
    let start_2_16, start_bits: [Int]?

    init(from decoder: any Decoder) throws {
      let fields = try decoder.container(keyedBy: Keys.self)
      name = try fields.decode(String.self, forKey: .name)
      v = (try? fields.decode([Int].self, forKey: .v)) ?? []
      start_2_16 = try fields.decodeIfPresent([Int].self, forKey: .start_2_16)
      start_bits = try fields.decodeIfPresent([Int].self, forKey: .start_bits)
    }

    enum Keys: CodingKey { case name, v, start_2_16, start_bits }
  }

  /// Rows whose variance is each number, 4 in a program; what they are multiplied with shows the root.
  private static func paperRoots() throws -> [GoldenProgram] {
    let golden = try goldenCases("isqrt", RootCase.self).first { $0.start_2_16 != nil && $0.start_bits != nil }!
    return stride(from: 0, to: golden.v.count, by: 4).map { start in
      var program = GoldenProgram("isqrt, \(golden.name), from \(start)")
      for index in start..<min(start + 4, golden.v.count) {
        let row = Self.row(ofSquares: golden.v[index])
        let input = program.input([1, row.count], .int16, row)
        for (rootStart, root) in [(UInt32(16), golden.start_2_16![index]), (0, golden.start_bits![index])] {
          let factor = (1 << 31 - 1) / max(root, 1)
          let small = row.indices.map { 10 * $0 - 100 }
          let bias = row.indices.map { small[$0] - (row[$0] * factor) >> 1 }
          var parameters = NormalizeParameters(stage: stage(1, .int16), rowLength: UInt32(row.count))
          parameters.rootStart = rootStart
          program.step(
            .normalize, variant: NormalizeVariant.paper.rawValue,
            [
              Operands.input: input, Operands.channels: program.words([row.count, 2], pairs(bias, bias.map { _ in 2 })),
              Operands.output: program.output(
                [1, row.count], .int16, small, "\(golden.name), start \(rootStart), \(golden.v[index])"),
            ], parameters, units: 1)
        }
      }
      return program
    }
  }

  /// Numbers with a mean of 0, rounded, whose squares have that sum.
  private static func row(ofSquares sum: Int) -> [Int] {
    var rest = sum
    var row: [Int] = []
    while rest >= 2 {
      let a = min(IntegerReference.squareRoot(rest / 2), 32767)
      row += [a, -a]
      rest -= 2 * a * a
    }
    row.append(rest)
    return row + Array(repeating: 0, count: 24 - row.count)
  }
}

// MARK: - Activation

extension GoldenProgram {
  static func activations() throws -> [GoldenProgram] { [try curves(), try shiftGELUs()] }

  private struct ActivationCase: Decodable {
    struct Parameters: Decodable {
      let `in`: GoldenMultiplier?
      let out: GoldenMultiplier
      let zp: Int32
      let m, s: [Int]?
    }
    let name: String
    let table, x16, x, y: [Int]?
    let params: Parameters?
  }

  private mutating func activate(
    _ x: [Int], _ input: Program.TensorIndex? = nil, table: [Int], _ output: ElementType,
    _ parameters: ActivationParameters, _ wanted: [Int], _ label: String
  ) {
    let source = input ?? self.input([x.count], type(of: x), x)
    step(
      .activation,
      [
        Operands.input: source, Operands.output: self.output([wanted.count], output, wanted, label),
        Operands.weights: words([table.count], table, .int16),
      ], parameters, units: 1)
  }

  private static func curves() throws -> GoldenProgram {
    var program = GoldenProgram("activation")
    let all = try goldenCases("activation", ActivationCase.self)
    let tables = Dictionary(
      uniqueKeysWithValues: all.compactMap { golden in
        golden.table.map { (String(golden.name.dropFirst("table ".count)), $0) }
      })
    for golden in all {
      guard let y = golden.y else { continue }
      if let x16 = golden.x16 {
        // v on Q16 is wider than an output: its upper and its lower bits.
        let table = tables[String(golden.name.dropFirst("q16 ".count))]!
        var parameters = ActivationParameters(stage: stage(37, .int16), multiplier: 1 << 30, rowLength: UInt32(y.count))
        program.activate(x16, table: table, .int16, parameters, y.map { ($0 + 64) >> 7 },
          golden.name + "; table " + golden.name.dropFirst("q16 ".count))
        parameters.stage.shift = 30
        let small = y.indices.filter { (-32768...32767).contains(y[$0]) }
        parameters.rowLength = UInt32(small.count)
        program.activate(
          small.map { x16[$0] }, table: table, .int16, parameters, small.map { y[$0] }, golden.name + ", small")
        continue
      }
      let p = golden.params!
      let count = UInt32(y.count)
      var parameters = ActivationParameters(
        stage: stage(p.out.s, .int8, zeroPoint: p.zp), multiplier: p.out.m, rowLength: count)
      guard let x = golden.x else { continue }
      if let own = p.in {
        (parameters.inputMultiplier, parameters.inputShift) = (own.m, own.s)
        program.activate(x, table: tables["gelu"]!, .int8, parameters, y, golden.name)
      } else {
        // One multiplier a channel: the projection before takes its accumulators to the grid.
        let grid = program.hand.intermediate([1, x.count], .int16)
        let end = OutputStage(shift: 1, zeroPoint: 0, low: -32767, high: 32767)
        program.accumulators(x, m: p.m!, s: p.s!, ProjectParameters(stage: end), grid)
        program.activate(x, grid, table: tables["gelu"]!, .int8, parameters, y, golden.name)
      }
    }
    return program
  }

  private struct ShiftGELUCase: Decodable {
    struct Form: Decodable {
      let I0, N, k: Int32
      let half_bit: Bool?
      let mul1702: String?
      let y: [[Int]]
    }
    let name: String
    let x: [[Int]]
    let paper, released: Form
  }

  private static func shiftGELUs() throws -> GoldenProgram {
    var program = GoldenProgram("paper_shiftgelu")
    for golden in try goldenCases("paper_shiftgelu", ShiftGELUCase.self) {
      for (form, label) in [(golden.paper, "paper"), (golden.released, "released")] {
        let shape = [golden.x.count, golden.x[0].count]
        var parameters = ActivationParameters(stage: stage(30, .int16), multiplier: 1 << 30, rowLength: UInt32(shape[1]))
        parameters.exponent = ShiftExponentParameters(
          unit: form.I0, octaves: form.N, quotientBits: form.k, keepsHalfBit: form.half_bit ?? false)
        parameters.isScaled = form.mul1702 == "scale" ? 1 : 0
        program.step(
          .activation, variant: ActivationVariant.paper.rawValue,
          [
            Operands.input: program.input(shape, .int8, golden.x.flatMap { $0 }),
            Operands.output: program.output(shape, .int16, form.y.flatMap { $0 }, "\(golden.name), \(label)"),
          ], parameters, units: shape[0])
      }
    }
    return program
  }
}

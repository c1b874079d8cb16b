import AbacusFormat

@testable import AbacusPack

// The golden vectors of softmax, attention and sums as blobs that fit the smallest board.

extension GoldenProgram {
  /// Bytes of inputs and outputs of one blob, so that it runs in the 16 KB of a micro:bit.
  private static let roomBytes = 10_000
  /// Steps of one blob: the planner looks at every order of them.
  private static let roomSteps = 8

  /// Puts rows of equal length into as few programs as have room.
  ///
  /// - Parameters:
  ///   - bytesPerElement: of inputs and outputs together.
  ///   - steps: how many `add` adds.
  ///   - add: adds some of the rows.
  private static func place(
    _ rows: [[Int]], bytesPerElement: Int, steps: Int, in programs: inout [GoldenProgram],
    _ name: String, _ add: (inout GoldenProgram, Range<Int>) -> Void
  ) {
    let rowBytes = rows[0].count * bytesPerElement
    var start = 0
    while start < rows.count {
      let free = roomBytes - (programs.last?.boundaryBytes ?? roomBytes)
      if free < rowBytes || programs[programs.count - 1].hand.program.steps.count + steps > roomSteps {
        programs.append(GoldenProgram("\(name), part \(programs.count + 1)"))
        continue
      }
      let end = min(start + free / rowBytes, rows.count)
      add(&programs[programs.count - 1], start..<end)
      start = end
    }
  }

  /// Cases, those with the same parameters put together.
  private static func merged<Case>(_ cases: [Case], _ merge: (inout Case, Case) -> Bool) -> [Case] {
    var result: [Case] = []
    for golden in cases where !result.indices.contains(where: { merge(&result[$0], golden) }) {
      result.append(golden)
    }
    return result
  }

  // MARK: softmax.json

  private struct SoftmaxCase: Decodable {
    var name: String
    let params: GoldenMultiplier
    var x, q15, i8: [[Int]]

    var type: ElementType {
      if x.joined().allSatisfy((-128...127).contains) { return .int8 }
      return x.joined().allSatisfy((-32768...32767).contains) ? .int16 : .int32
    }

    /// Takes the rows of a case with the same parameters.
    mutating func merge(_ other: SoftmaxCase) -> Bool {
      guard params == other.params, x[0].count == other.x[0].count, type == other.type else { return false }
      name += "; " + other.name
      x += other.x
      q15 += other.q15
      i8 += other.i8
      return true
    }
  }

  /// Every case, with output of both widths.
  static func softmaxes() throws -> [GoldenProgram] {
    var programs: [GoldenProgram] = []
    for golden in merged(try goldenCases("softmax", SoftmaxCase.self), { $0.merge($1) }) {
      place(golden.x, bytesPerElement: 7, steps: 2, in: &programs, "softmax") { program, part in
        program.softmax(
          Array(golden.x[part]), golden.type, golden.params,
          [(.int16, golden.q15[part].flatMap { $0 }), (.int8, golden.i8[part].flatMap { $0 })], golden.name)
      }
    }
    return programs
  }

  private mutating func softmax(
    _ rows: [[Int]], _ type: ElementType, _ multiplier: GoldenMultiplier,
    _ wanted: [(type: ElementType, codes: [Int])], _ label: String
  ) {
    let shape = [rows.count, rows[0].count]
    let input = input(shape, type, rows.flatMap { $0 })
    for (type, codes) in wanted {
      step(
        .softmaxWide, [Operands.input: input, Operands.output: output(shape, type, codes, label)],
        SoftmaxWideParameters(
          rowLength: UInt32(shape[1]), multiplier: multiplier.m, shift: multiplier.s), units: shape[0])
    }
  }

  // MARK: paper_shiftmax.json

  private struct ShiftmaxCase: Decodable {
    struct Form: Decodable {
      let I0, N: Int32
      let half_bit: Bool
      var k8, k16: [[Int]]

      mutating func merge(_ other: Form) {
        k8 += other.k8
        k16 += other.k16
      }
    }
    var name: String
    var x: [[Int]]
    var paper, released: Form

    /// Takes the rows of a case with the same parameters.
    mutating func merge(_ other: ShiftmaxCase) -> Bool {
      guard x[0].count == other.x[0].count, paper.I0 == other.paper.I0, released.I0 == other.released.I0 else {
        return false
      }
      name += "; " + other.name
      x += other.x
      paper.merge(other.paper)
      released.merge(other.released)
      return true
    }
  }

  /// Every case, as published and as released, on 8 and 16 bits.
  static func shiftmaxes() throws -> [GoldenProgram] {
    var programs: [GoldenProgram] = []
    for golden in merged(try goldenCases("paper_shiftmax", ShiftmaxCase.self), { $0.merge($1) }) {
      place(golden.x, bytesPerElement: 7, steps: 4, in: &programs, "paper_shiftmax") { program, part in
        let shape = [part.count, golden.x[0].count]
        let input = program.input(shape, .int8, golden.x[part].flatMap { $0 })
        for (label, form) in [("paper", golden.paper), ("released", golden.released)] {
          for (bits, type, wanted) in [(8, ElementType.int8, form.k8), (16, .int16, form.k16)] {
            var parameters = SoftmaxWideParameters(rowLength: UInt32(shape[1]))
            parameters.exponent = ShiftExponentParameters(
              unit: form.I0, octaves: form.N, quotientBits: Int32(bits), keepsHalfBit: form.half_bit)
            let output = program.output(
              shape, type, wanted[part].flatMap { $0 }, "\(golden.name), \(label), k = \(bits)")
            program.step(
              .softmaxWide, variant: SoftmaxVariant.paper.rawValue,
              [Operands.input: input, Operands.output: output], parameters, units: shape[0])
          }
        }
      }
    }
    return programs
  }

  // MARK: add2.json

  private struct SumCase: Decodable {
    struct Parameters: Decodable {
      let ma, mb, s: Int32
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

  /// Every case, with one rounding and with two.
  static func sums() throws -> [GoldenProgram] {
    try goldenCases("add2", SumCase.self).map { golden in
      var program = GoldenProgram("add2, \(golden.name)")
      let count = golden.a.count
      let type: ElementType = golden.a.allSatisfy((-32768...32767).contains) ? .int16 : .int32
      let a = program.input([count], type, golden.a)
      let b = program.input([count], .int16, golden.b)
      var sum = BinaryParameters(
        stage: OutputStage(shift: golden.params.s, zeroPoint: 0, low: -32768, high: 32767))
      sum.dims[5] = UInt32(count)
      sum.strideA[5] = 1
      sum.strideB[5] = 1
      sum.multiplierA = golden.params.ma
      sum.multiplierB = golden.params.mb
      var paper = sum
      paper.multiplierA = golden.paper.a.m
      paper.innerShift = golden.paper.a.s
      paper.multiplierB = golden.paper.b.m
      paper.stage.shift = golden.paper.b.s
      for (variant, parameters, wanted) in [
        (AddWideVariant.sum, sum, golden.y), (.paper, paper, golden.paper.y),
      ] {
        let output = program.output([count], .int16, wanted, "\(golden.name), \(variant)")
        program.step(
          .addWide, variant: variant.rawValue,
          [Operands.input: a, Operands.second: b, Operands.output: output], parameters, units: 1)
      }
      return program
    }
  }

  // MARK: attention.json

  private struct AttentionCase: Decodable {
    struct Parameters: Decodable {
      let exp, v: GoldenMultiplier
      let block: Int
    }
    let name: String
    let params: Parameters
    let logits, v, deferred, online: [[Int]]
  }

  /// Every case, by queries of 8 and of 16 bits, deferred and online. Each query row has digits of its
  /// own among the elements of the keys, so that the scores are the logits of the case.
  static func attentions() throws -> [GoldenProgram] {
    try goldenCases("attention", AttentionCase.self).map { golden in
      var program = GoldenProgram("attention, \(golden.name)")
      let (rows, keys, depth) = (golden.logits.count, golden.v.count, golden.v[0].count)
      let values = program.words([keys, depth], golden.v.flatMap { $0 }, .int8)
      let multipliers = [golden.params.exp, golden.params.v].flatMap { [Int($0.m), Int($0.s)] }
      let channels = program.words([1, 4], multipliers)
      for digits in [ScoreDigits(.int8), ScoreDigits(.int16)] {
        let width = rows * digits.weights.count
        let query = program.input([rows, width], digits.type, digits.queries(rows: rows))
        let key = program.words([keys, width], digits.keys(golden.logits), .int8)
        for (variant, wanted) in [(AttentionVariant.deferred, golden.deferred), (.online, golden.online)] {
          var parameters = AttentionParameters(
            stage: OutputStage(shift: 1, zeroPoint: 0, low: -128, high: 127), heads: 1, keyValueHeads: 1,
            depth: UInt32(width), valueDepth: UInt32(depth), keys: UInt32(keys), isCausal: false)
          parameters.block = UInt32(golden.params.block)
          let label = "\(golden.name), \(variant), \(digits.type)"
          program.step(
            .attention, variant: variant.rawValue,
            [
              Operands.input: query, Operands.second: key, Operands.values: values,
              Operands.channels: channels, Operands.scratch: program.hand.scratch([keys + depth], .int32),
              Operands.output: program.output([rows, depth], .int8, wanted.flatMap { $0 }, label),
            ], parameters, units: rows)
        }
      }
      return program
    }
  }

  /// Numbers as sums of int8 digits times fixed weights.
  private struct ScoreDigits {
    let type: ElementType
    /// Elements of a query.
    let weights: [Int]

    init(_ type: ElementType) {
      self.type = type
      weights = type == .int8 ? [1] + Array(repeating: 64, count: 16) : [1, 128, 16_384]
    }

    func queries(rows: Int) -> [Int] {
      (0..<rows).flatMap { row in (0..<rows).flatMap { $0 == row ? weights : weights.map { _ in 0 } } }
    }

    /// - Parameter logits: [rows][keys].
    func keys(_ logits: [[Int]]) -> [Int] {
      logits[0].indices.flatMap { key in logits.flatMap { digits($0[key]) } }
    }

    private func digits(_ value: Int) -> [Int] {
      if type == .int16 { return [value & 127, value >> 7 & 127, value >> 14] }
      var rest = value >> 6
      return [value & 63]
        + weights.dropFirst().map { _ in
          let digit = min(max(rest, -128), 127)
          rest -= digit
          return digit
        }
    }
  }

  // MARK: exp2.json

  private struct ExponentialCase: Decodable {
    let name: String
    let f, q30, t, y, q15, q20: [Int]?
    let params: GoldenMultiplier?
  }

  /// What follows for rows of two from the exponential of their difference: on Q20 through softmax, on
  /// Q15 through attention.
  static func exponentials() throws -> [GoldenProgram] {
    let identity = GoldenMultiplier(m: 1 << 30, s: 30)
    var programs: [GoldenProgram] = []
    for golden in try goldenCases("exp2", ExponentialCase.self) {
      var program = GoldenProgram("exp2, \(golden.name)")
      if let f = golden.f, let q30 = golden.q30 {
        // Of the 30 bits, operators show 20, rounded.
        let wanted = q30.flatMap { normalized(($0 + 1 << 9) >> 10) }
        program.softmax(f.map { [0, -$0] }, .int32, identity, [(.int16, wanted)], golden.name)
      } else if let t = golden.t, let y = golden.y, golden.name == "q20" {
        program.softmax(t.map { [0, -$0] }, .int32, identity, [(.int16, y.flatMap(normalized))], golden.name)
      } else if let t = golden.t, let y = golden.y {
        let reachable = zip(t, y).filter { $0.0 < 1 << 21 }
        program.differences(reachable.map { -$0.0 }, identity, wanted: reachable.map(\.1), golden.name)
      } else if let q15 = golden.q15, let q20 = golden.q20, let multiplier = golden.params {
        let rows = (0..<256).map { [127, 127 - $0] }
        program.softmax(rows, .int8, multiplier, [(.int16, q20.flatMap(normalized))], golden.name)
        program.differences((0..<256).map { -$0 }, multiplier, wanted: q15, golden.name)
      } else {
        continue
      }
      programs.append(program)
    }
    return programs
  }

  /// Q15 probabilities of a row of two, of which one has the exponential 2^20 and the other e.
  private static func normalized(_ e: Int) -> [Int] {
    let sum = 1 << 20 + e
    let reciprocal = GoldenReciprocal(sum)
    return [1 << 20, e].map { min(reciprocal.times($0, bits: 15), 32767) }
  }

  /// Attention to two keys whose scores are 0 and a difference, with values 0 and 127.
  private mutating func differences(
    _ differences: [Int], _ multiplier: GoldenMultiplier, wanted: [Int], _ label: String
  ) {
    let value = GoldenMultiplier(m: 1 << 30, s: 22)
    let rows = differences.count
    // The second key is [1, 64].
    let query = input([rows, 2], .int16, differences.flatMap { [$0 & 63, $0 >> 6] })
    let codes = wanted.map { e -> Int in
      // The greater exponential is 2^15, which is stored as 32767.
      let reciprocal = GoldenReciprocal(32767 + e)
      let mantissa = (reciprocal.mantissa * Int(value.m) + 1 << 30) >> 31
      let shift = reciprocal.length + Int(value.s) - 1
      return (127 * e * mantissa + 1 << (shift - 1)) >> shift
    }
    step(
      .attention,
      [
        Operands.input: query, Operands.second: words([2, 2], [0, 0, 1, 64], .int8),
        Operands.values: words([2, 1], [0, 127], .int8),
        Operands.channels: words([1, 4], [multiplier, value].flatMap { [Int($0.m), Int($0.s)] }),
        Operands.scratch: hand.scratch([2], .int32), Operands.output: output([rows, 1], .int16, codes, label),
      ],
      AttentionParameters(
        stage: OutputStage(shift: 1, zeroPoint: 0, low: -32768, high: 32767), heads: 1, keyValueHeads: 1,
        depth: 2, valueDepth: 1, keys: 2, isCausal: false), units: rows)
  }
}

/// `1 / sum = mantissa / 2^(length + 30)`.
private struct GoldenReciprocal {
  let mantissa: Int
  let length: Int

  init(_ sum: Int) {
    length = Int.bitWidth - sum.leadingZeroBitCount
    mantissa = min((1 << (length + 30)) / sum, 0x7FFF_FFFF)
  }

  /// `value / sum` on `bits` fractional bits, rounded.
  func times(_ value: Int, bits: Int) -> Int {
    let shift = length + 30 - bits
    return (value * mantissa + 1 << (shift - 1)) >> shift
  }
}

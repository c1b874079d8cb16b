import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Attention against its definition in plain `Int`.
@Suite struct AttentionTests {
  /// One attention with its operands.
  struct Case {
    var query = ElementType.int8
    var output = ElementType.int8
    var variant = AttentionVariant.deferred
    var rows = 3
    var heads = 2
    var keyValueHeads = 2
    var depth = 5
    var valueDepth = 6
    var keys = 7
    var isCausal = false
    var position: Int?
    var maskType: ElementType?
    var block = 3
    var zeroPoint = 0
    var exponent = ShiftExponentParameters(unit: 9)
    /// There is scratch for three rows at a time.
    var hasTriples = false

    var group: Int { heads / keyValueHeads }

    /// How many keys a row sees before the mask.
    func visible(_ row: Int) -> Int {
      isCausal || position != nil ? min(max(position ?? 0, 0) + row + 1, keys) : keys
    }
  }

  /// The numbers of one case.
  private struct Numbers {
    let query, key, value: [Int]
    var mask: [Int]
    /// {multiplier, shift} of scores and of values for each head.
    var scales: [Int]

    init(_ test: Case, seed: Int) {
      var random = SeededGenerator(state: UInt64(truncatingIfNeeded: seed))
      func codes(_ count: Int, _ range: ClosedRange<Int>) -> [Int] {
        (0..<count).map { _ in Int.random(in: range, using: &random) }
      }
      query = codes(test.rows * test.heads * test.depth, test.query.codeRange)
      key = codes(test.keys * test.keyValueHeads * test.depth, -128...127)
      value = codes(test.keys * test.keyValueHeads * test.valueDepth, -128...127)
      mask = test.maskType == nil ? codes(test.keys, 1...1) : codes(test.keys, -1...1)
      // Scores spread over some octaves; outputs over most of their range.
      let spread = test.query == .int8 ? 14.0 : 22.0
      scales = (0..<test.heads).flatMap { _ -> [Int] in
        let octaves = Double.random(in: 0.5...12, using: &random)
        let score = Dyadic(test.variant == .paper ? octaves * 0x1p-8 * 0x1p14 / (spread == 14 ? 0x1p14 : 0x1p22)
          : octaves * 65536 / (spread == 14 ? 0x1p14 : 0x1p22))
        let value = Dyadic(
          Double.random(in: 0.3...1.2, using: &random)
            * (test.variant == .paper ? 1 / Double(1 << (test.exponent.quotientBits - 1)) : 1)
            * (test.output == .int16 ? 200 : 1))
        return [Int(score.multiplier), Int(score.shift), Int(value.multiplier), Int(value.shift)]
      }
    }

    func scale(_ head: Int, _ which: Int) -> (multiplier: Int, shift: Int) {
      (scales[4 * head + 2 * which], scales[4 * head + 2 * which + 1])
    }
  }

  // MARK: Definition

  private static func expected(_ test: Case, _ numbers: Numbers) -> [Int] {
    (0..<test.rows).flatMap { row in
      (0..<test.heads).flatMap { head in expected(test, numbers, row, head) }
    }
  }

  private static func expected(_ test: Case, _ numbers: Numbers, _ row: Int, _ head: Int) -> [Int] {
    let shared = head / test.group
    let scores = (0..<test.keys).map { key -> Int? in
      if key >= test.visible(row) || numbers.mask[key] == 0 { return nil }
      return (0..<test.depth).reduce(0) { sum, i in
        sum + numbers.query[(row * test.heads + head) * test.depth + i]
          * numbers.key[(key * test.keyValueHeads + shared) * test.depth + i]
      }
    }
    let stage = OutputStage(test.output, zeroPoint: test.zeroPoint)
    guard let greatest = scores.compactMap({ $0 }).max() else {
      return Array(repeating: test.zeroPoint, count: test.valueDepth)
    }
    let columns = (0..<test.valueDepth).map { column in
      (0..<test.keys).map { numbers.value[($0 * test.keyValueHeads + shared) * test.valueDepth + column] }
    }
    func output(_ sums: [Int], _ scale: (multiplier: Int, shift: Int)) -> [Int] {
      sums.map { AttentionReference.finish(AttentionReference.requantize($0, scale), stage) }
    }
    func sums(_ weights: [Int]) -> [Int] { columns.map { zip(weights, $0).reduce(0) { $0 + $1.0 * $1.1 } } }
    let (scoreScale, valueScale) = (numbers.scale(head, 0), numbers.scale(head, 1))
    switch test.variant {
    case .deferred:
      let weights = scores.map { score in
        score.map { AttentionReference.exponential(AttentionReference.requantize(greatest - $0, scoreScale), bits: 15) }
          ?? 0
      }
      return output(sums(weights), AttentionReference.normalized(valueScale, sum: weights.reduce(0, +)))
    case .paper:
      let codes = scores.map { $0.map { min(max(AttentionReference.requantize($0, scoreScale), -128), 127) } }
      return output(sums(AttentionReference.shiftmax(codes, test.exponent)), valueScale)
    case .online:
      let logarithms = scores.map { $0.map { AttentionReference.requantize($0, scoreScale) } }
      let (total, sums) = online(logarithms, columns, block: test.block, visible: test.visible(row))
      return output(sums, AttentionReference.normalized(valueScale, sum: total))
    }
  }

  private static func online(_ t: [Int?], _ columns: [[Int]], block: Int, visible: Int) -> (Int, [Int]) {
    var octave: Int?
    var total = 0
    var sums = columns.map { _ in 0 }
    for start in stride(from: 0, to: visible, by: block) {
      let range = start..<min(start + block, visible)
      guard let greatest = t[range].compactMap({ $0 }).max() else { continue }
      let next = (greatest + 65535) >> 16
      if let before = octave, next > before {
        func lowered(_ v: Int) -> Int { next - before > 30 ? 0 : (v + 1 << (next - before - 1)) >> (next - before) }
        total = lowered(total)
        sums = sums.map(lowered)
      }
      octave = max(octave ?? next, next)
      for key in range {
        guard let t = t[key] else { continue }
        let e = AttentionReference.exponential(octave! << 16 - t, bits: 15)
        total += e
        for column in columns.indices { sums[column] += e * columns[column][key] }
      }
    }
    return (total, sums)
  }

  // MARK: Kernel

  /// - Parameter stored: keys and values are constants.
  private static func program(
    _ test: Case, _ numbers: Numbers, stored: Bool
  ) -> (program: HandProgram, inputs: [[Int]]) {
    var program = HandProgram()
    var inputs = [numbers.query]
    let query = program.input([test.rows, test.heads * test.depth], test.query)
    let keyShape = [test.keys, test.keyValueHeads, test.depth]
    let valueShape = [test.keys, test.keyValueHeads, test.valueDepth]
    var operands = [Operands.input: query]
    if stored {
      operands[Operands.second] = program.constant(keyShape, .int8, codes: numbers.key)
      operands[Operands.values] = program.constant(valueShape, .int8, codes: numbers.value)
    } else {
      operands[Operands.second] = program.input(keyShape)
      operands[Operands.values] = program.input(valueShape)
      inputs += [numbers.key, numbers.value]
    }
    if let type = test.maskType {
      operands[Operands.mask] = program.input([test.keys], type)
      inputs.append(numbers.mask)
    }
    if let position = test.position { operands[Operands.position] = program.position(position) }
    operands[Operands.channels] = program.constant([test.heads, 4], .int32, codes: numbers.scales)
    let scratch =
      test.variant == .online
      ? min(test.block, test.keys) + test.valueDepth
      : test.hasTriples ? AttentionRows.scratchWords(depth: test.depth, keys: test.keys) : test.keys
    operands[Operands.scratch] = program.scratch([scratch], .int32)
    operands[Operands.output] = program.output([test.rows, test.heads * test.valueDepth], test.output)
    var parameters = AttentionParameters(
      stage: OutputStage(test.output, zeroPoint: test.zeroPoint), heads: UInt32(test.heads),
      keyValueHeads: UInt32(test.keyValueHeads), depth: UInt32(test.depth), valueDepth: UInt32(test.valueDepth),
      keys: UInt32(test.keys), isCausal: test.isCausal)
    parameters.block = UInt32(test.block)
    parameters.exponent = test.exponent
    program.step(.attention, variant: test.variant.rawValue, operands, parameters, units: test.rows)
    return (program, inputs)
  }

  private func check(_ test: Case, seed: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let numbers = Numbers(test, seed: seed)
    let wanted = Self.expected(test, numbers)
    for stored in [false, true] {
      let (program, inputs) = Self.program(test, numbers, stored: stored)
      #expect(try program.run(inputs) == [wanted], "\(test)", sourceLocation: sourceLocation)
    }
  }

  private static let variants: [AttentionVariant] = [.deferred, .online, .paper]

  @Test(arguments: variants, [ElementType.int8, .int16])
  func widths(variant: AttentionVariant, query: ElementType) throws {
    for output in [ElementType.int8, .int16] {
      for (seed, depth) in [1, 3, 4, 8, 17].enumerated() {
        try check(
          Case(query: query, output: output, variant: variant, depth: depth, valueDepth: depth + 1), seed: seed)
      }
    }
  }

  @Test(arguments: variants)
  func groupsOfHeads(variant: AttentionVariant) throws {
    for (heads, keyValueHeads) in [(1, 1), (4, 1), (4, 2), (6, 3), (3, 3)] {
      try check(
        Case(variant: variant, rows: 2, heads: heads, keyValueHeads: keyValueHeads, valueDepth: 4), seed: heads)
    }
  }

  @Test(arguments: variants)
  func lengths(variant: AttentionVariant) throws {
    for (seed, keys) in [1, 2, 3, 8, 31, 512].enumerated() {
      try check(Case(variant: variant, rows: 2, keys: keys, block: [1, 2, 32, 600][seed % 4]), seed: seed)
    }
  }

  /// Every set of visible keys, none among them.
  @Test(arguments: variants, [ElementType.int8, .int32])
  func masks(variant: AttentionVariant, type: ElementType) throws {
    let test = Case(variant: variant, rows: 1, keys: 5, maskType: type, block: 2, zeroPoint: -7)
    for set in 0..<32 {
      var numbers = Numbers(test, seed: set)
      numbers.mask = (0..<5).map { set >> $0 & 1 == 1 ? type.codeRange.lowerBound : 0 }
      let (program, inputs) = Self.program(test, numbers, stored: true)
      let codes = try program.run(inputs)
      #expect(codes == [Self.expected(test, numbers)], "\(set)")
      if set == 0 { #expect(codes[0].allSatisfy { $0 == -7 }) }
    }
  }

  @Test(arguments: variants, [false, true])
  func positions(variant: AttentionVariant, isCausal: Bool) throws {
    for position in [nil, -3, 0, 1, 4, 6, 7, 100, 32767] {
      try check(
        Case(variant: variant, rows: 4, isCausal: isCausal, position: position, maskType: .int8),
        seed: position ?? 99)
    }
  }

  @Test func parametersOfThePaper() throws {
    for unit in [1, 2, 3, 13, 200] {
      for bits in [2, 8, 16] {
        for half in [false, true] {
          let exponent = ShiftExponentParameters(
            unit: Int32(unit), octaves: unit == 2 ? 30 : 15, quotientBits: Int32(bits), keepsHalfBit: half)
          try check(Case(variant: .paper, keys: 20, exponent: exponent), seed: unit)
        }
      }
    }
  }

  /// Differences of any size, and multipliers at the ends of their range.
  @Test func steepScores() throws {
    for (seed, scale) in [[0x7FFF_FFFF, 1], [1, 62], [0, 1], [0x4000_0000, 14], [0x7FFF_FFFF, 33]].enumerated() {
      for test in [Case(keys: 9), Case(query: .int16, depth: 255, keys: 9)] {
        var numbers = Numbers(test, seed: seed)
        for head in 0..<test.heads { numbers.scales.replaceSubrange(4 * head..<4 * head + 2, with: scale) }
        let (program, inputs) = Self.program(test, numbers, stored: false)
        #expect(try program.run(inputs) == [Self.expected(test, numbers)], "\(scale)")
      }
    }
  }

  /// Queries and outputs as blocks of rows.
  @Test(arguments: variants)
  func loops(variant: AttentionVariant) throws {
    let test = Case(variant: variant, rows: 7, heads: 4, isCausal: true, maskType: .int8)
    let numbers = Numbers(test, seed: 5)
    var (program, inputs) = Self.program(test, numbers, stored: true)
    program.surroundFirstStep(units: test.rows)
    let shares: Set<Int> = [Operands.input, Operands.output]
    let codes = try program.runInLoops(inputs, rowSlots: [shares, shares, shares])
    #expect(codes == [Self.expected(test, numbers)])
  }

  /// The output may take the memory of the queries.
  @Test(arguments: variants)
  func inPlace(variant: AttentionVariant) throws {
    let test = Case(variant: variant, depth: 6, valueDepth: 6)
    let numbers = Numbers(test, seed: 3)
    var (program, inputs) = Self.program(test, numbers, stored: true)
    let query = program.program.inputs[0]
    program.program.tensors[program.program.outputs[0]].storage = program.program.tensors[query].storage
    #expect(try program.run(inputs) == [Self.expected(test, numbers)])
    inputs[0] = inputs[0].reversed()
    #expect(try program.run(inputs) != [Self.expected(test, numbers)])
  }

  /// Three query rows at a time, on the cores that have loops for them: numbers of rows and keys that leave remainders,
  /// heads that share their keys, and scales at the ends of what the loops take.
  @Test(arguments: ["mps2-an386", "mps2-an500"])
  func triplesOnBoards(_ name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    for query in [ElementType.int8, .int16] {
      for (seed, rows) in [1, 2, 3, 4, 7, 6].enumerated() {
        let test = Case(
          query: query, rows: rows, heads: 4, keyValueHeads: [4, 2, 1][seed % 3], depth: 8 * (1 + seed % 3),
          valueDepth: 2 * (1 + seed), keys: [2, 3, 8, 31, 50, 9][seed], hasTriples: true)
        var numbers = Numbers(test, seed: seed)
        if seed == 4 { numbers.scales.replaceSubrange(0..<8, with: [0x7FFF_FFFF, 10, 0x4000_0000, 19, 0x4000_0000, 40, 0x7FFF_FFFF, 62]) }
        let (program, inputs) = Self.program(test, numbers, stored: false)
        let blob = try program.blob()
        #expect(try Model.kernelForms(of: blob) == [query == .int8 ? 6 : 7], "\(test)")
        let host = try Model(blob)
        let sample = zip(host.inputs, inputs).map { $0.type.bytes(of: $1) }
        let result = try emulator.run(blob: blob, samples: [sample])
        let codes = zip(host.outputs, result.outputs[0]).map { $0.type.codes(of: $1) }
        #expect(codes == [Self.expected(test, numbers)], "\(test)")
      }
    }
  }

  /// What the loops for three rows do not take is computed like any other attention.
  @Test func othersHaveNoTriples() throws {
    var cases = Array(repeating: Case(depth: 8, valueDepth: 2, hasTriples: true), count: 9)
    cases[0].hasTriples = false
    cases[1].output = .int16
    cases[2].isCausal = true
    cases[3].maskType = .int8
    cases[4].position = 5
    cases[5].zeroPoint = 1
    cases[6].depth = 4
    cases[7].valueDepth = 3
    cases[8].keys = 1
    for test in cases {
      let (program, inputs) = Self.program(test, Numbers(test, seed: 1), stored: true)
      #expect(try Model.kernelForms(of: try program.blob()) == [0], "\(test)")
      #expect(try program.run(inputs) == [Self.expected(test, Numbers(test, seed: 1))], "\(test)")
    }
    var numbers = Numbers(Case(depth: 8, valueDepth: 2, hasTriples: true), seed: 2)
    for (place, value) in [(0, 0x3FFF_FFFF), (1, 9), (1, 41), (3, 18)] {
      let old = numbers.scales[place]
      numbers.scales[place] = value
      let (program, _) = Self.program(Case(depth: 8, valueDepth: 2, hasTriples: true), numbers, stored: true)
      #expect(try Model.kernelForms(of: try program.blob()) == [0], "\(value) at \(place)")
      numbers.scales[place] = old
    }
  }
}

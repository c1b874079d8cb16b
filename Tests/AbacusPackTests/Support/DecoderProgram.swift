import AbacusFormat

@testable import AbacusPack

/// What a decoder does with the queries, keys and values of some tokens, by hand: rotary embedding, the
/// caches, attention in each of its forms, sums, products and softmax.
struct DecoderProgram {
  private(set) var hand = HandProgram()
  private let rows: Int
  private let heads = 2, depth = 4, capacity = 5
  private var width: Int { heads * depth }
  private let position: Program.TensorIndex

  /// - Parameters:
  ///   - rows: tokens of one run.
  ///   - unitsInLoop: rows that pass through the steps behind the caches at a time.
  init(rows: Int, unitsInLoop: Int) {
    self.rows = rows
    position = hand.position(1)
    let mask = hand.input([capacity])
    let keys = cache(rotated(hand.input([rows, width])))
    let values = cache(hand.input([rows, width]))
    let firstOfLoop = hand.program.steps.count
    let query = rotated(hand.input([rows, width]))
    var last = query
    for variant in [AttentionVariant.deferred, .online, .paper] {
      last = attention(last, keys, values, mask, variant)
    }
    last = binary(.addWide, last, query, .int16, variant: AddWideVariant.sum.rawValue)
    last = binary(.addWide, query, last, .int16, variant: AddWideVariant.paper.rawValue)
    last = binary(.multiplyWide, last, query, .int16)
    last = softmax(last, .int16, .paper, to: hand.intermediate([rows, width], .int16))
    _ = softmax(last, .int8, .refined, to: hand.output([rows, width]))
    for index in firstOfLoop..<hand.program.steps.count {
      hand.program.steps[index].loop = 0
      hand.program.steps[index].unitsInLoop = unitsInLoop
      hand.program.steps[index].rowSlots = [Operands.output, Operands.input]
    }
    for index in firstOfLoop..<hand.program.steps.count
    where [.addWide, .multiplyWide].contains(hand.program.steps[index].opcode) {
      hand.program.steps[index].rowSlots.insert(Operands.second)
    }
  }

  private mutating func rotated(_ input: Program.TensorIndex) -> Program.TensorIndex {
    let table = [16384, 0, 14189, 8192, 8192, 14189].flatMap { [$0, 16384 - $0] }
    let output = hand.intermediate([rows, width])
    hand.step(
      .rotary,
      [
        Operands.input: input, Operands.output: output, Operands.position: position,
        Operands.weights: hand.constant([3, depth / 2, 2], .int16, codes: table),
        Operands.channels: hand.constant([heads, 2], .int32, codes: [1 << 30, 45, 1 << 30, 44]),
      ],
      RotaryParameters(
        stage: OutputStage(.int8), heads: UInt32(heads), depth: UInt32(depth), positions: 3, isInterleaved: true),
      units: rows)
    return output
  }

  private mutating func cache(_ input: Program.TensorIndex) -> Program.TensorIndex {
    let state = hand.intermediate([capacity, width])
    hand.program.states.append(state)
    hand.step(
      .append, [Operands.input: input, Operands.output: state, Operands.position: position],
      AppendParameters(rowLength: UInt32(width)), units: rows)
    return state
  }

  private mutating func attention(
    _ query: Program.TensorIndex, _ keys: Program.TensorIndex, _ values: Program.TensorIndex,
    _ mask: Program.TensorIndex, _ variant: AttentionVariant
  ) -> Program.TensorIndex {
    let output = hand.intermediate([rows, width])
    var parameters = AttentionParameters(
      stage: OutputStage(.int8), heads: UInt32(heads), keyValueHeads: UInt32(heads), depth: UInt32(depth),
      valueDepth: UInt32(depth), keys: UInt32(capacity), isCausal: true)
    parameters.block = 2
    parameters.exponent = ShiftExponentParameters(unit: 20)
    let value = variant == .paper ? [1 << 30, 37] : [1 << 30, 30]
    let score = variant == .paper ? [1 << 30, 37] : [1 << 30, 26]
    hand.step(
      .attention, variant: variant.rawValue,
      [
        Operands.input: query, Operands.second: keys, Operands.values: values, Operands.mask: mask,
        Operands.position: position, Operands.output: output,
        Operands.channels: hand.constant([heads, 4], .int32, codes: score + value + score + value),
        Operands.scratch: hand.scratch([variant == .online ? 2 + depth : capacity], .int32),
      ], parameters, units: rows)
    return output
  }

  private mutating func binary(
    _ opcode: Opcode, _ a: Program.TensorIndex, _ b: Program.TensorIndex, _ type: ElementType, variant: UInt8 = 0
  ) -> Program.TensorIndex {
    let output = hand.intermediate([rows, width], type)
    var parameters = BinaryParameters(stage: OutputStage(type, shift: 24))
    parameters.dims[4] = UInt32(rows)
    parameters.dims[5] = UInt32(width)
    for (dimension, stride) in [(4, width), (5, 1)] {
      parameters.strideA[dimension] = UInt32(stride)
      parameters.strideB[dimension] = UInt32(stride)
    }
    (parameters.multiplierA, parameters.multiplierB) = (1 << 30, -(1 << 29))
    parameters.innerShift = 25
    hand.step(
      opcode, variant: variant, [Operands.input: a, Operands.second: b, Operands.output: output], parameters,
      units: rows)
    return output
  }

  private mutating func softmax(
    _ input: Program.TensorIndex, _ type: ElementType, _ variant: SoftmaxVariant, to output: Program.TensorIndex
  ) -> Program.TensorIndex {
    var parameters = SoftmaxWideParameters(rowLength: UInt32(width), multiplier: 1 << 30, shift: 28)
    parameters.exponent = ShiftExponentParameters(unit: 3000, quotientBits: type == .int16 ? 16 : 8)
    hand.step(
      .softmaxWide, variant: variant.rawValue, [Operands.input: input, Operands.output: output], parameters,
      units: rows)
    return output
  }
}

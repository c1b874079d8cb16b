import AbacusFormat

@testable import AbacusPack

/// Embedding, normalisations, projections and activations one after the other: every operator of rows in
/// each of its variants, and what plain integers make of it.
struct RowChain {
  private(set) var program = GoldenProgram("chain")
  /// What each step should give.
  private(set) var results: [[Int]] = []
  private var random: RandomCodes
  private let rows: Int
  private var last: (tensor: Program.TensorIndex, codes: [Int], width: Int, type: ElementType)

  /// - Parameters:
  ///   - unitsInLoop: rows that pass through all steps at a time; nil for one step after the other.
  init(rows: Int, unitsInLoop: Int?, seed: UInt64 = 60) {
    self.rows = rows
    random = RandomCodes(seed: seed)
    last = (0, [], 0, .int8)
    embed(entries: 20, width: 6)
    let first = last
    normalize(.layer, .int8)
    project(5, .int16)
    activate(.int8)
    project(6, .int16, .residual, residual: first)
    let second = last
    normalize(.rootMeanSquare, .int16)
    project(3, .int8)
    activatePaper(.int16)
    project(6, .int16, .paperResidual, residual: second)
    normalize(.paper, .int8)
    project(4, .int32, isOutput: true)
    guard let unitsInLoop else { return }
    for index in program.hand.program.steps.indices {
      program.hand.program.steps[index].rowSlots = [Operands.output, Operands.input, Operands.second]
      program.hand.program.steps[index].loop = 0
      program.hand.program.steps[index].unitsInLoop = unitsInLoop
    }
  }

  private mutating func finish(_ type: ElementType, _ width: Int, _ codes: [Int], isOutput: Bool = false) -> Program.TensorIndex {
    let tensor =
      isOutput
      ? program.output([rows, width], type, codes, "last") : program.hand.intermediate([rows, width], type)
    last = (tensor, codes, width, type)
    results.append(codes)
    return tensor
  }

  private func byRows(_ codes: [Int]) -> [[Int]] {
    (0..<rows).map { Array(codes[($0 * codes.count / rows)..<(($0 + 1) * codes.count / rows)]) }
  }

  private mutating func embed(entries: Int, width: Int) {
    let indices = (0..<rows).map { _ in random.number(-1...entries) }
    let table = (0..<entries).map { _ in random.codes(width, .int8) }
    let multipliers = (0..<entries).map { _ in random.number(1 << 29...1 << 30) }
    let stage = OutputStage(shift: 24, zeroPoint: 0, low: -32768, high: 32767)
    let codes = IntegerReference.embed(indices, table: table, multipliers: multipliers, stage)
    let operands = [
      Operands.input: program.input([rows], .int32, indices),
      Operands.weights: program.words([entries, width], table.flatMap { $0 }, .int8),
      Operands.channels: program.words([entries], multipliers),
      Operands.output: finish(.int16, width, codes),
    ]
    program.step(
      .embed, operands, EmbedParameters(stage: stage, entries: UInt32(entries), rowLength: UInt32(width)), units: rows)
  }

  private mutating func normalize(_ variant: NormalizeVariant, _ type: ElementType) {
    let width = last.width
    var p = NormalizeParameters(
      stage: stage(type, shift: variant == .paper ? 57 : 44), rowLength: UInt32(width), epsilon: 100)
    p.inputZeroPoint = 0
    let channels = (0..<width).map { _ in
      variant == .paper
        ? (random.number(-1 << 20...1 << 20), random.number(1 << 30...Int(Int32.max)))
        : (random.number(1 << 28...1 << 29), variant == .layer ? random.number(-20_000...20_000) : 0)
    }
    let codes = byRows(last.codes).flatMap { IntegerReference.normalize($0, channels: channels, variant, p) }
    let operands = [
      Operands.input: last.tensor, Operands.channels: program.words([width, 2], channels.flatMap { [$0.0, $0.1] }),
      Operands.output: finish(type, width, codes),
    ]
    program.step(.normalize, variant: variant.rawValue, operands, p, units: rows)
  }

  private mutating func project(
    _ width: Int, _ type: ElementType, _ variant: ProjectVariant = .plain,
    residual: (tensor: Program.TensorIndex, codes: [Int], width: Int, type: ElementType)? = nil, isOutput: Bool = false
  ) {
    let depth = last.width
    let weights = (0..<width).map { _ in random.codes(depth, .int8) }
    let channels = (0..<width).map { _ in
      (bias: random.number(-100...100), multiplier: random.number(1 << 28...1 << 29))
    }
    // From sums of products to most of the output's range.
    let shift = (last.type == .int16 ? 37 : 35) - (type == .int8 ? 0 : 5)
    var p = ProjectParameters(stage: stage(type, shift: shift))
    p.residualMultiplier = 1 << Int32(shift - 1)
    if variant == .paperResidual {
      (p.residualMultiplier, p.residualShift, p.branchMultiplier, p.branchShift) = (1 << 30, 31, 1 << 30, 31)
    } else if shift > 31 {
      p.residualMultiplier = 1 << 30
    }
    let codes = IntegerReference.project(
      last.codes, weights: weights, channels: channels, shifts: nil, residual: residual?.codes ?? [], variant, p)
    var operands = [
      Operands.input: last.tensor, Operands.weights: program.words([width, depth], weights.flatMap { $0 }, .int8),
      Operands.channels: program.words([width, 2], channels.flatMap { [$0.bias, $0.multiplier] }),
      Operands.output: finish(type, width, codes, isOutput: isOutput),
    ]
    if let residual { operands[Operands.second] = residual.tensor }
    program.step(.project, variant: variant.rawValue, operands, p, units: rows)
  }

  private mutating func activate(_ type: ElementType) {
    let table = (ActivationCurve(.gelu(approximate: false))?.table ?? []).map { Int($0) }
    var p = ActivationParameters(stage: stage(type, shift: 41), multiplier: 1 << 30, rowLength: UInt32(last.width))
    (p.inputMultiplier, p.inputShift) = (1 << 30, 33)
    let codes = IntegerReference.activate(last.codes, table: table, p)
    let width = last.width
    let operands = [
      Operands.input: last.tensor, Operands.weights: program.words([table.count], table, .int16),
      Operands.output: finish(type, width, codes),
    ]
    program.step(.activation, operands, p, units: rows)
  }

  private mutating func activatePaper(_ type: ElementType) {
    var p = ActivationParameters(stage: stage(type, shift: 30), multiplier: 1 << 30, rowLength: UInt32(last.width))
    p.exponent = ShiftExponentParameters(unit: 16, octaves: 23, quotientBits: 8)
    let codes = byRows(last.codes).flatMap { IntegerReference.activatePaper($0, p) }
    let width = last.width
    let operands = [Operands.input: last.tensor, Operands.output: finish(type, width, codes)]
    program.step(.activation, variant: ActivationVariant.paper.rawValue, operands, p, units: rows)
  }

  private func stage(_ type: ElementType, shift: Int) -> OutputStage {
    let range = RandomCodes.range(type)
    return OutputStage(
      shift: Int32(shift), zeroPoint: 0, low: Int32(range.lowerBound), high: Int32(range.upperBound))
  }
}

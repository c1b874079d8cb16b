import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Projections of every width, layout and variant against plain integers.
@Suite struct ProjectTests {
  /// One projection with random numbers.
  struct Projection {
    var input = ElementType.int8
    var output = ElementType.int8
    var variant = ProjectVariant.plain
    var residual = ElementType.int8
    var isResidualConstant = false
    var rows = 1
    var depth = 1
    var channels = 1
    var blocks = (rows: 1, columns: 1)
    var hasShifts = false
    /// Weights in pairs of channels, with scratch to widen rows in.
    var isPaired = false
    /// Random unless given.
    var shift: ClosedRange<Int>?
    var hasZeroPoints = true

    /// Adds the step; the residual, if not constant, is one more input.
    func add(to program: inout GoldenProgram, _ random: inout RandomCodes, _ label: String) {
      let x = random.codes(rows * depth, input)
      let weights = (0..<channels).map { _ in random.codes(depth, .int8) }
      let constants = (0..<channels).map { _ in
        (bias: random.number(-100_000...100_000), multiplier: 2 * random.number(1 << 27...1 << 28))
      }
      let shift = input == .int16 ? 41 : 37
      let shifts = hasShifts ? (0..<channels).map { _ in random.number(26...shift) } : nil
      var p = ProjectParameters(stage: random.stage(output, shift: random.number(self.shift ?? 28...shift)))
      if !hasZeroPoints { p.stage.zeroPoint = 0 }
      var operands: [Int: Program.TensorIndex] = [:]
      var addends: [Int] = []
      if variant != .plain {
        addends = random.codes(rows * channels, residual)
        p.residualZeroPoint = hasZeroPoints ? Int32(random.number(-100...100)) : 0
        p.residualMultiplier = Int32(random.number(-1 << 30...1 << 30))
        p.residualShift = Int32(random.number(22...38))
        p.branchMultiplier = Int32(random.number(1 << 29...Int(Int32.max)))
        p.branchShift = Int32(random.number(29...38))
        operands[Operands.second] =
          isResidualConstant
          ? program.words([rows, channels], addends, residual) : program.input([rows, channels], residual, addends)
      }
      let wanted = IntegerReference.project(
        x, weights: weights, channels: constants, shifts: shifts, residual: addends, variant, p)
      let codes = weights.flatMap { $0 }
      let matrix = program.hand.constant(
        [channels, depth], .int8,
        isPaired
          ? pairedLayout(codes, rows: channels)
          : blockedLayout(codes, rows: channels, blockRows: blocks.rows, blockColumns: blocks.columns))
      if isPaired {
        program.hand.program.tensors[matrix].layout = .paired
        program.hand.program.tensors[matrix].blockRows = 2
        program.hand.program.tensors[matrix].blockColumns = 4
        let bytes = PairedLayout.scratchBytes(depth: UInt32(depth), rows: UInt32(rows))
        operands[Operands.scratch] = program.hand.scratch([Int(bytes)], .int8)
      } else if blocks != (1, 1) {
        program.hand.program.tensors[matrix].layout = .blocked
        program.hand.program.tensors[matrix].blockRows = blocks.rows
        program.hand.program.tensors[matrix].blockColumns = blocks.columns
      }
      operands[Operands.input] = program.input([rows, depth], input, x)
      operands[Operands.output] = program.output([rows, channels], output, wanted, label)
      operands[Operands.weights] = matrix
      operands[Operands.channels] = program.words([channels, 2], constants.flatMap { [$0.bias, $0.multiplier] })
      if let shifts { operands[Operands.shifts] = program.words([channels], shifts, .uint8) }
      program.step(.project, variant: variant.rawValue, operands, p, units: rows)
    }
  }

  private func check(_ projections: [Projection], seed: UInt64) throws {
    var random = RandomCodes(seed: seed)
    // A few in one blob.
    for start in stride(from: 0, to: projections.count, by: 6) {
      var program = GoldenProgram("projections")
      for projection in projections[start..<min(start + 6, projections.count)] {
        projection.add(to: &program, &random, "\(projection)")
      }
      let model = try Model(try program.hand.blob())
      program.expect(try model(program.sample))
      #expect(model.guardsAreIntact)
    }
  }

  private static let shapes = [(1, 1, 1), (1, 7, 2), (2, 4, 3), (3, 5, 4), (4, 33, 5), (5, 16, 1)]
  private static let blocks = [(1, 1), (2, 4), (4, 16), (1, 8)]

  @Test func plain() throws {
    var all: [Projection] = []
    for input in [ElementType.int8, .int16] {
      for output in [ElementType.int8, .int16, .int32] {
        for (rows, depth, channels) in Self.shapes {
          for (index, blocks) in Self.blocks.enumerated() {
            all.append(
              Projection(
                input: input, output: output, rows: rows, depth: depth, channels: channels, blocks: blocks,
                hasShifts: index % 2 == 1))
          }
        }
      }
    }
    try check(all, seed: 1)
  }

  @Test(arguments: [ProjectVariant.residual, .paperResidual])
  func withResidual(_ variant: ProjectVariant) throws {
    var all: [Projection] = []
    for input in [ElementType.int8, .int16] {
      for output in [ElementType.int8, .int16] {
        for residual in [ElementType.int8, .int16] {
          for (index, shape) in Self.shapes.enumerated() {
            all.append(
              Projection(
                input: input, output: output, variant: variant, residual: residual,
                isResidualConstant: index % 2 == 0, rows: shape.0, depth: shape.1, channels: shape.2,
                blocks: Self.blocks[index % 3], hasShifts: variant == .paperResidual && index % 3 == 0))
          }
        }
      }
    }
    try check(all, seed: 2)
  }

  /// The longest sum of int16 codes that cannot overflow, and what the certificate says of it.
  @Test(arguments: [-127, 127])
  func longestSums(weight: Int) throws {
    let depth = 515
    var program = GoldenProgram("longest sums")
    var operands = [
      Operands.input: program.input([2, depth], .int16, Array(repeating: -32768, count: 2 * depth)),
      Operands.weights: program.words([2, depth], Array(repeating: weight, count: 2 * depth), .int8),
      Operands.channels: program.words([2, 2], [1, 2, -1, 2]),
    ]
    let sum = -32768 * weight * depth
    operands[Operands.output] = program.output(
      [2, 2], .int32, [sum + 1, sum - 1, sum + 1, sum - 1], "sum")
    program.step(
      .project, operands,
      ProjectParameters(stage: OutputStage(shift: 1, zeroPoint: 0, low: .min, high: .max)), units: 2)
    let blob = try program.hand.blob()
    program.expect(try Model(blob)(program.sample))
    let certificate = BoundsCertificate(try BlobDescription(blob, name: "test"))
    #expect(certificate.rows.map(\.bound) == [Int64(sum.magnitude) + 1] && certificate.holds)
  }

  /// One shift serves accumulator and residual.
  @Test func residualsHaveOneShift() throws {
    var random = RandomCodes(seed: 3)
    var program = GoldenProgram("shifts")
    let projection = Projection(variant: .residual, channels: 2, hasShifts: true)
    projection.add(to: &program, &random, "")
    #expect(throws: Status.corrupt) { try Model(try program.hand.blob()) }
  }

  /// A sum that leaves 32 bits is clamped, not wrapped.
  @Test func residualsSaturate() throws {
    var program = GoldenProgram("saturation")
    var p = ProjectParameters(stage: OutputStage(shift: 1, zeroPoint: -3, low: -32768, high: 32767))
    p.residualMultiplier = 1 << 30
    program.step(
      .project, variant: ProjectVariant.residual.rawValue,
      [
        Operands.input: program.input([1, 1], .int8, [1]),
        Operands.second: program.input([1, 2], .int16, [32767, -32768]),
        Operands.weights: program.words([2, 1], [0, 0], .int8),
        Operands.channels: program.words([2, 2], [Int(Int32.max), 1 << 30, Int(Int32.min), 1 << 30]),
        Operands.output: program.output([1, 2], .int16, [32767, -32768], "saturated"),
      ], p, units: 1)
    program.expect(try Model(try program.hand.blob())(program.sample))
  }
}

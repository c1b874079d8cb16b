import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Layers with weights of 4 and 2 bits, on every grid, with and without groups, against plain integers.
@Suite struct CodedWeightsTests {
  /// Every bit width, grid and length of groups.
  static let formats: [WeightFormat] = [4, 2].flatMap { bits in
    [nil, 16, 32, 128].flatMap { size -> [WeightFormat] in
      [.symmetric, .odd, .offset].filter { $0 != .offset || size != nil }.map {
        WeightFormat(bits: bits, grid: $0, groupSize: size)
      }
    }
  }

  /// Projections of all kinds, a program for each format.
  static let projections = formats.enumerated().map { index, format in
    var random = RandomCodes(seed: UInt64(index))
    var program = GoldenProgram("projections: \(format)")
    // One or two int8 rows with whole groups of 32, and a part of one behind them, have loops of their own.
    let shapes = [(1, 16, 2), (2, 7, 3), (3, 33, 4), (5, 130, 2), (4, 256, 5), (1, 40, 2), (1, 72, 4), (2, 9, 2), (2, 160, 6)]
    for (index, shape) in shapes.enumerated() {
      program.addCodedProjection(
        format, rows: shape.0, depth: shape.1, channels: shape.2, input: [.int8, .int16][index % 2],
        output: [ElementType.int8, .int16, .int16][index % 3], variant: index == 4 ? .residual : .plain,
        hasScratch: index != 1, &random)
    }
    return program
  }

  /// Convolutions whose windows reach over the border and leave parts of words.
  static let convolutions = formats.enumerated().map { index, format in
    var random = RandomCodes(seed: UInt64(100 + index))
    var program = GoldenProgram("convolutions: \(format)")
    for (size, channels) in [([1, 1], (20, 4)), ([3, 3], (4, 4)), ([2, 3], (5, 2)), ([3, 1], (12, 5))] {
      program.addCodedConvolution(
        format, size: size, inputs: channels.0, channels: channels.1, hasScratch: size != [3, 3], &random)
    }
    return program
  }

  @Test(arguments: projections + convolutions)
  func onThisMachine(program: GoldenProgram) throws {
    let model = try Model(try program.hand.blob())
    program.expect(try model(program.sample))
    #expect(model.guardsAreIntact)
  }

  @Test(arguments: BoardTests.boards)
  func onBoard(name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    for program in Self.projections + Self.convolutions {
      let result = try emulator.run(blob: try program.hand.blob(), samples: [program.sample])
      program.expect(try #require(result.outputs.first))
      #expect(result.stackBytes <= emulator.board.stackBytes, "\(program.name)")
    }
  }

  /// The place of every code, by the words of the specification.
  @Test(arguments: formats) func everyCodeHasItsPlace(format: WeightFormat) {
    var random = RandomCodes(seed: 7)
    let rounded = RoundedWeights.random(format, channels: 3, depth: 37, &random)
    let bytes = rounded.codeBytes
    #expect(bytes.count == CodeLayout.bytes(channels: 3, depth: 37, format.elementType))
    let perWord = 32 / format.bits
    let words = (37 + perWord - 1) / perWord
    for n in 0..<3 {
      for k in 0..<37 {
        let word = (n / 2 * words + k / perWord) * 2 + n % 2
        let value = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[4 * word + $1]) << UInt32(8 * $1) }
        let (quad, place) = (k % perWord / 4, k % 4)
        let bit = (place / 2) * 16 + (2 * quad + place % 2) * format.bits
        let field = Int(value >> UInt32(bit)) & (1 << format.bits - 1)
        #expect(Int(rounded.codes[n * 37 + k]) == format.levels[0] + format.step * (field - format.firstField))
      }
    }
  }

  /// Weights of 4 bits in a model that comes quantised take half a byte, and give what 8 bits give.
  @Test func importedNibbles() throws {
    for seed in 0..<6 {
      var test = TestGraph(seed: seed)
      for index in 0..<3 {
        let depth = 5 + 13 * index
        let input = test.input(index == 2 ? [1, 5, 6, depth] : [3, depth])
        let shape = index == 2 ? [4, 2, 3, depth] : [6, depth]
        let (weights, bias, scale) = test.weights(for: input, shape, axis: 0, depth: depth, style: WeightStyle())
        test.graph.tensors[weights].data = test.graph.tensors[weights].data?.map {
          UInt8(bitPattern: Int8(bitPattern: $0) >> 4)
        }
        if index == 2 {
          test.output(
            .convolution(WindowAttributes(size: [2, 3], padBefore: [1, 0]), groups: 1, .none), [input, weights, bias],
            [1, 5, 4, 4], scale: scale / 8)
        } else {
          test.output(.fullyConnected(.relu), [input, weights, bias], [3, 6], scale: scale / 8)
        }
      }
      let wanted = try Execution.run(test.graph, test.inputCodes)
      var narrow = test.graph
      for node in narrow.nodes { narrow.tensors[node.inputs[1]!].type = .int4 }
      #expect(try Execution.run(narrow, test.inputCodes) == wanted)
      let blob = try BlobDescription(Packer.pack(narrow).blob, name: "test")
      #expect(blob.tensors.count { $0.elementType == ElementType.int4.rawValue } == 3)
      let certificate = BoundsCertificate(blob)
      #expect(certificate.holds)
      #expect(
        certificate.rows.map(\.bound)
          == BoundsCertificate(try BlobDescription(Packer.pack(test.graph).blob, name: "test")).rows.map(\.bound))
    }
  }

  /// Whatever a group has, its integers are those that the operator multiplies by.
  @Test(arguments: formats) func certificateKnowsGroups(format: WeightFormat) throws {
    var random = RandomCodes(seed: 3)
    var program = GoldenProgram("bounds")
    let rounded = program.addCodedProjection(
      format, rows: 1, depth: 40, channels: 2, input: .int8, output: .int8, variant: .plain, bias: 0, &random)
    let sums = (0..<2).map { n in (0..<40).reduce(0) { $0 + abs(rounded.integer(n, $1)) } }
    let certificate = BoundsCertificate(try BlobDescription(program.hand.blob(), name: "test"))
    #expect(certificate.rows.map(\.bound) == [128 * Int64(sums.max()!)])
  }
}

extension WeightFormat {
  /// From one value of the grid to the next, and the field of the first: fields of symmetric grids begin at 1.
  fileprivate var step: Int { grid == .odd ? 2 : 1 }
  fileprivate var firstField: Int { grid == .symmetric ? 1 : 0 }
}

extension RoundedWeights {
  /// Any codes, scales and zero points that the format has.
  static func random(
    _ format: WeightFormat, channels: Int, depth: Int, _ random: inout RandomCodes
  ) -> RoundedWeights {
    var rounded = RoundedWeights(
      format: format, channels: channels, depth: depth, codes: [], scales: Array(repeating: 1, count: channels),
      relativeScales: [], zeros: [], lift: random.pick([1, format.lift]))
    rounded.codes = (0..<channels * depth).map { _ in Int8(random.pick(format.levels)) }
    if format.groupSize == nil { return rounded }
    let count = channels * rounded.groups
    rounded.relativeScales = (0..<count).map { _ in UInt8(random.number(1...255)) }
    if format.grid == .offset { rounded.zeros = (0..<count).map { _ in Int8(random.number(-128...127)) } }
    return rounded
  }
}

extension GoldenProgram {
  /// A constant of codes, and what its groups have.
  private mutating func codes(_ rounded: RoundedWeights, shape: [Int]) -> [Int: Program.TensorIndex] {
    let weights = hand.constant(shape, rounded.format.elementType, rounded.codeBytes)
    hand.program.tensors[weights].layout = .codes
    hand.program.tensors[weights].blockColumns = Int(rounded.format.codeGrid.rawValue)
    hand.program.tensors[weights].groupSize = rounded.format.groupSize
    if rounded.format.groupSize == nil { hand.program.tensors[weights].blockRows = rounded.lift }
    var operands = [Operands.weights: weights]
    let groups = [rounded.channels, rounded.groups]
    if !rounded.relativeScales.isEmpty {
      operands[Operands.groupScales] = words(groups, rounded.relativeScales.map(Int.init), .uint8)
    }
    if !rounded.zeros.isEmpty { operands[Operands.groupZeros] = words(groups, rounded.zeros.map(Int.init), .int8) }
    return operands
  }

  /// Bias and multiplier of channels, such that outputs of all sizes occur.
  private mutating func channels(
    _ rounded: RoundedWeights, bias: Int, _ random: inout RandomCodes
  ) -> [(bias: Int, multiplier: Int)] {
    (0..<rounded.channels).map { _ in
      (bias: random.number(-bias...bias), multiplier: 2 * random.number(1 << 27...1 << 28))
    }
  }

  /// A shift that takes the largest sums of a product to about the ends of the output's type.
  private func shift(_ rounded: RoundedWeights, _ input: ElementType, _ output: ElementType) -> Int {
    let sums = (0..<rounded.channels).map { n in (0..<rounded.depth).reduce(0) { $0 + abs(rounded.integer(n, $1)) } }
    let bits = IntegerReference.bitLength(max(sums.max() ?? 1, 1)) + (input == .int16 ? 15 : 7) - 2
    return max(bits - (output == .int16 ? 15 : 7) + 28, 17)
  }

  /// A fully connected layer.
  @discardableResult
  mutating func addCodedProjection(
    _ format: WeightFormat, rows: Int, depth: Int, channels count: Int, input: ElementType, output: ElementType,
    variant: ProjectVariant, bias: Int = 100_000, hasScratch: Bool = false, _ random: inout RandomCodes
  ) -> RoundedWeights {
    // Sums with int16 have no room for scales of groups.
    let format = input == .int16 ? format.withoutGroups : format
    let rounded = RoundedWeights.random(format, channels: count, depth: depth, &random)
    let x = random.codes(rows * depth, input)
    let constants = channels(rounded, bias: bias, &random)
    var p = ProjectParameters(stage: random.stage(output, shift: shift(rounded, input, output)))
    var operands = codes(rounded, shape: [count, depth])
    var residual: [Int] = []
    if variant == .residual {
      residual = random.codes(rows * count, output)
      p.residualMultiplier = Int32(random.number(-1 << 29...1 << 29))
      operands[Operands.second] = self.input([rows, count], output, residual)
    }
    let weights = (0..<count).map { n in (0..<depth).map { rounded.integer(n, $0) } }
    let wanted = IntegerReference.project(
      x, weights: weights, channels: constants, shifts: nil, residual: residual, variant, p)
    operands[Operands.input] = self.input([rows, depth], input, x)
    operands[Operands.output] = self.output([rows, count], output, wanted, "\(rows) x \(depth) x \(count), \(input) to \(output)")
    operands[Operands.channels] = words([count, 2], constants.flatMap { [$0.bias, $0.multiplier] })
    if hasScratch {
      let bytes = CodeLayout.widenedBytes(depth: depth, groups: rounded.groups, rows: rows)
      operands[Operands.scratch] = hand.scratch([bytes], .int8)
    }
    step(.codedProject, variant: variant.rawValue, operands, p, units: rows)
    return rounded
  }

  /// A convolution of an image of 5 x 6, stride 1 x 2, a column of padding on the left and a row above.
  mutating func addCodedConvolution(
    _ format: WeightFormat, size: [Int], inputs: Int, channels count: Int, hasScratch: Bool = false,
    _ random: inout RandomCodes
  ) {
    let depth = size[0] * size[1] * inputs
    let rounded = RoundedWeights.random(format, channels: count, depth: depth, &random)
    let image = random.codes(5 * 6 * inputs, .int8)
    let constants = channels(rounded, bias: 100_000, &random)
    let stage = random.stage(.int8, shift: shift(rounded, .int8, .int8))
    let fill = random.number(-128...127)
    let (height, width) = (5 + 1 - size[0] + 1, (6 + 1 - size[1]) / 2 + 1)
    let patches = (0..<height * width).flatMap { pixel in
      (0..<depth).map { k -> Int in
        let row = pixel / width - 1 + k / inputs / size[1]
        let column = pixel % width * 2 - 1 + k / inputs % size[1]
        let isInside = (0..<5).contains(row) && (0..<6).contains(column)
        return isInside ? image[(row * 6 + column) * inputs + k % inputs] : fill
      }
    }
    let weights = (0..<count).map { n in (0..<depth).map { rounded.integer(n, $0) } }
    let wanted = IntegerReference.project(
      patches, weights: weights, channels: constants, shifts: nil, residual: [], .plain, ProjectParameters(stage: stage))
    var operands = codes(rounded, shape: [count] + size + [inputs])
    operands[Operands.input] = input([1, 5, 6, inputs], .int8, image)
    operands[Operands.output] = output([1, height, width, count], .int8, wanted, "\(size), \(inputs) to \(count)")
    operands[Operands.channels] = words([count, 2], constants.flatMap { [$0.bias, $0.multiplier] })
    let patch = (depth + 3) & ~3
    let widened = CodeLayout.widenedBytes(depth: depth, groups: rounded.groups, rows: 3)
    operands[Operands.scratch] = hand.scratch([hasScratch ? widened + patch : patch], .int8)
    let window = Window(
      height: UInt32(size[0]), width: UInt32(size[1]), strideHeight: 1, strideWidth: 2, dilationHeight: 1,
      dilationWidth: 1, padTop: 1, padLeft: 1)
    step(
      .codedConvolution, operands,
      ConvolutionParameters(window: window, stage: stage, inputZeroPoint: Int32(fill), weightZeroPoint: 0), units: height)
  }
}

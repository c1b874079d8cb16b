import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Fully connected layers whose weights are stored in groups, against the same weights with their zeros.
@Suite struct SparseWeightsTests {
  /// Depths with and without a part of a group, channels that keep all, some and none, all types and variants.
  static let program: GoldenProgram = {
    var random = RandomCodes(seed: 11)
    var program = GoldenProgram("groups")
    for (index, shape) in [(1, 16, 2), (2, 7, 3), (3, 33, 4), (5, 128, 3), (4, 256, 5), (1, 4080, 2)].enumerated() {
      program.addSparseProjection(
        rows: shape.0, depth: shape.1, channels: shape.2, input: [.int8, .int16][index % 2],
        output: [ElementType.int8, .int16, .int32][index % 3], variant: index == 4 ? .residual : .plain, &random)
    }
    return program
  }()

  @Test func onThisMachine() throws {
    let model = try Model(try Self.program.hand.blob())
    Self.program.expect(try model(Self.program.sample))
    #expect(model.guardsAreIntact)
  }

  @Test(arguments: BoardTests.boards)
  func onBoard(name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    let result = try emulator.run(blob: try Self.program.hand.blob(), samples: [Self.program.sample])
    Self.program.expect(try #require(result.outputs.first))
    #expect(result.stackBytes <= emulator.board.stackBytes)
  }

  /// A matrix, its groups by hand.
  @Test func groupsOfChannels() throws {
    var codes = [Int](repeating: 0, count: 3 * 35)
    (codes[16], codes[34], codes[70]) = (5, -3, 7)
    let groups = try #require(WeightGroups(codes, channels: 3, depth: 35))
    #expect(groups.counts == [2, 0, 1])
    #expect(groups.indices == [1, 2, 0])
    var values = [Int](repeating: 0, count: 48)
    (values[0], values[18], values[32]) = (5, -3, 7)
    #expect(groups.values == values)
    #expect(WeightGroups([], channels: 0, depth: GroupLayout.maximumDepth + 1) == nil)
  }

  /// Packed with `--sparsity groups` and without: the same bytes, whatever share of the groups is kept.
  @Test(arguments: [0, 0.3, 0.5]) func asDense(keptShare: Double) throws {
    for seed in 0..<4 {
      let test = TestGraph.pruned(seed: seed, depth: [64, 72, 48, 100][seed], keptShare: keptShare)
      var options = PackOptions()
      options.sparsity = .groups
      let packed = try Packer.pack(test.graph, options: options)
      #expect(packed.planned.program.steps.map(\.opcode) == [.sparseProject])
      let wanted = try Execution.run(test.graph, test.inputCodes)
      #expect(try Execution.run(test.graph, test.inputCodes, options: options) == wanted)
      #expect(try Execution.run(test.graph, test.inputCodes, options: options, bySteps: true) == wanted)
      let dense = try Packer.pack(test.graph)
      #expect(packed.blob.count < dense.blob.count)
      let bounds = try [packed, dense].map { BoundsCertificate(try BlobDescription($0.blob, name: "test")).rows.map(\.bound) }
      #expect(bounds[0] == bounds[1])
    }
  }

  /// Where next to nothing can be left out the layer stays as it is.
  @Test func denseStaysDense() throws {
    var options = PackOptions()
    options.sparsity = .groups
    let test = TestGraph.pruned(seed: 9, depth: 64, keptShare: 1)
    #expect(try Packer.pack(test.graph, options: options).planned.program.steps.map(\.opcode) == [.fullyConnected])
  }
}

extension TestGraph {
  /// A fully connected layer that keeps this share of its groups, at random.
  fileprivate static func pruned(seed: Int, depth: Int, keptShare: Double) -> TestGraph {
    var test = TestGraph(seed: seed)
    let input = test.input([3, depth])
    let channels = 24
    let (weights, bias, scale) = test.weights(for: input, [channels, depth], axis: 0, depth: depth, style: WeightStyle())
    let groups = GroupLayout.groups(depth: depth)
    let kept = Set((0..<channels * groups).shuffled(using: &test.generator).prefix(Int(keptShare * Double(channels * groups))))
    test.graph.tensors[weights].data = test.graph.tensors[weights].data?.enumerated().map { index, code in
      kept.contains(index / depth * groups + index % depth / GroupLayout.size) ? code : 0
    }
    test.output(.fullyConnected(.relu), [input, weights, bias], [3, channels], scale: scale)
    return test
  }
}

extension GoldenProgram {
  /// A fully connected layer whose first channel keeps nothing, the second everything, and others half.
  mutating func addSparseProjection(
    rows: Int, depth: Int, channels count: Int, input: ElementType, output: ElementType, variant: ProjectVariant,
    _ random: inout RandomCodes
  ) {
    let limit = input == .int16 ? 12 : 127
    var matrix = (0..<count * depth).map { _ in random.number(-limit...limit) }
    for n in 0..<count where n != 1 {
      for start in stride(from: 0, to: depth, by: GroupLayout.size) where n == 0 || random.number(0...1) == 0 {
        for k in start..<min(start + GroupLayout.size, depth) { matrix[n * depth + k] = 0 }
      }
    }
    let groups = WeightGroups(matrix, channels: count, depth: depth)!
    let x = random.codes(rows * depth, input)
    let constants = (0..<count).map { _ in
      (bias: random.number(-100_000...100_000), multiplier: 2 * random.number(1 << 27...1 << 28))
    }
    let weights = (0..<count).map { Array(matrix[$0 * depth..<($0 + 1) * depth]) }
    let sums = weights.map { $0.reduce(0) { $0 + abs($1) } }
    let bits = IntegerReference.bitLength(sums.max()!) + (input == .int16 ? 15 : 7) - 2
    let width = output == .int8 ? 7 : 15
    var p = ProjectParameters(stage: random.stage(output, shift: max(bits - width + 28, 17)))
    var residual: [Int] = []
    var operands: [Int: Program.TensorIndex] = [:]
    if variant == .residual {
      residual = random.codes(rows * count, output)
      p.residualMultiplier = Int32(random.number(-1 << 29...1 << 29))
      operands[Operands.second] = self.input([rows, count], output, residual)
    }
    let wanted = IntegerReference.project(
      x, weights: weights, channels: constants, shifts: nil, residual: residual, variant, p)
    operands[Operands.input] = self.input([rows, depth], input, x)
    operands[Operands.output] = self.output([rows, count], output, wanted, "\(rows) x \(depth) x \(count), \(input) to \(output)")
    operands[Operands.weights] = words([groups.indices.count, GroupLayout.size], groups.values, .int8)
    operands[Operands.channels] = words([count, 2], constants.flatMap { [$0.bias, $0.multiplier] })
    operands[Operands.groupCounts] = words([count], groups.counts.map(Int.init), .uint8)
    operands[Operands.groupIndices] = words([groups.indices.count], groups.indices.map(Int.init), .uint8)
    step(
      .sparseProject, variant: variant.rawValue, operands, SparseProjectParameters(project: p, depth: UInt32(depth)),
      units: rows)
  }
}

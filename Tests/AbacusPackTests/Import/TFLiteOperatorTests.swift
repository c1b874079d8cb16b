import Testing

@testable import AbacusPack

/// How each operator of TFLite stands in a graph.
@Suite struct TFLiteOperatorTests {
  typealias Operand = TFLiteModelWriter.Operand
  typealias Options = (kind: Int, fields: [Int: Flat])

  /// The operations that an operator becomes.
  private func operations(
    _ code: String, _ x: [Int], _ y: [Int], _ constants: [Operand] = [], _ options: Options? = nil
  ) throws -> [AbacusPack.Operation] {
    try TFLiteModelWriter.one(
      code, Operand(name: "x", shape: x), Operand(name: "y", shape: y), constants: constants, options: options
    ).load().nodes.map(\.operation)
  }

  /// What an operator of integers makes of 0, 1, 2 ... in the given shape: movements of constants are
  /// carried out by the importer. The expected values are LiteRT's.
  private func moved(
    _ code: String, _ shape: [Int], _ y: [Int], _ constants: [Operand] = [], _ options: Options? = nil
  ) throws -> [Int] {
    let count = shape.reduce(1, *)
    var model = TFLiteModelWriter.one(
      code, .ints("x", Array(0..<count), shape: shape), Operand(name: "y", shape: y, type: "int32"),
      constants: constants, options: options)
    model.operands.append(Operand(name: "unused", shape: [1]))
    model.inputs = ["unused"]
    let graph = try model.load()
    #expect(graph.nodes.isEmpty)
    return graph.tensors[graph.outputs[0]].indexValues ?? []
  }

  private func error(
    _ code: String, _ x: [Int], _ y: [Int], _ constants: [Operand] = [], _ options: Options? = nil
  ) -> String {
    do {
      return "\(try operations(code, x, y, constants, options))"
    } catch {
      return "\(error)"
    }
  }

  private func weights(_ shape: [Int]) -> Operand {
    Operand(name: "w", shape: shape, data: Array(repeating: 1, count: shape.reduce(1, *)))
  }

  // MARK: Windows

  @Test func paddingBecomesExplicit() throws {
    func window(_ extents: [Int], _ result: [Int], same: Bool, strides: [Int], dilations: [Int]) throws
      -> WindowAttributes?
    {
      let found = try operations(
        "CONV_2D", [1] + extents + [2], [1] + result + [4], [weights([4, 3, 2, 2])],
        (
          1,
          [
            0: .byte(same ? 0 : 1), 1: .int(strides[1]), 2: .int(strides[0]), 4: .int(dilations[1]),
            5: .int(dilations[0]),
          ]
        ))
      guard case .convolution(let window, groups: 1, .none) = found[0] else { return nil }
      return window
    }
    #expect(
      try window([5, 8], [3, 4], same: true, strides: [2, 2], dilations: [1, 1])
        == WindowAttributes(size: [3, 2], strides: [2, 2], padBefore: [1, 0], padAfter: [1, 0]))
    #expect(
      try window([6, 7], [3, 7], same: true, strides: [2, 1], dilations: [1, 3])
        == WindowAttributes(
          size: [3, 2], strides: [2, 1], dilations: [1, 3], padBefore: [0, 1], padAfter: [1, 2]))
    #expect(
      try window([7, 4], [1, 1], same: false, strides: [3, 5], dilations: [3, 2])
        == WindowAttributes(size: [3, 2], strides: [3, 5], dilations: [3, 2]))
    #expect(throws: PackError.self) {
      try window([6, 4], [1, 1], same: false, strides: [1, 1], dilations: [3, 1])
    }
    #expect(throws: PackError.self) {
      try window([6, 4], [6, 4], same: true, strides: [0, 1], dilations: [1, 1])
    }
  }

  @Test func groupsAndMultipliersFollowFromTheWeights() throws {
    let ones: [Int: Flat] = [1: .int(1), 2: .int(1)]
    guard
      case .convolution(_, groups: 3, _) = try operations(
        "CONV_2D", [1, 4, 4, 6], [1, 4, 4, 9], [weights([9, 1, 1, 2])], (1, ones))[0]
    else {
      Issue.record("not grouped")
      return
    }
    guard
      case .depthwiseConvolution(_, multiplier: 4, .relu6) = try operations(
        "DEPTHWISE_CONV_2D", [1, 4, 4, 2], [1, 4, 4, 8], [weights([1, 3, 3, 8])],
        (2, ones.merging([3: .int(4), 4: .byte(3)]) { $1 }))[0]
    else {
      Issue.record("not multiplied")
      return
    }
    #expect(
      error("CONV_2D", [1, 4, 4, 6], [1, 4, 4, 9], [weights([9, 1, 1, 4])], (1, ones)).contains(
        "do not fit 6 input channels"))
    #expect(
      error(
        "DEPTHWISE_CONV_2D", [1, 4, 4, 2], [1, 4, 4, 8], [weights([1, 3, 3, 8])],
        (2, ones.merging([3: .int(2)]) { $1 })
      )
      .contains("the depth multiplier 2"))
    #expect(
      error(
        "CONV_2D", [1, 4, 4, 1], [1, 4, 4, 1], [weights([1, 1, 1, 1]), .ints("b", [1, 2])], (1, ones)
      ).contains("the bias (input 2) must have the shape [1]"))
    #expect(
      error("CONV_2D", [1, 4, 4, 1], [1, 4, 4, 1], [weights([1, 1, 1, 1])], (2, ones)).contains(
        "options of type 1 (conv2D), found type 2"))
  }

  @Test func poolsHaveWindows() throws {
    let found = try operations(
      "AVERAGE_POOL_2D", [1, 5, 5, 3], [1, 2, 3, 3], [],
      (5, [0: .byte(0), 1: .int(2), 2: .int(3), 3: .int(3), 4: .int(2), 5: .byte(2)]))
    #expect(
      found == [
        .pool(
          .average, WindowAttributes(size: [2, 3], strides: [3, 2], padBefore: [0, 1], padAfter: [0, 1]),
          .reluN1To1)
      ])
  }

  @Test(arguments: [(4, "TANH is not supported"), (5, "SIGN_BIT is not supported"), (6, "means nothing")])
  func otherActivationsAreRefused(code: Int, text: String) {
    #expect(error("ADD", [2], [2], [weights([2])], (11, [0: .byte(code)])).contains(text))
  }

  // MARK: Products

  @Test func denseLayersReadRows() throws {
    let w = [weights([5, 6])]
    #expect(
      try operations("FULLY_CONNECTED", [2, 6], [2, 5], w, (8, [0: .byte(1)])) == [.fullyConnected(.relu)])
    #expect(try operations("FULLY_CONNECTED", [1, 2, 3], [1, 5], w) == [.reshape, .fullyConnected(.none)])
    #expect(try operations("FULLY_CONNECTED", [1, 4, 6], [4, 5], w) == [.reshape, .fullyConnected(.none)])
    #expect(
      try operations("FULLY_CONNECTED", [1, 4, 6], [1, 4, 5], w, (8, [2: .byte(1)])) == [
        .fullyConnected(.none)
      ])
    #expect(
      error("FULLY_CONNECTED", [7], [5], w).contains("7 input values are no whole rows for weights [5, 6]"))
    #expect(
      error("FULLY_CONNECTED", [6, 1], [6, 5], w, (8, [2: .byte(1)])).contains(
        "do not fit the input's last dimension"))
    #expect(
      error("FULLY_CONNECTED", [6], [1, 5], w, (8, [1: .byte(1)])).contains(
        "shuffled weights are not supported"))
  }

  @Test func weightsMayBeComputed() throws {
    var model = TFLiteModelWriter.one(
      "FULLY_CONNECTED", Operand(name: "x", shape: [1, 3]), Operand(name: "y", shape: [1, 2]),
      constants: [Operand(name: "w", shape: [2, 3])])
    model.inputs = ["x", "w"]
    #expect(try model.load().nodes[0].inputs == [0, 1, nil])
  }

  @Test func matricesBroadcastAndTranspose() throws {
    let options: Options = (101, [0: .byte(1), 1: .byte(1)])
    #expect(
      try operations("BATCH_MATMUL", [1, 3, 2], [4, 2, 5], [weights([4, 5, 3])], options)
        == [.matrixMultiply(transposeA: true, transposeB: true)])
    #expect(
      error("BATCH_MATMUL", [2, 3], [2, 3], [weights([2, 3])]).contains(
        "matrices of 2 x 3 and 2 x 3 have no product"))
    #expect(error("BATCH_MATMUL", [2, 1, 3], [2, 1, 1], [weights([3, 3, 1])]).contains("do not broadcast"))
  }

  // MARK: Element by element

  @Test(
    arguments: [
      ("RELU", .relu), ("RELU_0_TO_1", .relu0To1), ("LOGISTIC", .sigmoid), ("ELU", .elu(alpha: 1)),
      ("HARD_SWISH", .hardSwish), ("NEG", .negate), ("COS", .cosine), ("SIN", .sine), ("RSQRT", .rsqrt),
      ("GELU", .gelu(approximate: false)), ("LEAKY_RELU", .leakyRelu(slope: 0)), ("SIGN", .sign),
    ] as [(String, UnaryFunction)])
  func functionsOfOneValue(code: String, function: UnaryFunction) throws {
    #expect(try operations(code, [2, 3], [2, 3]) == [.unary(function)])
  }

  @Test func functionsWithOptions() throws {
    #expect(try operations("GELU", [2], [2], [], (116, [0: .byte(1)])) == [.unary(.gelu(approximate: true))])
    #expect(
      try operations("LEAKY_RELU", [2], [2], [], (75, [0: .real(0.25)])) == [.unary(.leakyRelu(slope: 0.25))])
    #expect(try operations("SOFTMAX", [2], [2], [], (9, [0: .real(2)])) == [.softmax(beta: 2)])
    #expect(error("SOFTMAX", [2], [2]).contains("beta must be finite and greater than 0"))
  }

  @Test func operandsBroadcast() throws {
    let c = [weights([3, 1])]
    #expect(
      try operations("SUB", [2, 1, 4], [2, 3, 4], c, (28, [0: .byte(1)])) == [.binary(.subtract, .relu)])
    #expect(try operations("SQUARED_DIFFERENCE", [4], [3, 4], c) == [.binary(.squaredDifference, .none)])
    #expect(try operations("MAXIMUM", [3, 4], [3, 4], c) == [.binary(.maximum, .none)])
    #expect(try operations("PRELU", [1, 3, 2], [1, 3, 2], c) == [.prelu])
    #expect(error("ADD", [2, 4], [2, 4], c).contains("the shapes [2, 4] and [3, 1] do not broadcast"))
  }

  @Test func reductionsHaveSortedAxes() throws {
    let keep: Options = (27, [0: .byte(1)])
    #expect(
      try operations("MEAN", [2, 3, 4], [1, 3, 1], [.ints("a", [-1, 0, 2])], keep) == [
        .reduce(.mean, axes: [0, 2])
      ])
    #expect(
      try operations("REDUCE_MAX", [2, 3, 4], [3], [.ints("a", [2, 0])]) == [.reduce(.maximum, axes: [0, 2])])
    #expect(try operations("SUM", [2, 3], [2, 3], [.ints("a", [])]) == [.requantize])
    #expect(
      error("MEAN", [2, 3], [2], [.ints("a", [2])]).contains(
        "dimension 2 of a tensor with 2 dimensions does not exist"))
    var open = Operand.ints("a", [1])
    open.data = nil
    #expect(error("MEAN", [2, 3], [2], [open]).contains("\"a\" is read before"))
  }

  @Test func castsMustNotChangeNumbers() throws {
    func cast(_ from: String, _ to: String) throws -> AbacusPack.Operation {
      try TFLiteModelWriter.one(
        "CAST", Operand(name: "x", shape: [2], type: from), Operand(name: "y", shape: [2], type: to)
      ).load().nodes[0].operation
    }
    #expect(try cast("int8", "int8") == .reshape)
    #expect(try cast("int8", "int32") == .requantize)
    #expect(try cast("bool", "uint8") == .requantize)
    for (from, to) in [
      ("int8", "uint8"), ("uint8", "int8"), ("int32", "int16"), ("float32", "int8"), ("int8", "float32"),
    ] {
      #expect(throws: PackError.self) { try cast(from, to) }
    }
  }

  // MARK: Shapes

  @Test func reshapesAgree() throws {
    #expect(try operations("RESHAPE", [2, 6], [3, 4], [.ints("s", [3, -1])]) == [.reshape])
    #expect(try operations("RESHAPE", [2, 6], [3, 4], [], (17, [0: .ints([3, 4])])) == [.reshape])
    #expect(try operations("RESHAPE", [2, 6], [3, 4]) == [.reshape])
    #expect(try operations("RESHAPE", [1, 1], [], [.ints("s", [])]) == [.reshape])
    #expect(
      error("RESHAPE", [2, 6], [3, 5], [.ints("s", [3, 5])]).contains(
        "cannot give 12 elements the shape [3, 5]"))
    #expect(error("RESHAPE", [2, 6], [3, 4], [.ints("s", [-1, -1])]).contains("cannot give"))
    #expect(error("RESHAPE", [2, 6], [3, 4], [.ints("s", [4, 3])]).contains("implies the shape [4, 3]"))
    #expect(try operations("SQUEEZE", [1, 3, 1], [3]) == [.reshape])
    #expect(try operations("SQUEEZE", [1, 3, 1], [1, 3], [], (30, [0: .ints([-1])])) == [.reshape])
    #expect(
      error("SQUEEZE", [1, 3, 1], [1, 1], [], (30, [0: .ints([1])])).contains("only dimensions of extent 1"))
    #expect(try operations("EXPAND_DIMS", [3, 2], [3, 2, 1], [.ints("a", [-1], shape: [])]) == [.reshape])
  }

  /// What Keras leaves of a reshape with an open batch: SHAPE, STRIDED_SLICE, PACK, RESHAPE.
  @Test func arithmeticOnShapesIsFolded() throws {
    let model = TFLiteModelWriter(
      operands: [
        Operand(name: "x", shape: [1, 2, 6], signature: [-1, 2, 6]),
        Operand(name: "shape", shape: [3], type: "int32"),
        .ints("zero", [0]), .ints("one", [1]), .ints("three", [3], shape: []), .ints("four", [4], shape: []),
        Operand(name: "batch", shape: [], type: "int32"), Operand(name: "target", shape: [3], type: "int32"),
        Operand(name: "y", shape: [1, 1, 1], signature: [-1, -1, -1]),
      ],
      steps: [
        .init(code: "SHAPE", inputs: ["x"], outputs: ["shape"]),
        .init(
          code: "STRIDED_SLICE", inputs: ["shape", "zero", "one", "one"], outputs: ["batch"],
          options: (32, [4: .int(1)])),
        .init(
          code: "PACK", inputs: ["batch", "three", "four"], outputs: ["target"], options: (59, [0: .int(3)])),
        .init(code: "RESHAPE", inputs: ["x", "target"], outputs: ["y"]),
      ])
    let graph = try model.load()
    #expect(graph.nodes.map(\.operation) == [.reshape])
    #expect(graph.nodes[0].origin == "RESHAPE, operator 3")
    #expect(graph.tensors.map(\.shape) == [[1, 2, 6], [1, 3, 4]])
  }

  @Test func elementsMove() throws {
    #expect(try moved("TRANSPOSE", [2, 3], [3, 2], [.ints("p", [1, 0])]) == [0, 3, 1, 4, 2, 5])
    #expect(
      try moved("GATHER", [2, 3], [2, 2], [.ints("i", [2, 0])], (23, [0: .int(-1)])) == [2, 0, 5, 3])
    #expect(
      try moved("CONCATENATION", [2, 2], [2, 3], [.ints("c", [7, 8], shape: [2, 1])], (10, [0: .int(-1)]))
        == [0, 1, 7, 2, 3, 8])
    #expect(try moved("PACK", [2], [2, 2], [.ints("c", [7, 8])], (59, [1: .int(1)])) == [0, 7, 1, 8])
    #expect(try moved("TILE", [2, 1], [4, 2], [.ints("m", [2, 2])]) == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(
      try moved("BROADCAST_TO", [2, 1], [2, 2, 2], [.ints("s", [2, 2, 2])]) == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(try moved("REVERSE_V2", [2, 3], [2, 3], [.ints("a", [1])]) == [2, 1, 0, 5, 4, 3])
    #expect(try moved("SLICE", [3, 3], [2, 1], [.ints("b", [1, 1]), .ints("n", [-1, 1])]) == [4, 7])
    #expect(
      try moved("SPACE_TO_DEPTH", [1, 2, 4, 2], [1, 1, 2, 8], [], (19, [0: .int(2)]))
        == [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15])
    #expect(
      try moved("DEPTH_TO_SPACE", [1, 1, 2, 8], [1, 2, 4, 2], [], (94, [0: .int(2)]))
        == [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15])
  }

  @Test func impossibleMovesAreRefused() {
    #expect(error("TRANSPOSE", [2, 3], [3, 2], [.ints("p", [1, 1])]).contains("is not a permutation"))
    #expect(error("GATHER", [2, 3], [1, 3], [.ints("i", [2])]).contains("every index must lie in 0..<2"))
    #expect(error("CONCATENATION", [2, 2], [3, 2], [weights([1, 3])]).contains("cannot follow"))
    #expect(
      error("SLICE", [3], [2], [.ints("b", [2]), .ints("n", [2])]).contains(
        "elements 2..<4 exceed dimension 0 of [3]"))
    #expect(
      error("SPACE_TO_DEPTH", [1, 3, 4, 1], [1, 1, 2, 4], [], (19, [0: .int(2)])).contains(
        "do not divide into blocks of 2"))
    #expect(error("TILE", [1], [300], [.ints("m", [300])]).contains("only 1 to 256 repetitions"))
  }

  /// 0, 1, ... 23 as [2, 3, 4].
  @Test(
    arguments: [
      // begins, ends, strides; masks of begin, end, ellipsis, new axis and shrunk axis; shape, values
      ([1, 0, 1], [2, 3, 3], [1, 2, 1], [0, 0, 0, 0, 0], [1, 2, 2], [13, 14, 21, 22]),
      ([0, -1, 0], [0, 0, 0], [1, -1, 1], [1, 3, 0, 0, 4], [2, 3], [8, 4, 0, 20, 16, 12]),
      ([0, 2], [0, 3], [1, 1], [0, 0, 1, 0, 2], [2, 3], [2, 6, 10, 14, 18, 22]),
      ([1, 0, 9], [2, 0, -9], [1, 1, -3], [0, 0, 2, 0, 1], [3, 2], [15, 12, 19, 16, 23, 20]),
      (
        [0, 1, -2], [0, 2, 2_147_483_647], [1, 1, 1], [0, 0, 0, 1, 2], [1, 2, 4],
        [16, 17, 18, 19, 20, 21, 22, 23]
      ),
    ] as [([Int], [Int], [Int], [Int], [Int], [Int])])
  func stridedSlices(
    begins: [Int], ends: [Int], strides: [Int], masks: [Int], shape: [Int], values: [Int]
  ) throws {
    let found = try moved(
      "STRIDED_SLICE", [2, 3, 4], shape, [.ints("b", begins), .ints("e", ends), .ints("s", strides)],
      (32, Dictionary(uniqueKeysWithValues: masks.enumerated().map { ($0.offset, .int($0.element)) })))
    #expect(found == values)
  }

  @Test func impossibleStridedSlicesAreRefused() {
    func refusal(_ begin: Int, _ end: Int, _ stride: Int, shrink: Int = 0) -> String {
      error(
        "STRIDED_SLICE", [4], [], [.ints("b", [begin]), .ints("e", [end]), .ints("s", [stride])],
        (32, [4: .int(shrink)]))
    }
    #expect(refusal(0, 4, 0).contains("strides must not be 0"))
    #expect(refusal(3, 1, 1).contains("implies the shape [0] for output 0, which is empty"))
    #expect(refusal(4, 5, 1, shrink: 1).contains("index 4 of an extent of 4 does not exist"))
  }

  @Test func partsBecomeSlices() throws {
    func parts(_ code: String, _ inputs: [Operand], _ outputs: [[Int]], _ options: Options? = nil) throws
      -> [Node]
    {
      let x = Operand(name: "x", shape: [2, 6])
      let results = outputs.enumerated().map { Operand(name: "y\($0.offset)", shape: $0.element) }
      // SPLIT has its axis before the value.
      let operands = code == "SPLIT" ? inputs + [x] : [x] + inputs
      return try TFLiteModelWriter(
        operands: operands + results,
        steps: [
          .init(code: code, inputs: operands.map(\.name), outputs: results.map(\.name), options: options)
        ],
        outputs: results.map(\.name)
      ).load().nodes
    }
    let halves = try parts("SPLIT", [.ints("axis", [-1], shape: [])], [[2, 3], [2, 3]])
    #expect(
      halves.map(\.operation) == [
        .slice(starts: [0, 0], strides: [1, 1]), .slice(starts: [0, 3], strides: [1, 1]),
      ])
    #expect(halves.map(\.outputs.count) == [1, 1])
    let uneven = try parts(
      "SPLIT_V", [.ints("sizes", [1, -1, 2]), .ints("axis", [1], shape: [])], [[2, 1], [2, 3], [2, 2]])
    #expect(uneven.map(\.operation).last == .slice(starts: [0, 4], strides: [1, 1]))
    let rows = try parts("UNPACK", [], [[6], [6]], (64, [0: .int(2)]))
    #expect(
      rows.map(\.operation) == [
        .slice(starts: [0, 0], strides: [1, 1]), .reshape, .slice(starts: [1, 0], strides: [1, 1]), .reshape,
      ])
    #expect(throws: PackError.self) {
      try parts("SPLIT", [.ints("axis", [1], shape: [])], [[2, 1], [2, 1], [2, 1], [2, 1]])
    }
    #expect(throws: PackError.self) {
      try parts("SPLIT_V", [.ints("sizes", [1, 2]), .ints("axis", [1], shape: [])], [[2, 1], [2, 2]])
    }
    #expect(throws: PackError.self) { try parts("UNPACK", [], [[6], [6], [6]]) }
  }

  // MARK: Padding

  @Test func paddingHasARealValue() throws {
    let paddings = Operand.ints("p", [0, 0, 1, 2], shape: [2, 2])
    #expect(
      try operations("PAD", [2, 3], [2, 6], [paddings]) == [
        .pad(before: [0, 1], after: [0, 2], value: nil, .constant)
      ])
    let value = Operand(name: "v", shape: [], data: [0xF6], scales: [0.5], zeroPoints: [2])
    #expect(
      try operations("PADV2", [2, 3], [2, 6], [paddings, value])
        == [.pad(before: [0, 1], after: [0, 2], value: -6, .constant)])
    #expect(
      try operations("MIRROR_PAD", [2, 3], [2, 6], [paddings], (77, [0: .byte(0)]))
        == [.pad(before: [0, 1], after: [0, 2], value: nil, .reflect)])
    #expect(
      error("MIRROR_PAD", [2, 2], [2, 5], [paddings]).contains("an extent of 2 cannot be mirrored by 1 and 2")
    )
    #expect(
      try operations("MIRROR_PAD", [2, 2], [2, 5], [paddings], (77, [0: .byte(1)]))
        == [.pad(before: [0, 1], after: [0, 2], value: nil, .symmetric)])
    #expect(
      error("PAD", [2, 3], [2, 2], [.ints("p", [0, 0, -1, 0], shape: [2, 2])]).contains(
        "must not be negative"))
  }
}

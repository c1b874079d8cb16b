import Foundation
import Testing

@testable import AbacusPack

/// The TFLite models of the shared folder, as "folder/name.tflite".
private let sharedModels: [String] = {
  guard let shared = TestFolder.shared,
    let names = FileManager.default.enumerator(atPath: shared + "/models")
  else { return [] }
  return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".tflite") }.sorted()
}()

@Suite struct TFLiteImporterTests {
  typealias Operand = TFLiteModelWriter.Operand

  private static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  // MARK: Real models

  @Test func importsTheSeparableNetwork() throws {
    let graph = try TFLiteImporter.load(Self.bytes(TestFolder.golden("models/dscnn-int8.tflite")))
    #expect(graph.name.isEmpty)
    #expect(graph.inputs.map { graph.tensors[$0].shape } == [[1, 28, 28, 1]])
    let output = graph.tensors[graph.outputs[0]]
    #expect(output.shape == [1, 10])
    #expect(output.quantization == Quantization(scale: 1 / 256, zeroPoint: -128))

    guard case .convolution(let window, groups: 1, .relu6) = graph.nodes[0].operation else {
      Issue.record("\(graph.nodes[0].operation)")
      return
    }
    #expect(window == WindowAttributes(size: [3, 3], padBefore: [1, 1], padAfter: [1, 1]))
    #expect(graph.nodes[0].origin == "CONV_2D, operator 0")
    // Even extents at stride 2: nothing before, one after.
    guard case .depthwiseConvolution(let second, multiplier: 1, .relu6) = graph.nodes[1].operation else {
      Issue.record("\(graph.nodes[1].operation)")
      return
    }
    #expect(second.strides == [2, 2])
    #expect(second.padBefore == [0, 0])
    #expect(second.padAfter == [1, 1])
    let weights = graph.tensors[graph.nodes[1].inputs[1]!]
    #expect(weights.shape == [1, 3, 3, 16])
    #expect(weights.data?.count == 144)
    #expect(weights.quantization?.scales.count == 16)
    #expect(weights.quantization?.axis == 3)

    // The dense layer reads [1, 1, 1, 96]; the node before it makes that [1, 96].
    #expect(graph.nodes.suffix(3).map(\.operation) == [.reshape, .fullyConnected(.none), .softmax(beta: 1)])
    #expect(graph.tensors[graph.nodes[13].inputs[0]!].shape == [1, 96])
  }

  @Test func importsTheResidualNetwork() throws {
    let graph = try TFLiteImporter.load(Self.bytes(TestFolder.golden("models/resnet-int8.tflite")))
    #expect(graph.nodes.filter { $0.operation == .binary(.add, .relu) }.count == 4)
    #expect(graph.nodes.contains { $0.operation == .reduce(.mean, axes: [1, 2]) })
    // Axes have become attributes: what is left is used.
    let used = Set(graph.nodes.flatMap { $0.inputs.compactMap { $0 } + $0.outputs })
    #expect(used.count == graph.tensors.count)
  }

  @Test(
    .enabled(if: TestFolder.shared != nil, "the folder shared/models is not there"),
    arguments: sharedModels)
  func importsSharedModels(name: String) throws {
    let unsupported = [
      "tflm/keyword_scrambled.tflite": "SVDF", "tflm/keyword_scrambled_8bit.tflite": "SVDF",
      "tflm/trained_lstm_int8.tflite": "UNIDIRECTIONAL_SEQUENCE_LSTM",
      "seanet-int16/transpose_conv0.tflite": "TRANSPOSE_CONV",
      "seanet-int16/transpose_conv2.tflite": "TRANSPOSE_CONV",
      "seanet-int16/transpose_conv4.tflite": "TRANSPOSE_CONV",
    ]
    let bytes = try Self.bytes(TestFolder.model(name))
    guard let operatorName = unsupported[name] else {
      let graph = try TFLiteImporter.load(bytes)
      #expect(!graph.nodes.isEmpty)
      #expect(
        graph.tensors.allSatisfy { $0.data == nil || $0.data?.count == $0.elementCount * $0.type.bytes })
      return
    }
    let error = #expect(throws: PackError.self) { try TFLiteImporter.load(bytes) }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.hasPrefix("\(operatorName), operator ") == true)
  }

  // MARK: Damaged files

  /// Convolution, slice and dense layer: small, and with most kinds of field.
  static let small = TFLiteModelWriter(
    operands: [
      Operand(name: "x", shape: [1, 4, 4, 1], signature: [-1, 4, 4, 1], scales: [0.5], zeroPoints: [-3]),
      Operand(
        name: "w", shape: [2, 3, 3, 1], data: Array(0..<18), scales: [0.25, 0.125], zeroPoints: [0, 0]),
      Operand(name: "b", shape: [2], type: "int32", data: Array(0..<8)),
      Operand(name: "c", shape: [1, 4, 4, 2], scales: [1], zeroPoints: [1]),
      .ints("begin", [0, 1, 0, 0]), .ints("end", [1, 4, 4, 0]), .ints("step", [1, 2, 1, -1]),
      Operand(name: "s", shape: [1, 2, 4, 1], scales: [1], zeroPoints: [1]),
      Operand(name: "d", shape: [2, 8], data: Array(0..<16), scales: [1], zeroPoints: [0]),
      Operand(name: "y", shape: [1, 2], scales: [2], zeroPoints: [5]),
    ],
    steps: [
      .init(
        code: "CONV_2D", inputs: ["x", "w", "b"], outputs: ["c"],
        options: (1, [1: .int(1), 2: .int(1), 3: .byte(1)])),
      .init(
        code: "STRIDED_SLICE", inputs: ["c", "begin", "end", "step"], outputs: ["s"],
        options: (32, [0: .int(8), 1: .int(1)])),
      .init(code: "FULLY_CONNECTED", inputs: ["s", "d", nil], outputs: ["y"], options: (8, [:])),
    ])

  @Test func theSmallModelIsSound() throws {
    let graph = try Self.small.load()
    #expect(graph.nodes.map(\.operation).last == .fullyConnected(.none))
    #expect(graph.nodes[1].operation == .slice(starts: [0, 1, 0, 1], strides: [1, 2, 1, -1]))
    #expect(graph.nodes[3].inputs.last == .some(nil))
  }

  @Test func everyTruncationReturnsOrThrows() {
    let bytes = Self.small.bytes()
    for length in 0..<bytes.count {
      do {
        _ = try TFLiteImporter.load(Array(bytes.prefix(length)))
      } catch {
        #expect(error is PackError)
      }
    }
  }

  @Test func everySingleByteMutationReturnsOrThrows() {
    var generator = SeededGenerator(state: 1)
    let bytes = Self.small.bytes()
    var refused = 0
    for position in bytes.indices {
      for value in [0, 0xFF, 0x80, .random(in: 0...255, using: &generator)] as [UInt8] {
        var damaged = bytes
        damaged[position] = value
        do {
          _ = try TFLiteImporter.load(damaged)
        } catch {
          #expect(error is PackError)
          refused += 1
        }
      }
    }
    #expect(refused > 1000)
  }

  /// Four random bytes at once reach counts and offsets that one byte does not.
  @Test(arguments: ["dscnn-int8.tflite", "resnet-int8.tflite"])
  func mutationsOfARealModelReturnOrThrow(name: String) throws {
    var generator = SeededGenerator(state: 2)
    let bytes = try Self.bytes(TestFolder.golden("models/" + name))
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0..<4 {
        damaged[.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      do {
        _ = try TFLiteImporter.load(damaged)
      } catch {
        #expect(error is PackError)
      }
    }
  }

  @Test func nonsenseIsExplained() {
    #expect(
      message([])
        == "not a sound TFLite model: at byte 4: expected the file identifier \"TFL3\", found nothing")
    #expect(
      message(Array("\u{89}PNG1234".utf8.prefix(9)))
        == "not a sound TFLite model: at byte 4: expected the file identifier \"TFL3\", found \"G123\"")
    let half = Self.small.bytes().prefix(100)
    #expect(message(Array(half)).hasPrefix("not a sound TFLite model: at byte "))
    #expect(
      message(TFLiteModelWriter(fields: [0: .int(2)]).bytes())
        == "version 2 of the TFLite schema; supported: version 3")
    #expect(
      message(TFLiteModelWriter(fields: [2: .tables([])]).bytes()) == "the TFLite model has no subgraph")
  }

  // MARK: Unsupported models

  private func message(_ bytes: [UInt8]) -> String {
    do {
      _ = try TFLiteImporter.load(bytes)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func unsupportedOperatorsAreNamedTogether() {
    var model = TFLiteModelWriter(
      operands: [
        Operand(name: "x", shape: [1, 4]), Operand(name: "t", shape: [4], type: "string"),
        Operand(name: "y", shape: [1, 4]),
      ],
      steps: [
        .init(code: "RELU", inputs: ["x"], outputs: ["t"]),
        .init(code: "CUMSUM", inputs: ["t"], outputs: ["y"]),
        .init(code: "CUSTOM", inputs: ["t", nil], outputs: ["y"]),
        .init(code: "CUMSUM", inputs: ["t"], outputs: ["y"]),
      ])
    model.customCode = "Frobnicate"
    let text = message(model.bytes())
    #expect(
      text.hasPrefix(
        """
        CUMSUM, operator 1: this operator is not supported
          inputs: "t" string [4]
          outputs: "y" int8 [1, 4]
          not supported either: CUSTOM (Frobnicate), operator 2
          supported: ABS, ADD, AVERAGE_POOL_2D,
        """))
    #expect(text.hasSuffix("TRANSPOSE, UNPACK"))
  }

  @Test func operatorsThatRunSubgraphsNameThem() {
    let model = TFLiteModelWriter.one(
      "WHILE", Operand(name: "x", shape: [1]), Operand(name: "y", shape: [1]),
      options: (93, [0: .int(1), 1: .int(2)]))
    #expect(
      message(model.bytes()).hasPrefix(
        "WHILE, operator 0: this operator is not supported (it runs subgraph 1 and 2)"))
  }

  @Test func unsupportedTypesAreNamedWithTheirOperator() {
    let model = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [1]), Operand(name: "y", shape: [1], type: "float16"))
    #expect(
      message(model.bytes()) == """
        RELU, operator 0: tensor 1, "y" float16 [1]: this type is not supported for values; \
        supported: float32, int8, int16, int32, int64, uint8, bool
          inputs: "x" int8 [1]
          outputs: "y" float16 [1]
        """)
  }

  @Test(
    arguments: [
      ([6: .table([:])], "sparse tensors are not supported"),
      ([10: .int(1)], "its data is in another file"),
      ([4: .table([4: .byte(1)])], "custom, blockwise and multi-axis quantisation are not supported"),
      ([4: .table([2: .reals([0])])], "every scale must be finite and greater than 0"),
      ([4: .table([2: .reals([.nan])])], "every scale must be finite and greater than 0"),
      ([4: .table([2: .reals([1]), 3: .longs([300])])], "every zero point must lie in -128...127"),
      ([4: .table([2: .reals([1, 1]), 3: .longs([1, 2, 3])])], "has 2 scales but 3 zero points"),
      ([0: .ints([1, -1])], "none negative"),
      ([0: .ints([1 << 15, 1 << 15])], "fewer than 2^30 elements"),
      ([0: .ints([0, 1 << 20, 1 << 20, 1 << 20])], "fewer than 2^30 elements"),
      ([0: .ints([1, 1, 1, 1, 1, 1, 1, 1, 1])], "at most 8 dimensions"),
      ([2: .int(77)], "refers to buffer 77; the model has 1"),
      ([1: .byte(99)], "\"y\" type code 99 [1, 2]: this type is not supported"),
    ] as [([Int: Flat], String)])
  func unsupportedTensorsAreNamed(fields: [Int: Flat], expected: String) {
    let model = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [1, 2]), Operand(name: "y", shape: [1, 2], fields: fields))
    let text = message(model.bytes())
    #expect(text.hasPrefix("RELU, operator 0: tensor 1, \"y\" "))
    #expect(text.contains(expected), "\(text)")
  }

  @Test func constantsMustHaveAllTheirBytes() {
    let model = TFLiteModelWriter.one(
      "ADD", Operand(name: "x", shape: [1, 2]), Operand(name: "y", shape: [1, 2]),
      constants: [Operand(name: "c", shape: [3], type: "int16", data: [1, 2])])
    #expect(message(model.bytes()).contains("has 2 bytes of data; its type and shape need 6"))
  }

  // MARK: Order, inputs and outputs

  @Test func valuesMustBeComputedBeforeTheyAreRead() {
    var model = TFLiteModelWriter(
      operands: [
        Operand(name: "x", shape: [2]), Operand(name: "t", shape: [2]), Operand(name: "y", shape: [2]),
      ],
      steps: [
        .init(code: "RELU", inputs: ["t"], outputs: ["y"]),
        .init(code: "RELU", inputs: ["x"], outputs: ["t"]),
      ])
    #expect(
      message(model.bytes()).hasPrefix("RELU, operator 0: \"t\" is read before any operator has computed it"))
    model.operands[1].isVariable = true
    #expect(message(model.bytes()).contains("keeps its value from run to run, which is not supported"))
    model.steps = [.init(code: "RELU", inputs: ["x"], outputs: ["x"])]
    #expect(message(model.bytes()).contains("already has a value"))
    model.steps = []
    #expect(message(model.bytes()).contains("this output of the model is computed by no operator"))
    model.outputs = []
    #expect(message(model.bytes()) == "the model has no outputs")
    model.inputs = ["nowhere"]
    #expect(message(model.bytes()).contains("tensor 12345, named as an input of the model, does not exist"))
    model.inputs = ["x", "x"]
    #expect(message(model.bytes()).contains("must not be constant or listed twice"))
  }

  @Test func onlyTheBatchMayBeOpen() throws {
    var model = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [1, 4], signature: [-1, 4]), Operand(name: "y", shape: [1, 4]))
    #expect(try model.load().nodes.count == 1)
    model.operands[0].shape = [1, 1]
    model.operands[0].signature = [1, -1]
    #expect(
      message(model.bytes()).contains("has dimensions known at run time only (its signature is [1, -1])"))
  }

  /// Converters write 1 for every open dimension, also for those that follow from a fixed input.
  @Test func openShapesFollowFromTheInputs() throws {
    let model = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [1, 4]), Operand(name: "y", shape: [1, 1], signature: [-1, -1]))
    let graph = try model.load()
    #expect(graph.tensors[graph.outputs[0]].shape == [1, 4])
    let wrong = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [1, 4]), Operand(name: "y", shape: [1, 5]))
    #expect(
      message(wrong.bytes()).contains(
        "the operator implies the shape [1, 4] for output 0, the file says [1, 5]"))
  }

  // MARK: Quantisation

  @Test func channelsAreFoundWhereTheFileMisstatesThem() throws {
    func axis(_ shape: [Int], stated: Int) throws -> Int? {
      let model = TFLiteModelWriter.one(
        "RELU",
        Operand(name: "x", shape: shape, scales: [1, 2, 3], zeroPoints: [0, 0, 0], dimension: stated),
        Operand(name: "y", shape: shape))
      return try model.load().tensors[0].quantization?.axis
    }
    #expect(try axis([3, 1, 1, 3], stated: 3) == 3)
    #expect(try axis([3], stated: 3) == 0)
    #expect(try axis([1, 3, 2], stated: -7) == 1)
    #expect(throws: PackError.self) { try axis([1, 3, 3], stated: 0) }
    #expect(throws: PackError.self) { try axis([1, 4], stated: 1) }
  }

  @Test func oneScaleNeedsNoDimension() throws {
    let model = TFLiteModelWriter.one(
      "RELU", Operand(name: "x", shape: [2], scales: [0.5], zeroPoints: [7], dimension: 99),
      Operand(name: "y", shape: [2], type: "float32", scales: [1], zeroPoints: [0]))
    let graph = try model.load()
    #expect(graph.tensors[0].quantization == Quantization(scale: 0.5, zeroPoint: 7))
    #expect(graph.tensors[1].quantization == nil)
  }

  // MARK: Constants

  @Test func buffersBehindTheFlatBufferAreRead() throws {
    var model = TFLiteModelWriter.one(
      "ADD", Operand(name: "x", shape: [3]), Operand(name: "y", shape: [3]),
      constants: [Operand(name: "c", shape: [3], fields: [2: .int(1)])])
    func file(_ offset: Int) -> [UInt8] {
      model.fields[4] = .tables([.table([:]), .table([1: .long(offset), 2: .long(3)])])
      return model.bytes()
    }
    let size = file(2).count
    let graph = try TFLiteImporter.load(file(size) + [7, 8, 9])
    #expect(graph.tensors[graph.nodes[0].inputs[1]!].data == [7, 8, 9])
    #expect(
      message(file(size) + [7, 8]).contains(
        "at byte \(size): expected 3 bytes, but the file ends at byte \(size + 2)"))
    #expect(message(file(-1)).contains("expected 3 bytes"))
  }

  @Test func nibblesAreUnpacked() throws {
    let model = TFLiteModelWriter.one(
      "ADD", Operand(name: "x", shape: [3]), Operand(name: "y", shape: [3]),
      constants: [Operand(name: "c", shape: [3], type: "int4", data: [0x8F, 0x07])])
    let graph = try model.load()
    #expect(graph.tensors[graph.nodes[0].inputs[1]!].data == [0xFF, 0xF8, 7])
  }

  @Test func halfPrecisionWeightsBecomeFloats() throws {
    let model = TFLiteModelWriter(
      operands: [
        Operand(name: "x", shape: [2], type: "float32"),
        Operand(name: "h", shape: [2], type: "float16", data: [0, 0x3C, 0, 0xC1]),
        Operand(name: "f", shape: [2], type: "float32"), Operand(name: "y", shape: [2], type: "float32"),
      ],
      steps: [
        .init(code: "DEQUANTIZE", inputs: ["h"], outputs: ["f"]),
        .init(code: "MUL", inputs: ["x", "f"], outputs: ["y"], options: (21, [:])),
      ])
    let graph = try model.load()
    #expect(graph.nodes.map(\.operation) == [.binary(.multiply, .none)])
    #expect(graph.tensors[graph.nodes[0].inputs[1]!].data == [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0])
  }
}

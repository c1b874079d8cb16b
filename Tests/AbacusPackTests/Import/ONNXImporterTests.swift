import Foundation
import Testing

@testable import AbacusPack

/// Files, dimensions, constants and refusals.
@Suite struct ONNXImporterTests {
  /// A convolution, a shape computed at run time, a reshape and a product: something of everything.
  static var small: ONNXModelWriter {
    var writer = ONNXModelWriter()
    writer.input("image", ["batch", 1, 3, 3])
    writer.constant("kernel", [2, 1, 2, 2], [1, 0, 0, 1, 0, 1, 1, 0])
    writer.constant("bias", [2], [10, 20])
    writer.constant("weights", [8, 2], (0..<16).map(Float.init))
    writer.constant("zero", [0])
    writer.constant("rest", [-1])
    writer.node("Conv", ["image", "kernel", "bias"], ["maps"])
    writer.node("Shape", ["maps"], ["shape"])
    writer.node("Gather", ["shape", "zero"], ["count"])
    writer.node("Concat", ["count", "rest"], ["target"], [("axis", .int(0))])
    writer.node("Reshape", ["maps", "target"], ["flat"])
    writer.node("MatMul", ["flat", "weights"], ["logits"])
    writer.output("logits")
    return writer
  }

  @Test func importsAndComputes() throws {
    let graph = try Self.small.load()
    #expect(graph.name == "test")
    #expect(graph.inputs.map { graph.tensors[$0].shape } == [[1, 1, 3, 3]])
    #expect(graph.outputs.map { graph.tensors[$0].name } == ["logits"])
    #expect(!graph.nodes.contains { $0.operation == .gather(axis: 0, batchDimensions: 0) })
    // Channels 1 + 5 + 10 ... of the image 0 ... 8, times weights.
    let maps: [Float] = [14, 16, 20, 22, 24, 26, 30, 32]
    let output = try Self.small.evaluate([(0..<9).map(Float.init)])[0]
    let expected = (0..<2).map { column in (0..<8).reduce(Float(0)) { $0 + maps[$1] * Float(2 * $1 + column) } }
    #expect(output == FloatTensor(shape: [1, 2], values: expected))
  }

  @Test func isRecognizedByItsContent() throws {
    #expect(ONNXImporter.recognizes(Self.small.bytes))
    #expect(!ONNXImporter.recognizes(Array("no model at all".utf8)))
    try TestFolder.temporary { folder in
      try Data(Self.small.bytes).write(to: URL(filePath: "\(folder)/model.bin"))
      #expect(try ModelFile.load("\(folder)/model.bin").outputs.count == 1)
    }
  }

  // MARK: Dimensions

  @Test func symbolicDimensions() throws {
    var writer = ONNXModelWriter()
    writer.input("tokens", ["batch", "length", 4])
    writer.input("other", ["length", "batch"])
    writer.node("Relu", ["tokens"], ["y"])
    writer.output("y")
    let graph = try writer.load(["length": 7])
    #expect(graph.inputs.map { graph.tensors[$0].shape } == [[1, 7, 4], [7, 1]])
    #expect(throws: PackError(.unsupported, "dimension length=-1: an extent must be 0 or more and below 2^30")) {
      try writer.load(["length": -1])
    }
    // Nothing comes of nothing.
    #expect(throws: PackError(.unsupported, "the output \"y\" [1, 0, 4] is empty")) {
      try writer.load(["length": 0])
    }
    writer.input("sum", [1, "length + 2"])
    let longer = try writer.load(["length": 7])
    #expect(longer.tensors[longer.inputs[2]].shape == [1, 9])
  }

  @Test func unknownDimensionsAreNamed() throws {
    var writer = ONNXModelWriter.single("Relu", [1])
    writer.model.graph.input = []
    writer.input("x", ["n", "length"])
    let named = #expect(throws: PackError.self) { try writer.load() }
    #expect(named?.description.contains("--dim length=value") == true)
    writer.model.graph.input = []
    writer.input("x", [1, ""])
    let unnamed = #expect(throws: PackError.self) { try writer.load() }
    #expect(unnamed?.description.contains("--dim x.1=value") == true)
    #expect(try writer.load(["x.1": 5]).outputs.count == 1)
  }

  // MARK: Constants

  @Test func typesOfConstants() throws {
    let stored: [(ONNXTensorProto, [Double])] = [
      (ONNXModelWriter.tensor("c", [2], .float16, raw: [0x00, 0x3C, 0x00, 0xC0]), [1, -2]),
      (ONNXModelWriter.tensor("c", [2], .bfloat16, raw: [0x80, 0x3F, 0x00, 0xC0]), [1, -2]),
      (ONNXModelWriter.tensor("c", [1], .double, raw: [0, 0, 0, 0, 0, 0, 0xF8, 0x3F]), [1.5]),
      (ONNXModelWriter.tensor("c", [3], .int4, raw: [0xF1, 0x08]), [1, -1, -8]),
      (ONNXModelWriter.tensor("c", [3], .uint4, raw: [0xF1, 0x08]), [1, 15, 8]),
      (ONNXModelWriter.integers("c", [2], [-3, 4], .int8), [-3, 4]),
      (ONNXModelWriter.integers("c", [2], [-300, 400], .int16), [-300, 400]),
      (ONNXModelWriter.integers("c", [], [Int(Int64.min)]), [Double(Int64.min)]),
    ]
    for (proto, values) in stored {
      #expect(try ONNXTensorSource(ONNXGraphProto()).tensor(proto).storedValues == values, "\(proto.dataType)")
    }
  }

  @Test func externalData() throws {
    try TestFolder.temporary { folder in
      try Data([0, 0, 0, 0] + littleEndianBytes(Float(2).bitPattern)).write(to: URL(filePath: "\(folder)/data.bin"))
      #expect(try external("data.bin", offset: 4, length: 4, in: folder) == [6])
      for (location, offset, length) in [("data.bin", 6, 4), ("data.bin", 4, 3), ("data.bin", 9, 1), ("none.bin", 0, 4)] {
        #expect(throws: PackError.self) { try external(location, offset: offset, length: length, in: folder) }
      }
      // Nothing outside of the folder is read, neither by its name nor through a link.
      let inner = folder + "/inner"
      try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
      try FileManager.default.createSymbolicLink(atPath: "\(inner)/link.bin", withDestinationPath: "\(folder)/data.bin")
      for location in ["../data.bin", "link.bin", "\(folder)/data.bin"] {
        let error = #expect(throws: PackError.self) { try external(location, offset: 4, length: 4, in: inner) }
        #expect(error?.description.contains("outside the model's folder") == true, "\(location)")
      }
    }
  }

  /// 3 times a factor that lies in a file.
  private func external(_ location: String, offset: Int, length: Int, in folder: String) throws -> [Float] {
    var factor = ONNXModelWriter.tensor("factor", [1], .float)
    factor.dataLocation = .external
    factor.externalData = [("location", location), ("offset", "\(offset)"), ("length", "\(length)")].map { key, value in
      var entry = ONNXStringStringEntryProto()
      (entry.key, entry.value) = (key, value)
      return entry
    }
    let graph = try ONNXModelWriter.single("Mul", [1], constants: [factor]).load(externalData: folder)
    return try FloatEvaluator(graph).evaluate([FloatTensor(shape: [1], values: [3])])[0].values
  }

  // MARK: Refusals

  @Test func allUnsupportedOperatorsAreNamed() throws {
    var writer = ONNXModelWriter()
    writer.input("x", [4])
    writer.node("Relu", ["x"], ["a"])
    writer.node("Hardmax", ["a"], ["b"])
    writer.node("LSTM", ["b"], ["c"])
    writer.output("c")
    let error = #expect(throws: PackError.self) { try writer.load() }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.hasPrefix("Hardmax, node 1: this operator is not supported") == true)
    #expect(error?.description.contains("not supported either: LSTM, node 2") == true)
    #expect(error?.description.contains("supported: Abs, Add") == true)
  }

  static let malformed: [(String, [(String, ONNXModelWriter.Attribute)], String)] = [
    ("Softmax", [("axis", .int(2))], "dimension 2 of a tensor with 1 dimensions"),
    ("Softmax", [("axis", .real(1))], "the attribute axis is of type float"),
    ("Gelu", [("approximate", .string("sinh"))], "expected none or tanh"),
    ("Transpose", [("perm", .ints([1]))], "is not a permutation"),
    ("Add", [], "needs 2 inputs"),
    ("Conv", [], "needs 2 to 3 inputs"),
  ]

  @Test(arguments: malformed)
  func malformedNodes(_ operation: String, _ attributes: [(String, ONNXModelWriter.Attribute)], _ reason: String) throws {
    let error = #expect(throws: PackError.self) {
      try ONNXModelWriter.single(operation, [4], attributes).load()
    }
    #expect(error?.description.hasPrefix("\(operation), node 0: ") == true)
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test func valuesAreDefinedOnceAndBeforeTheirUse() throws {
    var writer = ONNXModelWriter.single("Relu", [4])
    writer.node("Relu", ["later"], ["z"])
    #expect(throws: PackError.self) { try writer.load() }
    writer = .single("Relu", [4])
    writer.node("Abs", ["x"], ["y"])
    #expect(throws: PackError.self) { try writer.load() }
    writer = .single("Relu", [4])
    writer.output("nothing")
    #expect(throws: PackError.self) { try writer.load() }
  }

  /// Small files must not ask for large amounts of memory, nor for time without end.
  @Test func absurdSizesAreRefused() throws {
    var writer = ONNXModelWriter()
    writer.input("x", [1])
    writer.constant("shape", Array(repeating: 1 << 20, count: 4))
    writer.node("ConstantOfShape", ["shape"], ["c"])
    writer.node("Add", ["x", "c"], ["y"])
    writer.output("y")
    #expect(throws: PackError.self) { try writer.load() }

    writer = ONNXModelWriter()
    writer.input("x", [1])
    writer.constant("doubled", [2])
    writer.constant("c0", [1], [1])
    for step in 0..<40 { writer.node("Tile", ["c\(step)", "doubled"], ["c\(step + 1)"]) }
    writer.node("Add", ["x", "c40"], ["y"])
    writer.output("y")
    #expect(throws: PackError.self) { try writer.load() }
  }

  // MARK: Damage

  /// Every truncation, and bits flipped one by one and in bursts, load or throw.
  @Test func damageIsNoTrap() throws {
    let sound = Self.small.bytes
    func attempt(_ bytes: [UInt8]) {
      do {
        _ = try ONNXImporter.load(bytes)
      } catch {
        #expect(error is PackError, "\(error)")
      }
    }
    for length in sound.indices { attempt(Array(sound[..<length])) }
    for position in sound.indices {
      for bit in 0..<8 {
        var bytes = sound
        bytes[position] ^= 1 << bit
        attempt(bytes)
      }
    }
    var generator = SeededGenerator(state: 7)
    for _ in 0..<2000 {
      var bytes = sound
      for _ in 0..<4 { bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator) }
      attempt(bytes)
    }
  }
}

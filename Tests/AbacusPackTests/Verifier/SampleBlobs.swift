import AbacusFormat
import AbacusRuntime

@testable import AbacusPack

/// Small models that between them use every operator.
enum SampleBlobs {
  /// Convolutions, pools, a classifier.
  static func image() throws -> PackedModel {
    var test = TestGraph(seed: 1)
    let input = test.input([1, 5, 4, 2], scale: 0.05)
    func product(_ shape: [Int], axis: Int, depth: Int, from: Graph.TensorID, _ output: [Int], _ operation: AbacusPack.Operation)
      -> Graph.TensorID
    {
      let (weights, bias, scale) = test.weights(
        for: from, shape, axis: axis, depth: depth, style: WeightStyle(spread: 1e12))
      return test.add(operation, [from, weights, bias], output, scale: scale)
    }
    let same = WindowAttributes(size: [3, 3], padBefore: [1, 1], padAfter: [1, 1])
    let small = WindowAttributes(size: [2, 2], strides: [2, 1], padBefore: [0, 1])
    var last = product(
      [3, 3, 3, 2], axis: 0, depth: 18, from: input, [1, 5, 4, 3], .convolution(same, groups: 1, .relu))
    last = product(
      [1, 3, 3, 6], axis: 3, depth: 9, from: last, [1, 5, 4, 6],
      .depthwiseConvolution(same, multiplier: 2, .none))
    last = product(
      [4, 1, 1, 6], axis: 0, depth: 6, from: last, [1, 5, 4, 4],
      .convolution(WindowAttributes(size: [1, 1]), groups: 1, .none))
    let scale = test.graph.tensors[last].quantization!.scales[0]
    last = test.add(.pool(.max, small, .none), [last], [1, 2, 4, 4], scale: scale)
    last = test.add(.pool(.average, small, .none), [last], [1, 1, 4, 4], scale: scale)
    last = product([3, 16], axis: 0, depth: 16, from: last, [1, 3], .fullyConnected(.none))
    last = test.add(.softmax(beta: 1), [last], [1, 3], scale: 1.0 / 256, zeroPoint: -128)
    test.graph.outputs = [last]
    return try Packer.pack(test.graph)
  }

  /// Everything else.
  static func sequence() throws -> PackedModel {
    var test = TestGraph(seed: 2)
    let scale = 0.02
    let input = test.input([2, 3, 4], scale: scale, zeroPoint: 1)
    let picks = test.input([2], scale: 1, zeroPoint: 0, type: .int32, codes: [2, 0])
    let picked = test.add(.gather(axis: 1, batchDimensions: 0), [input, picks], [2, 2, 4], scale: scale, zeroPoint: 1)
    let turned = test.add(.transpose(permutation: [0, 2, 1]), [input], [2, 4, 3], scale: scale, zeroPoint: 1)
    let product = test.add(
      .matrixMultiply(transposeA: false, transposeB: false), [picked, turned], [2, 2, 3], scale: scale)
    let row = test.constant([3], Quantization(scale: scale, zeroPoint: 0))
    var last = product
    for function in BinaryTests.functions {
      last = test.add(.binary(function, .none), [last, row], [2, 2, 3], scale: scale)
    }
    last = test.add(.prelu, [last, row], [2, 2, 3], scale: scale)
    last = test.add(.unary(.tanh), [last], [2, 2, 3], scale: scale)
    last = test.add(
      .pad(before: [0, 1, 0], after: [0, 0, 1], value: 1, .constant), [last], [2, 3, 4], scale: scale)
    last = test.add(.concatenation(axis: 1, .none), [last, input], [2, 6, 4], scale: scale)
    let mean = test.add(.reduce(.mean, axes: [0, 2]), [last], [6], scale: scale)
    test.graph.outputs = [mean]
    test.output(.requantize, [last], [2, 6, 4], scale: scale / 100, type: .int16)
    return try Packer.pack(test.graph)
  }

  /// Operators of rows, in a loop over blocks of two.
  static func rows() throws -> PackedModel {
    let planned = PlannedProgram(RowChain(rows: 5, unitsInLoop: 2).program.hand.program)
    return PackedModel(blob: try BlobWriter.write(planned, options: PackOptions(), metadata: []), planned: planned)
  }

  /// Decoding with a cache: three tokens at a time, in a loop over blocks of two.
  static func attention() throws -> PackedModel {
    let planned = PlannedProgram(DecoderProgram(rows: 3, unitsInLoop: 2).hand.program)
    return PackedModel(blob: try BlobWriter.write(planned, options: PackOptions(), metadata: []), planned: planned)
  }

  /// Weights of few bits: in groups with zero points, and with one scale a channel.
  static func codes() throws -> PackedModel {
    var random = RandomCodes(seed: 5)
    var program = GoldenProgram("codes")
    program.addCodedProjection(
      WeightFormat(bits: 2, grid: .offset, groupSize: 16), rows: 9, depth: 36, channels: 3, input: .int8, output: .int16,
      variant: .residual, hasScratch: true, &random)
    program.addCodedConvolution(
      WeightFormat(bits: 4, grid: .symmetric), size: [2, 3], inputs: 5, channels: 2, &random)
    let planned = PlannedProgram(program.hand.program)
    return PackedModel(blob: try program.hand.blob(), planned: planned)
  }

  /// Weights of which groups are left out.
  static func groups() throws -> PackedModel {
    var random = RandomCodes(seed: 6)
    var program = GoldenProgram("groups")
    program.addSparseProjection(
      rows: 14, depth: 40, channels: 4, input: .int8, output: .int8, variant: .residual, &random)
    return PackedModel(blob: try program.hand.blob(), planned: PlannedProgram(program.hand.program))
  }

  /// Two convolutions whose result is added to what they start from, and a pool.
  static func residual() -> TestGraph {
    var test = TestGraph(seed: 3)
    let input = test.input([1, 12, 5, 4], scale: 0.05)
    let same = WindowAttributes(size: [3, 3], padBefore: [1, 1], padAfter: [1, 1])
    var last = input
    for _ in 0..<2 {
      let (weights, bias, scale) = test.weights(for: last, [4, 3, 3, 4], axis: 0, depth: 36, style: WeightStyle())
      last = test.add(.convolution(same, groups: 1, .none), [last, weights, bias], [1, 12, 5, 4], scale: scale)
    }
    last = test.add(.binary(.add, .none), [last, input], [1, 12, 5, 4], scale: 0.1)
    test.output(
      .pool(.max, WindowAttributes(size: [2, 2], strides: [2, 2]), .none), [last], [1, 6, 2, 4], scale: 0.1)
    return test
  }

  /// The same, the first three operators in a loop over lines.
  static func lines() throws -> PackedModel {
    let program = try Lowering.lower(residual().graph, options: PackOptions())
    guard let formed = WindowLoop(program, 0..<3)?.formed(rowsInRound: 2, number: 0) else {
      throw PackError(.malformed, "no loop")
    }
    let planned = PlannedProgram(formed)
    return PackedModel(blob: try BlobWriter.write(planned, options: PackOptions(), metadata: []), planned: planned)
  }

  static func all() throws -> [PackedModel] {
    [try image(), try sequence(), try rows(), try attention(), try lines(), try codes(), try groups()]
  }
}

/// A blob whose records can be changed, with both checksums repaired at the end.
struct BlobEditor {
  var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func load<Value: BitwiseCopyable>(_ offset: Int, _: Value.Type = Value.self) -> Value {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
  }

  mutating func store(_ value: some BitwiseCopyable, _ offset: Int) {
    withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
  }

  var header: HeaderRecord {
    get { load(0) }
    set { store(newValue, 0) }
  }

  func start(_ section: Section) -> Int { Int(header.sections[section.rawValue].offset) }

  /// Changes a record, or field, of a section in place.
  mutating func edit<Value: BitwiseCopyable>(
    _ section: Section, _ offset: Int, _: Value.Type, _ change: (inout Value) -> Void
  ) {
    var value: Value = load(start(section) + offset)
    change(&value)
    store(value, start(section) + offset)
  }

  mutating func tensor(_ index: Int, _ change: (inout TensorRecord) -> Void) {
    edit(.tensors, index * TensorRecord.bytes, TensorRecord.self, change)
  }

  mutating func step(_ index: Int, _ change: (inout OperatorRecord) -> Void) {
    edit(.operators, index * OperatorRecord.bytes, OperatorRecord.self, change)
  }

  func record(_ index: Int) -> OperatorRecord { load(start(.operators) + index * OperatorRecord.bytes) }

  /// The first operator with an opcode.
  func first(_ opcode: Opcode) -> Int {
    (0..<Int(header.operatorCount)).first { record($0).opcode == opcode.rawValue }!
  }

  /// The tensor in a slot of the first operator with an opcode.
  func operand(_ opcode: Opcode, _ slot: Int) -> Int {
    let operand = record(first(opcode)).operands[slot]
    precondition(operand != TensorRecord.none, "\(opcode) has nothing in slot \(slot)")
    return Int(operand)
  }

  /// Changes the parameters of the first operator with an opcode.
  mutating func parameters<Value: BitwiseCopyable>(
    _ opcode: Opcode, _ type: Value.Type, _ change: (inout Value) -> Void
  ) {
    edit(.parameters, Int(record(first(opcode)).parameterOffset), type, change)
  }

  /// With both checksums right again.
  func sealed() -> [UInt8] {
    var copy = bytes
    BlobWriter.seal(&copy, header)
    return copy
  }

  /// Repairs the plan checksum alone, in place: fast enough for hundreds of thousands of blobs.
  mutating func sealPlan() {
    var checksum = PlanChecksum()
    let end = min(start(.constants), bytes.count) / 4
    bytes.withUnsafeBytes { raw in
      let words = raw.bindMemory(to: UInt32.self)
      for index in 0..<HeaderRecord.checkedBytes / 4 { checksum.add(words[index]) }
      for index in HeaderRecord.bytes / 4..<max(end, HeaderRecord.bytes / 4) { checksum.add(words[index]) }
    }
    store(checksum.value, HeaderRecord.checkedBytes)
  }
}

import AbacusFormat
import Foundation

/// How large the accumulators of each operator can become, computed from the constants that are
/// actually in the blob.
public struct BoundsCertificate {
  public struct Row: Sendable {
    public let step: Int
    public let opcode: Opcode
    /// Largest magnitude of any accumulator.
    public let bound: Int64
    /// Largest value that the accumulator holds; a softmax sums without a sign.
    public var limit: Int64 { isUnsigned ? Int64(UInt32.max) : Int64(Int32.max) }
    /// Bits that the bound leaves unused.
    public var headroom: Double { (isUnsigned ? 32 : 31) - (bound == 0 ? 0 : log2(Double(bound))) }
    private var isUnsigned: Bool { opcode == .softmax || opcode == .softmaxWide }
  }

  public let rows: [Row]
  public var holds: Bool { rows.allSatisfy { $0.bound <= $0.limit } }

  public init(_ blob: BlobDescription) {
    rows = blob.operators.indices.compactMap { index in
      guard let opcode = blob.opcode(index), let bound = Self.bound(blob, index, opcode) else { return nil }
      return Row(step: index, opcode: opcode, bound: bound)
    }
  }

  private static func bound(_ blob: BlobDescription, _ index: Int, _ opcode: Opcode) -> Int64? {
    switch opcode {
    case .fullyConnected:
      return products(
        blob, index, zero: blob.parameters(index, FullyConnectedParameters.self).weightZeroPoint)
    case .convolution, .codedConvolution, .depthwiseConvolution:
      return products(
        blob, index, zero: blob.parameters(index, ConvolutionParameters.self).weightZeroPoint)
    case .matrixMultiply:
      let p = blob.parameters(index, MatrixMultiplyParameters.self)
      let bias = blob.operand(index, Operands.channels)
        .map { blob.constant($0, Int32.self).map { Int64($0.magnitude) }.max() ?? 0 } ?? 0
      return Int64(p.depth) * reach(p.zeroPointA) * reach(p.zeroPointB) + bias
    case .add, .maximum, .minimum, .squaredDifference:
      let p = blob.parameters(index, BinaryParameters.self)
      return reach(p.zeroPointA) + reach(p.zeroPointB)
    case .multiply, .prelu:
      let p = blob.parameters(index, BinaryParameters.self)
      return reach(p.zeroPointA) * reach(p.zeroPointB)
    case .averagePool:
      let p = blob.parameters(index, PoolParameters.self)
      return Int64(p.window.height) * Int64(p.window.width) * reach(p.inputZeroPoint)
    case .reduce:
      guard let input = blob.operand(index, Operands.input), let output = blob.operand(index, Operands.output)
      else { return nil }
      let p = blob.parameters(index, ReduceParameters.self)
      return Int64(blob.tensors[input].byteCount / blob.tensors[output].byteCount) * reach(p.inputZeroPoint)
    case .softmax:
      return Int64(blob.parameters(index, SoftmaxParameters.self).rowLength) << 20
    case .attention:
      return attentionBound(blob, index)
    case .rotary:
      return rotaryBound(blob, index)
    case .multiplyWide:
      let p = blob.parameters(index, BinaryParameters.self)
      return reach(p.zeroPointA, blob.type(index, Operands.input))
        * reach(p.zeroPointB, blob.type(index, Operands.second))
    case .softmaxWide:
      // Shiftmax sums with saturation.
      if blob.operators[index].variant == SoftmaxVariant.paper.rawValue { return nil }
      return Int64(blob.parameters(index, SoftmaxWideParameters.self).rowLength) << 20
    case .maxPool, .copy, .gather, .table, .requantize, .append:
      return nil
    // Sums of 64 bits, whose multipliers the runtime checks, saturated.
    case .addWide:
      return nil
    case .project, .codedProject, .sparseProject:
      // A residual joins the accumulator in 64 bits, saturated.
      return products(blob, index, zero: 0, input: blob.type(index, Operands.input) == .int16 ? 0x8000 : 0x80)
    case .normalize:
      return normalizationBound(blob, index)
    // What the runtime checks bounds the curve, and the product of ShiftGELU.
    case .activation, .embed:
      return nil
    }
  }

  /// Largest magnitude of an int8 or int16 code minus its zero point.
  static func reach(_ zeroPoint: Int32, _ type: ElementType = .int8) -> Int64 {
    let half: Int64 = type == .int16 ? 0x8000 : 0x80
    return max(half - 1 - Int64(zeroPoint), Int64(zeroPoint) + half)
  }

  /// |bias| plus the largest input code times the magnitudes of a channel's weights, for the worst channel.
  private static func products(
    _ blob: BlobDescription, _ index: Int, zero: Int32, input: Int64 = 0x80
  ) -> Int64? {
    guard let weights = blob.operand(index, Operands.weights),
      let channels = blob.operand(index, Operands.channels)
    else { return nil }
    let record = blob.tensors[weights]
    let biases = blob.constant(channels, Int32.self)
    let count = biases.count / 2
    var sums = [Int64](repeating: 0, count: count)
    if record.layout == Layout.codes.rawValue {
      let integers = blob.integers(
        ofCodes: weights, groupScales: blob.operand(index, Operands.groupScales),
        groupZeros: blob.operand(index, Operands.groupZeros))
      for (position, integer) in integers.enumerated() { sums[position / (integers.count / count)] += Int64(integer.magnitude) }
      return (0..<count).map { Int64(biases[2 * $0].magnitude) + input * sums[$0] }.max()
    }
    let codes = blob.constant(weights, Int8.self)
    if let counts = blob.operand(index, Operands.groupCounts) {
      let channelOfGroup = blob.constant(counts, UInt8.self).enumerated().flatMap { repeatElement($0, count: Int($1)) }
      for (position, code) in codes.enumerated() { sums[channelOfGroup[position / GroupLayout.size]] += Int64(code.magnitude) }
      return (0..<count).map { Int64(biases[2 * $0].magnitude) + input * sums[$0] }.max()
    }
    let isDepthwise = blob.opcode(index) == .depthwiseConvolution
    let group = Int(record.blockRows) * Int(record.blockColumns)
    let groupRows = Int(record.blockRows)
    let perGroupOfRows = codes.count / ((count + groupRows - 1) / groupRows)
    for (position, code) in codes.enumerated() {
      let channel =
        isDepthwise
        ? position % count
        : position / perGroupOfRows * groupRows
          + (record.layout == Layout.paired.rawValue ? position % 2 : position % group / Int(record.blockColumns))
      if channel < count { sums[channel] += Int64(code.magnitude) + Int64(zero.magnitude) }
    }
    return (0..<count).map { Int64(biases[2 * $0].magnitude) + input * sums[$0] }.max()
  }
}

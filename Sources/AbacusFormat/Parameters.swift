// The parameter records of the operators. All fields are 32-bit words, so that every record has
// the same layout on every CPU. Shapes are in the tensor records; what stands here is what the
// packer decided: multipliers, zero points, clamps, strides.

/// Which slot of `OperatorRecord.operands` holds what.
public enum Operands {
  /// Output of every operator.
  public static let output = 0
  /// First (or only) run-time input of every operator.
  public static let input = 1
  /// Second input of binary operators and products of run-time matrices; indices of gather.
  public static let second = 2
  /// Weights of fully connected and convolution layers; table of a table operator, a copy or
  /// a softmax; reciprocals of an average pool.
  public static let weights = 3
  /// int32 [channels, 2]: bias and multiplier of each output channel.
  public static let channels = 4
  /// uint8 [channels]: shift of each output channel, where one for all loses accuracy.
  public static let shifts = 5
  /// Working memory in the arena.
  public static let scratch = 6
}

/// The end of every arithmetic operator: `clamp(requant(acc; m, shift) + zeroPoint, low, high)`.
public struct OutputStage: BitwiseCopyable {
  /// Common shift of the dyadic multipliers, 1...62.
  public var shift: Int32
  public var zeroPoint: Int32
  public var low: Int32
  public var high: Int32

  public init(shift: Int32, zeroPoint: Int32, low: Int32, high: Int32) {
    self.shift = shift
    self.zeroPoint = zeroPoint
    self.low = low
    self.high = high
  }
}

/// Fully connected: `output[m, n] = stage(sum_k input[m, k] * weights[n, k] + bias[n])`.
/// The input zero point is folded into the bias.
public struct FullyConnectedParameters: BitwiseCopyable {
  public var stage: OutputStage
  /// Subtracted from every weight (uint8 models); 0 as a rule.
  public var weightZeroPoint: Int32

  public init(stage: OutputStage, weightZeroPoint: Int32 = 0) {
    self.stage = stage
    self.weightZeroPoint = weightZeroPoint
  }
}

/// A sliding window over the two middle dimensions of an NHWC tensor.
public struct Window: BitwiseCopyable {
  public var height: UInt32
  public var width: UInt32
  public var strideHeight: UInt32
  public var strideWidth: UInt32
  public var dilationHeight: UInt32
  public var dilationWidth: UInt32
  /// Rows and columns of padding before the first; what lies behind follows from the shapes.
  public var padTop: UInt32
  public var padLeft: UInt32

  public init(
    height: UInt32, width: UInt32, strideHeight: UInt32 = 1, strideWidth: UInt32 = 1,
    dilationHeight: UInt32 = 1, dilationWidth: UInt32 = 1, padTop: UInt32 = 0, padLeft: UInt32 = 0
  ) {
    self.height = height
    self.width = width
    self.strideHeight = strideHeight
    self.strideWidth = strideWidth
    self.dilationHeight = dilationHeight
    self.dilationWidth = dilationWidth
    self.padTop = padTop
    self.padLeft = padLeft
  }
}

/// Convolution and depthwise convolution. Padding reads `inputZeroPoint`.
public struct ConvolutionParameters: BitwiseCopyable {
  public var window: Window
  public var stage: OutputStage
  public var inputZeroPoint: Int32
  public var weightZeroPoint: Int32

  public init(window: Window, stage: OutputStage, inputZeroPoint: Int32, weightZeroPoint: Int32 = 0) {
    self.window = window
    self.stage = stage
    self.inputZeroPoint = inputZeroPoint
    self.weightZeroPoint = weightZeroPoint
  }
}

/// Product of run-time matrices: `acc[b, m, n] = sum_k (A - zeroA) * (B - zeroB) + bias[n]`.
/// Strides are in elements; a batch stride of 0 broadcasts. Output is contiguous [batch, M, N].
public struct MatrixMultiplyParameters: BitwiseCopyable {
  public var batch: InlineArray<4, UInt32>
  public var batchStrideA: InlineArray<4, UInt32>
  public var batchStrideB: InlineArray<4, UInt32>
  public var rows: UInt32
  public var columns: UInt32
  public var depth: UInt32
  public var rowStrideA: UInt32
  public var depthStrideA: UInt32
  public var columnStrideB: UInt32
  public var depthStrideB: UInt32
  public var zeroPointA: Int32
  public var zeroPointB: Int32
  public var multiplier: Int32
  public var stage: OutputStage

  public init(stage: OutputStage) {
    batch = InlineArray(repeating: 1)
    batchStrideA = InlineArray(repeating: 0)
    batchStrideB = InlineArray(repeating: 0)
    rows = 1
    columns = 1
    depth = 1
    rowStrideA = 0
    depthStrideA = 1
    columnStrideB = 0
    depthStrideB = 1
    zeroPointA = 0
    zeroPointB = 0
    multiplier = 0
    self.stage = stage
  }
}

/// Element-wise operators with two inputs. The output is contiguous with extents `dims`; a
/// stride of 0 broadcasts.
///
/// With a = A - zeroA and b = B - zeroB:
/// - add: `(a * multiplierA + b * multiplierB) / 2^shift`
/// - multiply: `a * b * multiplierA / 2^shift`
/// - squaredDifference: `t = (a * multiplierA + b * multiplierB) / 2^innerShift`, `t * t *
///   outerMultiplier / 2^shift`
/// - maximum, minimum: of `a * multiplierA / 2^shift` and `b * multiplierB / 2^shift`
/// - prelu: `a * multiplierA / 2^shift` where a >= 0, else `a * b * multiplierB / 2^shift`
public struct BinaryParameters: BitwiseCopyable {
  public var dims: InlineArray<6, UInt32>
  public var strideA: InlineArray<6, UInt32>
  public var strideB: InlineArray<6, UInt32>
  public var zeroPointA: Int32
  public var zeroPointB: Int32
  public var multiplierA: Int32
  public var multiplierB: Int32
  public var innerShift: Int32
  public var outerMultiplier: Int32
  public var stage: OutputStage

  public init(stage: OutputStage) {
    dims = InlineArray(repeating: 1)
    strideA = InlineArray(repeating: 0)
    strideB = InlineArray(repeating: 0)
    zeroPointA = 0
    zeroPointB = 0
    multiplierA = 0
    multiplierB = 0
    innerShift = 1
    outerMultiplier = 0
    self.stage = stage
  }
}

/// Max and average pooling. An average divides by multiplying with `reciprocals[count - 1]`
/// (`reciprocals[0]` where the table has one entry, because no window reaches into padding).
public struct PoolParameters: BitwiseCopyable {
  public var window: Window
  public var stage: OutputStage
  public var inputZeroPoint: Int32

  public init(window: Window, stage: OutputStage, inputZeroPoint: Int32) {
    self.window = window
    self.stage = stage
    self.inputZeroPoint = inputZeroPoint
  }
}

/// Forms of ``Opcode/reduce``.
public enum ReduceVariant: UInt8, Sendable {
  /// Sum and mean: they differ only in the multiplier.
  case sum = 0
  case maximum
  case minimum
}

/// Reduction: bit i of `axes` is set where dimension i of the input is reduced.
public struct ReduceParameters: BitwiseCopyable {
  public var axes: UInt32
  public var inputZeroPoint: Int32
  public var multiplier: Int32
  public var stage: OutputStage

  public init(axes: UInt32, inputZeroPoint: Int32, multiplier: Int32, stage: OutputStage) {
    self.axes = axes
    self.inputZeroPoint = inputZeroPoint
    self.multiplier = multiplier
    self.stage = stage
  }
}

/// Forms of ``Opcode/copy``.
public enum CopyVariant: UInt8, Sendable {
  /// Only the named elements of the destination are written.
  case part = 0
  /// The whole destination is first set to `fill`.
  case filled
}

/// Strided copy; strides and offsets in elements. Sources may run backwards.
public struct CopyParameters: BitwiseCopyable {
  public var dims: InlineArray<6, UInt32>
  public var sourceStrides: InlineArray<6, Int32>
  public var destinationStrides: InlineArray<6, UInt32>
  public var sourceOffset: UInt32
  public var destinationOffset: UInt32
  public var fill: Int32

  public init() {
    dims = InlineArray(repeating: 1)
    sourceStrides = InlineArray(repeating: 0)
    destinationStrides = InlineArray(repeating: 0)
    sourceOffset = 0
    destinationOffset = 0
    fill = 0
  }
}

/// Gather: `output[b, o, i, n] = input[b, o, indices[b, i], n]`. An index outside
/// `0 ..< axis` reads the nearest row.
public struct GatherParameters: BitwiseCopyable {
  public var batch: UInt32
  public var outer: UInt32
  public var axis: UInt32
  public var indices: UInt32
  /// Elements of one row.
  public var inner: UInt32

  public init(batch: UInt32, outer: UInt32, axis: UInt32, indices: UInt32, inner: UInt32) {
    self.batch = batch
    self.outer = outer
    self.axis = axis
    self.indices = indices
    self.inner = inner
  }
}

/// Refined softmax of int8 rows; `multiplier / 2^shift` takes a difference of codes to log2 in
/// Q16. The output is int8 (scale 1/256, zero point -128) or int16 (scale 2^-15).
public struct SoftmaxParameters: BitwiseCopyable {
  public var rowLength: UInt32
  public var multiplier: Int32
  public var shift: Int32

  public init(rowLength: UInt32, multiplier: Int32, shift: Int32) {
    self.rowLength = rowLength
    self.multiplier = multiplier
    self.shift = shift
  }
}

/// Change of scale: `stage((x - inputZeroPoint) * multiplier)`, int8, int16 or int32 to any of them.
public struct RequantizeParameters: BitwiseCopyable {
  public var inputZeroPoint: Int32
  public var multiplier: Int32
  public var stage: OutputStage

  public init(inputZeroPoint: Int32, multiplier: Int32, stage: OutputStage) {
    self.inputZeroPoint = inputZeroPoint
    self.multiplier = multiplier
    self.stage = stage
  }
}

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
  /// Values of an attention, whose keys are in `second`.
  public static let values = 3
  /// Which keys an attention may look at: one number each, 0 where not.
  public static let mask = 7
  /// int32 [1], a state: how many tokens the session has seen before this run.
  public static let position = 8
  /// uint8 [channels, groups]: relative scales of groups of codes, where there are groups.
  public static let groupScales = 9
  /// int8 [channels, groups]: zero points of groups on the grid ``CodeGrid/offset``.
  public static let groupZeros = 10
  /// uint8 [channels]: how many groups of weights each channel keeps (``GroupLayout``).
  public static let groupCounts = 11
  /// uint8 [kept groups]: which group of its channel each is.
  public static let groupIndices = 12
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

/// Forms of ``Opcode/project``.
public enum ProjectVariant: UInt8, Sendable {
  /// `stage(acc; m[n])`.
  case plain = 0
  /// `clamp(floor((acc * m[n] + residual * residualMultiplier + 2^(s-1)) / 2^s) + zeroPoint)`: one
  /// rounding (integer-semantics section 3).
  case residual
  /// I-ViT: the accumulator is requantised to int16 first, then both branches to the output.
  case paperResidual
}

/// Rows [M, K] times constant weights [N, K], as ``FullyConnectedParameters``, for operands of 8 or
/// 16 bits. The input zero point is folded into the bias; weights are symmetric.
public struct ProjectParameters: BitwiseCopyable {
  public var stage: OutputStage
  public var residualZeroPoint: Int32
  public var residualMultiplier: Int32
  /// `paperResidual` only: shift of the residual, multiplier and shift of the int16 branch.
  public var residualShift: Int32
  public var branchMultiplier: Int32
  public var branchShift: Int32

  public init(stage: OutputStage) {
    self.stage = stage
    residualZeroPoint = 0
    residualMultiplier = 0
    residualShift = 1
    branchMultiplier = 0
    branchShift = 1
  }
}

/// A projection whose weights are groups, which do not tell the length of a row.
public struct SparseProjectParameters: BitwiseCopyable {
  public var project: ProjectParameters
  /// Elements of a row.
  public var depth: UInt32

  public init(project: ProjectParameters, depth: UInt32) {
    self.project = project
    self.depth = depth
  }
}

/// Parameters of I-ViT's exponential by shifts (integer-semantics 4.1).
public struct ShiftExponentParameters: BitwiseCopyable {
  /// I0: how many steps of the input make 1.
  public var unit: Int32
  /// N: exponentials below 2^-N are 2^-N.
  public var octaves: Int32
  /// k: bits of a quotient, scale 2^-(k-1).
  public var quotientBits: Int32
  /// 1 where half of the remainder keeps its half bit, as in I-ViT's released code.
  public var keepsHalfBit: UInt32

  public init(unit: Int32 = 1, octaves: Int32 = 15, quotientBits: Int32 = 8, keepsHalfBit: Bool = false) {
    self.unit = unit
    self.octaves = octaves
    self.quotientBits = quotientBits
    self.keepsHalfBit = keepsHalfBit ? 1 : 0
  }
}

/// Forms of ``Opcode/normalize``.
public enum NormalizeVariant: UInt8, Sendable {
  /// Integer-semantics 7.2; slot 4 holds {G, B} of each element.
  case layer = 0
  /// The same without centring, B = 0.
  case rootMeanSquare
  /// I-LayerNorm (integer-semantics 7.1); slot 4 holds {bias, multiplier}, slot 5 may hold shifts.
  case paper
}

/// Normalisation of rows of `rowLength` elements.
public struct NormalizeParameters: BitwiseCopyable {
  /// `shift` is sg, 33...62, for the refined forms.
  public var stage: OutputStage
  public var rowLength: UInt32
  public var inputZeroPoint: Int32
  /// E, a number of 59 bits: epsilon * n^2 / S^2 (root mean square: epsilon * n / S^2).
  public var epsilonLow: UInt32
  public var epsilonHigh: UInt32
  /// `paper`: the square root starts at 2^start, or at 2^(bits / 2) where this is 0.
  public var rootStart: UInt32

  public init(stage: OutputStage, rowLength: UInt32, epsilon: UInt64 = 0) {
    self.stage = stage
    self.rowLength = rowLength
    inputZeroPoint = 0
    epsilonLow = UInt32(truncatingIfNeeded: epsilon)
    epsilonHigh = UInt32(truncatingIfNeeded: epsilon &>> 32)
    rootStart = 16
  }
}

/// Forms of ``Opcode/activation``.
public enum ActivationVariant: UInt8, Sendable {
  /// ReLU minus the even table in slot 3 (integer-semantics 5.3).
  case curve = 0
  /// ShiftGELU over whole rows (integer-semantics 5.1).
  case paper
}

/// Activation of rows of `rowLength` elements.
public struct ActivationParameters: BitwiseCopyable {
  /// Ends both forms, with `multiplier`.
  public var stage: OutputStage
  public var multiplier: Int32
  public var rowLength: UInt32
  public var inputZeroPoint: Int32
  /// `curve`: takes a code to the grid 2^-10; a shift of 0 says that it is on that grid already.
  public var inputMultiplier: Int32
  public var inputShift: Int32
  /// `paper` only.
  public var exponent: ShiftExponentParameters
  /// `paper`: 1 where `exponent.unit` belongs to 1.702 times the scale, as in I-ViT's released code;
  /// otherwise x * 1.702 is made by shifts.
  public var isScaled: UInt32

  public init(stage: OutputStage, multiplier: Int32, rowLength: UInt32) {
    self.stage = stage
    self.multiplier = multiplier
    self.rowLength = rowLength
    inputZeroPoint = 0
    inputMultiplier = 0
    inputShift = 0
    exponent = ShiftExponentParameters()
    isScaled = 0
  }
}

/// Forms of ``Opcode/attention``.
public enum AttentionVariant: UInt8, Sendable {
  /// Exponentials on Q15 and deferred normalisation (integer-semantics 4.6).
  case deferred = 0
  /// Keys in blocks under a running maximum of whole octaves (integer-semantics 4.7).
  case online
  /// Scores requantised to int8, Shiftmax, product with the values (integer-semantics 4.1).
  case paper
}

/// Attention of int8 or int16 queries [M, heads * depth] on int8 keys [keys, keyValueHeads * depth]
/// and values [keys, keyValueHeads * valueDepth]; all symmetric. Slot 4 holds for each query head
/// {multiplier, shift} of the scores (to log2 on Q16; paper: to int8 steps) and {multiplier, shift}
/// of the values (to output steps). Units are query rows.
public struct AttentionParameters: BitwiseCopyable {
  /// `shift` is not used.
  public var stage: OutputStage
  public var heads: UInt32
  public var keyValueHeads: UInt32
  public var depth: UInt32
  public var valueDepth: UInt32
  public var keys: UInt32
  /// 1 where row r sees only keys 0...(position + r).
  public var isCausal: UInt32
  /// `online`: keys in one block.
  public var block: UInt32
  /// `paper` only.
  public var exponent: ShiftExponentParameters

  public init(
    stage: OutputStage, heads: UInt32, keyValueHeads: UInt32, depth: UInt32, valueDepth: UInt32,
    keys: UInt32, isCausal: Bool
  ) {
    self.stage = stage
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.depth = depth
    self.valueDepth = valueDepth
    self.keys = keys
    self.isCausal = isCausal ? 1 : 0
    block = 32
    exponent = ShiftExponentParameters()
  }
}

/// Rotary position embedding of int8 or int16 rows [M, heads * depth], symmetric. Slot 3 is int16
/// [positions, depth / 2, 2]: cosine and sine on Q14; slot 4 is int32 [heads, 2]: {multiplier, shift}
/// from input steps times 2^-14 to output steps. A row behind the last position reads the last.
public struct RotaryParameters: BitwiseCopyable {
  /// `shift` is not used.
  public var stage: OutputStage
  public var heads: UInt32
  public var depth: UInt32
  public var positions: UInt32
  /// 1 where pairs are (2i, 2i + 1), 0 where they are (i, i + depth / 2).
  public var isInterleaved: UInt32

  public init(stage: OutputStage, heads: UInt32, depth: UInt32, positions: UInt32, isInterleaved: Bool) {
    self.stage = stage
    self.heads = heads
    self.depth = depth
    self.positions = positions
    self.isInterleaved = isInterleaved ? 1 : 0
  }
}

/// Append: row r of the input becomes row position + r of the output, a state. Rows that would lie
/// outside are dropped.
public struct AppendParameters: BitwiseCopyable {
  public var rowLength: UInt32

  public init(rowLength: UInt32) {
    self.rowLength = rowLength
  }
}

/// Embedding: `output[r, i] = stage(table[index[r], i]; m[index[r]])`; the table is int8
/// [entries, rowLength] in slot 3, m is int32 [entries] in slot 4. An index outside reads the nearest
/// entry.
public struct EmbedParameters: BitwiseCopyable {
  public var stage: OutputStage
  public var entries: UInt32
  public var rowLength: UInt32

  public init(stage: OutputStage, entries: UInt32, rowLength: UInt32) {
    self.stage = stage
    self.entries = entries
    self.rowLength = rowLength
  }
}

/// Forms of ``Opcode/addWide``.
public enum AddWideVariant: UInt8, Sendable {
  /// One rounding, as ``Opcode/add``.
  case sum = 0
  /// I-ViT: both branches are rounded by themselves: `requant(a; multiplierA, innerShift) +
  /// requant(b; multiplierB, shift)`.
  case paper
}

/// Forms of ``Opcode/softmaxWide``.
public enum SoftmaxVariant: UInt8, Sendable {
  /// Integer-semantics 4.5: int16 (2^-15) or int8 (1/256, zero point -128) output.
  case refined = 0
  /// Shiftmax, integer-semantics 4.1: int8 (k = 8) or int16 (k = 16) output on scale 2^-(k-1).
  case paper
}

/// Softmax of int8, int16 or int32 rows (int32 within +-2^30).
public struct SoftmaxWideParameters: BitwiseCopyable {
  public var rowLength: UInt32
  /// `refined` only: a difference of codes to log2 on Q16.
  public var multiplier: Int32
  public var shift: Int32
  /// `paper` only.
  public var exponent: ShiftExponentParameters

  public init(rowLength: UInt32, multiplier: Int32 = 0, shift: Int32 = 1) {
    self.rowLength = rowLength
    self.multiplier = multiplier
    self.shift = shift
    exponent = ShiftExponentParameters()
  }
}

/// The one list of operators that the runtime executes.
///
/// The packer lowers every imported graph to these; what a view can express (reshape, squeeze,
/// slices along the outer axis ...) is a placement in the arena and needs no operator.
public enum Opcode: UInt8, Sendable {
  /// Rows times a constant matrix, plus bias, requantised per output channel.
  case fullyConnected = 1
  /// Two-dimensional convolution, NHWC, any stride, dilation, padding and group count.
  case convolution = 2
  /// One filter per channel, any multiplier, NHWC.
  case depthwiseConvolution = 3
  /// Product of two run-time matrices, batched.
  case matrixMultiply = 4
  /// Weighted sum of two tensors with broadcasting (addition and subtraction).
  case add = 5
  /// Product of two tensors with broadcasting.
  case multiply = 6
  /// Square of the difference of two tensors with broadcasting.
  case squaredDifference = 7
  /// Larger of two tensors with broadcasting.
  case maximum = 8
  /// Smaller of two tensors with broadcasting.
  case minimum = 9
  /// Leaky rectifier whose slope is a tensor, with broadcasting.
  case prelu = 10
  /// Maximum over a window, NHWC.
  case maxPool = 11
  /// Mean over a window, NHWC; padding does not count.
  case averagePool = 12
  /// Sum, mean, maximum or minimum over any axes.
  case reduce = 13
  /// Strided copy of up to six dimensions, optionally filling the destination first and
  /// mapping bytes through a table: transpose, slice, pad, concatenation, broadcast.
  case copy = 14
  /// Rows picked by run-time indices.
  case gather = 15
  /// Refined softmax over the last axis (integer-semantics 4.5).
  case softmax = 16
  /// Any function of one int8 value, as 256 bytes.
  case table = 17
  /// Change of scale, zero point or width.
  case requantize = 18
  /// Rows of int8 or int16 times a constant matrix, requantised to any width; a residual may be
  /// added straight to the accumulator.
  case project = 19
  /// Normalisation of rows: LayerNorm, RMSNorm, I-LayerNorm.
  case normalize = 20
  /// x * cdf(x) as ReLU minus an even table (GELU, SiLU, QuickGELU), or ShiftGELU.
  case activation = 21
  /// Scaled dot-product attention, one query row at a time, without a score matrix.
  case attention = 22
  /// Rotary position embedding of rows of heads.
  case rotary = 23
  /// Writes rows into a state, at the position that the session has reached.
  case append = 24
  /// Rows of a quantised table, picked by run-time indices and rescaled.
  case embed = 25
  /// Weighted sum of tensors of 8, 16 or 32 bits with broadcasting.
  case addWide = 26
  /// Product of tensors of 8 or 16 bits with broadcasting.
  case multiplyWide = 27
  /// Softmax of rows of 8, 16 or 32 bits: refined, or Shiftmax.
  case softmaxWide = 28
  /// ``project`` with weights of 4 or 2 bits.
  case codedProject = 29
  /// ``convolution`` in one group with weights of 4 or 2 bits.
  case codedConvolution = 30
  /// ``project`` with weights of which whole groups are left out.
  case sparseProject = 31

  /// Opcodes are 1...count.
  public static let count: UInt8 = 31

  /// The name that `abacus inspect` prints and that names the kernel's C symbols
  /// (`abacus_run_<name>`, `abacus_check_<name>`).
  public var symbol: StaticString {
    switch self {
    case .fullyConnected: "fully_connected"
    case .convolution: "convolution"
    case .depthwiseConvolution: "depthwise_convolution"
    case .matrixMultiply: "matrix_multiply"
    case .add: "add"
    case .multiply: "multiply"
    case .squaredDifference: "squared_difference"
    case .maximum: "maximum"
    case .minimum: "minimum"
    case .prelu: "prelu"
    case .maxPool: "max_pool"
    case .averagePool: "average_pool"
    case .reduce: "reduce"
    case .copy: "copy"
    case .gather: "gather"
    case .softmax: "softmax"
    case .table: "table"
    case .requantize: "requantize"
    case .project: "project"
    case .normalize: "normalize"
    case .activation: "activation"
    case .attention: "attention"
    case .rotary: "rotary"
    case .append: "append"
    case .embed: "embed"
    case .addWide: "add_wide"
    case .multiplyWide: "multiply_wide"
    case .softmaxWide: "softmax_wide"
    case .codedProject: "coded_project"
    case .codedConvolution: "coded_convolution"
    case .sparseProject: "sparse_project"
    }
  }
}

// Every bound of the blob format, in one table, each with its reason.

/// The limits that the packer keeps and the verifier enforces.
public enum Limits {
  /// `dims[6]` of `abacus_tensor` in the C interface.
  public static let maximumRank = 6

  /// Elements and bytes of one tensor, and every product of extents that a kernel forms,
  /// stay below this. Kernels may therefore index with wrapping 32-bit arithmetic.
  public static let maximumTensorBytes: UInt32 = 1 << 30

  /// Bytes of a whole blob. Offsets are `UInt32`; the sum of two of them must not wrap.
  public static let maximumBlobBytes: UInt32 = 1 << 31

  /// Bytes of an arena, for the same reason.
  public static let maximumArenaBytes: UInt32 = 1 << 31

  /// Tensor indices are `UInt16`; `0xFFFF` stands for "no tensor".
  public static let maximumTensors: UInt32 = 0xFFFF

  /// Keeps the time of opening bounded: it is proportional to operators and tensors.
  public static let maximumOperators: UInt32 = 0xFFFF

  /// Operands (inputs, constants, outputs, scratch) of one operator.
  public static let maximumOperands = 14

  /// Inputs plus outputs of a model; they are listed by `UInt16` indices.
  public static let maximumBoundaryTensors: UInt32 = 0xFFFF

  /// Required alignment of a blob and of every section in it (`ABACUS_BLOB_ALIGNMENT`).
  public static let sectionAlignment: UInt32 = 16

  /// Required alignment of an arena (`ABACUS_ARENA_ALIGNMENT`).
  public static let arenaAlignment: UInt32 = 16

  /// Alignment of every tensor in the arena and of every constant: kernels load words.
  public static let tensorAlignment: UInt32 = 4

  /// Shifts of a dyadic multiplier (`integer-semantics` section 1): the product of two
  /// 32-bit numbers plus half of `2^62` still fits 64 bits.
  public static let requantizationShifts: ClosedRange<Int32> = 1...62

  /// Multipliers of a weighted sum: two products with 32-bit numbers and half of `2^62` fit 64 bits.
  public static let sumMultiplierMagnitude: UInt32 = 1 << 30

  /// Keys of a softmax row: a sum of as many Q20 exponentials fits 32 bits.
  public static let maximumSoftmaxRow: UInt32 = 4095

  /// Elements of a normalised row. Then |x - mean| / sqrt(V) on Q22, with 6 more bits and 2^31 in
  /// front, fits the 32 bits whose high product is the result; sums of x fit 32 bits, and n^2 times
  /// the variance 2^54.
  public static let maximumNormalizedRow: UInt32 = 4096

  /// E of a LayerNorm: with n^2 times the variance it stays below 2^62.
  public static let layerEpsilon: UInt64 = 1 &<< 58

  /// E of an RMSNorm, which is multiplied by n.
  public static let rootMeanSquareEpsilon: UInt64 = 1 &<< 46

  /// Exponents of the number that I-LayerNorm's square root starts at: every iterate for a sum of
  /// 4096 squares of 16-bit deviations then fits 32 bits.
  public static let rootStarts: ClosedRange<UInt32> = 12...31

  /// Entries of an activation's table: steps of 1/32 up to 32, where 16 bits on grid 2^-10 end.
  public static let activationEntries: ClosedRange<UInt32> = 2...1025

  /// Keys of an attention: the sum of as many Q15 exponentials times int8 values,
  /// 512 * 32767 * 128, fits 32 bits.
  public static let maximumAttentionKeys: UInt32 = 512

  /// I0 of an exponential by shifts: 32 of them times 1.4375 still fit 32 bits.
  public static let exponentUnits: ClosedRange<Int32> = 1...1 << 24

  /// N of an exponential by shifts: 2^N is a number of 31 bits.
  public static let exponentOctaves: ClosedRange<Int32> = 1...30

  /// k of a quotient by IntDiv: it fits 16 bits.
  public static let quotientBits: ClosedRange<Int32> = 2...16

  /// Stride, dilation, window and padding of convolutions and pools, numbers of 15 bits: the product of two of them is
  /// far below `2^31`.
  public static let maximumWindowParameter: UInt32 = (1 << 15) - 1

  /// Units by which an operator of a loop may begin late: rounds in which nothing is made must not be many.
  public static let maximumDelay: UInt32 = 1 << 12

  /// Upper bound for the stack of `abacus_open`, `abacus_run` and `abacus_step`, in bytes, on 32-bit CPUs; frames
  /// of 64-bit ones are up to three times as large. The tests hold every emulated board to it.
  public static let stackBytes: UInt32 = 1024
}

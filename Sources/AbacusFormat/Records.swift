// The fixed-size records of a blob, version 1. Every field is a little-endian integer at its
// natural alignment; `AbacusFormat.docc` gives the same layout byte by byte, and the tests hold
// `MemoryLayout` to it. The runtime reads these records in place.

/// Version of the blob format that this library reads and writes.
public let formatVersion: UInt16 = 1

/// Version of the library: major << 16 | minor << 8 | patch.
public let libraryVersion: UInt32 = 0 << 16 | 1 << 8 | 0

/// Where a section lies, in bytes from the start of the blob.
public struct SectionRecord: BitwiseCopyable {
  public var offset: UInt32
  public var bytes: UInt32

  public init(offset: UInt32 = 0, bytes: UInt32 = 0) {
    self.offset = offset
    self.bytes = bytes
  }
}

/// The sections of a blob in the order in which they lie.
///
/// Header and the first four are the plan: checked at every open, together with the plan
/// checksum. Names and metadata come last, so that stripping them is cutting the end off.
public enum Section: Int, Sendable {
  public static let count = 8

  case tensors, operators, parameters, boundary, constants, names, metadata, reserved
}

/// The first 128 bytes of a blob.
public struct HeaderRecord: BitwiseCopyable {
  /// "ABAC", read as a little-endian word.
  public static let magic: UInt32 = 0x4341_4241
  public static let bytes = 128
  /// Both checksums lie at the end and are left out of what they cover.
  public static let checkedBytes = 120

  public var magic: UInt32
  public var formatVersion: UInt16
  public var headerBytes: UInt16
  public var blobBytes: UInt32
  /// Version of the library that packed the blob.
  public var libraryVersion: UInt32
  public var arenaBytes: UInt32
  public var stackBytes: UInt32
  public var multiplyAccumulates: UInt64
  public var tensorCount: UInt32
  public var operatorCount: UInt32
  public var inputCount: UInt16
  public var outputCount: UInt16
  /// Zero in version 1.
  public var flags: UInt32
  public var sections: InlineArray<8, SectionRecord>
  /// One more than the index of the state that counts tokens, int32 [1]; 0 where there is none. It is
  /// 0 after a reset and grows by `positionStep` with each run.
  public var positionTensor: UInt16
  public var positionStep: UInt16
  /// A run that would take the position beyond this is refused.
  public var positionLimit: UInt32
  /// ``planChecksum(_:)`` of the first 120 bytes and of all plan sections.
  public var planChecksum: UInt32
  /// CRC-32 (IEEE 802.3) of the whole blob without the last eight bytes of the header.
  public var contentChecksum: UInt32

  public init() {
    magic = Self.magic
    formatVersion = AbacusFormat.formatVersion
    headerBytes = UInt16(Self.bytes)
    blobBytes = 0
    libraryVersion = AbacusFormat.libraryVersion
    arenaBytes = 0
    stackBytes = 0
    multiplyAccumulates = 0
    tensorCount = 0
    operatorCount = 0
    inputCount = 0
    outputCount = 0
    flags = 0
    sections = InlineArray(repeating: SectionRecord())
    positionTensor = 0
    positionStep = 0
    positionLimit = 0
    planChecksum = 0
    contentChecksum = 0
  }
}

/// Width and signedness of a tensor's elements. The first four are those of `abacus_dtype`.
public enum ElementType: UInt8, Sendable {
  case int8 = 1, uint8, int16, int32
  /// Two signed weights a byte, low half first (reserved for mixed precision).
  case int4
  /// Four weights a byte on the odd grid {-3, -1, 1, 3}/2 (reserved for mixed precision).
  case int2

  /// Bits of one element.
  public var bits: UInt32 {
    switch self {
    case .int8, .uint8: 8
    case .int16: 16
    case .int32: 32
    case .int4: 4
    case .int2: 2
    }
  }
}

/// What holds a tensor's bytes.
public enum Placement: UInt8, Sendable {
  /// The arena, during its lifetime within one run.
  case arena = 1
  /// The blob's constants.
  case constant
  /// The arena, from open on; `auxiliary` names the constant with its initial value.
  case state
}

/// How the elements of a tensor are arranged.
public enum Layout: UInt8, Sendable {
  /// Row-major, the last dimension contiguous.
  case plain = 0
  /// A matrix [N, K] in blocks, `[N/nr][K/kr][nr][kr]`, both padded with zeros.
  case blocked
  /// Two of four weights along K (reserved for mixed precision).
  case twoOfFour
  /// Block-sparse rows of groups of 16 (reserved for mixed precision).
  case blockSparse
  /// A matrix [N, K] in pairs of channels, as ``PairedLayout`` says.
  case paired
}

/// One tensor: 48 bytes.
public struct TensorRecord: BitwiseCopyable {
  public static let bytes = 48
  /// The operand that is left out.
  public static let none: UInt16 = 0xFFFF

  public enum Flags {
    /// Holds only the rows of the block that a loop of operators is at (`byteCount` says how many);
    /// the extents are those of the whole tensor, which never exists.
    public static let blockOfRows: UInt8 = 1
    /// Holds only the rows of an image around those that a loop of operators is at, and moves on with it
    /// (``rowsPerRound``, ``rowsBehind``); the extents are those of the whole image, which never exists.
    public static let lines: UInt8 = 2
  }

  public var elementType: UInt8
  public var placement: UInt8
  public var rank: UInt8
  public var layout: UInt8
  /// From the start of the arena, or of the constants section.
  public var offset: UInt32
  /// Bytes that the tensor occupies, layout padding included.
  public var byteCount: UInt32
  /// Extents, outermost first; 1 beyond `rank`.
  public var dims: InlineArray<6, UInt32>
  /// real = (stored - zeroPoint) * scaleMultiplier * 2^-scaleShift; 0 where it has no scale.
  public var scaleMultiplier: Int32
  public var zeroPoint: Int16
  public var scaleShift: Int8
  /// ``Flags``.
  public var flags: UInt8
  /// nr of a blocked layout; rows by which lines move on in each round; else 1.
  public var blockRows: UInt8
  /// kr of a blocked layout, else 1.
  public var blockColumns: UInt8
  /// State: index of the constant with its initial value, or `none` for the zero point.
  /// Lines: how many rows their first is behind, so that in round t it is row
  /// max(0, t * blockRows - auxiliary) of the image.
  /// Grouped weights (reserved): group size along K.
  public var auxiliary: UInt16

  public init() {
    elementType = 0
    placement = 0
    rank = 0
    layout = 0
    offset = 0
    byteCount = 0
    dims = InlineArray(repeating: 1)
    scaleMultiplier = 0
    zeroPoint = 0
    scaleShift = 0
    flags = 0
    blockRows = 1
    blockColumns = 1
    auxiliary = Self.none
  }
}

/// One operator: 48 bytes. Its meaning is in ``Opcode``, its operands in ``Operands``, its
/// parameters in the record of the same name in `Parameters.swift`.
public struct OperatorRecord: BitwiseCopyable {
  public static let bytes = 48

  public enum Flags {
    /// In a loop with the operator before: a block of units passes through all operators of the loop
    /// before the next block begins. In round t an operator makes its units from `unitsPerStep` * t
    /// - `delay` up to those of the next round. The last operator's last unit ends the loop.
    public static let continuesLoop: UInt16 = 1
    /// The last units come first, `unitsPerStep` in each call of the kernel. Not within a loop.
    public static let descends: UInt16 = 2
  }

  public var opcode: UInt8
  /// Distinguishes forms of one operator (sum or mean, mode of a softmax ...).
  public var variant: UInt8
  /// ``Flags``.
  public var flags: UInt16
  /// From the start of the parameters section.
  public var parameterOffset: UInt32
  /// Independent pieces of the operator's outer loop (rows, as a rule).
  public var units: UInt32
  /// Pieces that one `abacus_step` executes, at least 1.
  public var unitsPerStep: UInt32
  /// In a loop: units by which the operator is behind.
  public var delay: UInt32
  /// Tensor indices, ``TensorRecord/none`` where an operand is left out.
  public var operands: InlineArray<14, UInt16>

  public init(opcode: Opcode) {
    self.opcode = opcode.rawValue
    variant = 0
    flags = 0
    parameterOffset = 0
    units = 1
    unitsPerStep = 1
    delay = 0
    operands = InlineArray(repeating: TensorRecord.none)
  }
}

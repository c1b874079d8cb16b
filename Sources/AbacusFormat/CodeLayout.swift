/// Weights of 4 or 2 bits (``Layout/codes``).
///
/// A matrix [N, K] is stored in pairs of channels, word by word: `[N/2][W][2]` words of 32 bits, W being enough for K codes;
/// an odd N is padded with a channel of zeros. Within a word four neighbouring codes j = 0...3 are two fields each of the
/// lower and of the upper half: so the fields at one place of both halves, which one AND takes out, are elements 0 and 2, or 1
/// and 3, of those four, as SXTB16 has them of bytes (``PairedLayout``).
///
/// A field stands for `factor * field + offset`, and the weight is `scale * (factor * field + offset) + zeroUnit * zero`. Groups of
/// codes along K, a multiple of 16 each, have relative scales (1...255) and may have zero points; without groups one scale for all
/// makes integers as large as those of 8 bits, so that requantisation by high words has room for their sums.
public enum CodeLayout {
  /// Codes of a word.
  @inline(__always)
  public static func perWord(_ type: ElementType) -> Int { Int(32 / type.bits) }

  /// Words of a channel.
  @inline(__always)
  public static func words(depth: Int, _ type: ElementType) -> Int {
    (depth &+ perWord(type) &- 1) / perWord(type)
  }

  /// Bytes of a matrix.
  public static func bytes(channels: Int, depth: Int, _ type: ElementType) -> Int {
    (channels &+ 1) / 2 &* 8 &* words(depth: depth, type)
  }

  /// Elements to which cores with SMLAD pad the rows that they widen in scratch: a whole number of words of codes.
  public static let granule = 16

  /// Bytes of scratch for rows that are widened to 16 bits, and a sum of each group: for three rows, or for one where there
  /// are fewer than three. A word more holds the scale of codes without groups.
  @inline(__always)
  public static func widenedBytes(depth: Int, groups: Int, rows: Int) -> Int {
    ((depth &+ granule &- 1) / granule &* granule &* 2 &+ groups &* 4) &* (rows < 3 ? 1 : 3) &+ 4
  }

  /// Place of the lowest bit of code `index` in its word.
  @inline(__always)
  public static func shift(_ index: Int, _ type: ElementType) -> Int {
    let field = index / 4 &* 2 &+ (index & 1)
    return (index &>> 1 & 1) &* 16 &+ field &* Int(type.bits)
  }

  /// Lengths of groups, but for the last of a channel.
  public static let groupSizes: ClosedRange<UInt16> = 16...128
  public static let groupGranule: UInt16 = 16
  /// A step of a group's zero point, where 128 is the step of the channel's scale.
  public static let zeroUnit: Int32 = 8
}

/// What the fields of codes stand for; in `blockColumns` of a tensor of codes.
public enum CodeGrid: UInt8, Sendable {
  /// -(2^(bits-1) - 1) to 2^(bits-1) - 1: the field, less 2^(bits-1).
  case symmetric = 1
  /// The odd numbers from 1 - 2^bits to 2^bits - 1: twice the field, and 1 - 2^bits.
  case odd = 2
  /// The field itself; groups have zero points.
  case offset = 3

  @inline(__always)
  public var factor: Int32 { self == .odd ? 2 : 1 }

  @inline(__always)
  public func offset(_ type: ElementType) -> Int32 {
    switch self {
    case .symmetric: -(1 &<< Int32(type.bits &- 1))
    case .odd: 1 &- 1 &<< Int32(type.bits)
    case .offset: 0
    }
  }
}

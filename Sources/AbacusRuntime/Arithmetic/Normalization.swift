import CAbacus

// LayerNorm and RMSNorm (integer-semantics 7).

/// Sums over a row of n <= 4096 elements.
@safe
public struct RowMoments {
  public var sum: Int32 = 0
  public var squares: UInt64 = 0

  public init() {}

  /// - Parameter x: within 2^16.
  @inline(__always)
  public mutating func add(_ x: Int32) {
    sum = sum &+ x
    addSquare(x)
  }

  /// The square alone.
  @inline(__always)
  public mutating func addSquare(_ x: Int32) {
    squares = squares &+ widened(UInt32(bitPattern: x &* x))
  }

  /// `n * squares - sum^2`: n^2 times the variance.
  public func variance(count: Int32) -> UInt64 {
    power(count: count) &- UInt64(bitPattern: abacus_multiply_wide(sum, sum))
  }

  /// `n * squares`: n^2 times the mean square.
  public func power(count: Int32) -> UInt64 {
    squares &* widened(UInt32(bitPattern: count))
  }
}

/// `1 / sqrt(V)` for a whole row: one square root and one division (integer-semantics 7.2).
public struct InverseDeviation {
  let mantissa: Int32
  let preShift: Int32
  let shift: Int32

  /// - Parameter variance: V, below 2^62. For V = 0 every element becomes 0.
  public init(_ variance: UInt64) {
    let length = 64 &- Int32(truncatingIfNeeded: variance.leadingZeroBitCount)
    let half = (62 &- length) &>> 1
    // V * 2^(2 half) is in [2^60, 2^62), its root in [2^30, 2^31).
    let scaled = variance &<< widened(UInt32(bitPattern: half &+ half))
    let root = UInt32(truncatingIfNeeded: integerSquareRoot(scaled))
    mantissa =
      variance == 0
      ? 0 : Int32(truncatingIfNeeded: longDivision(high: (1 &<< 29) &- 1, low: .max, by: root))
    preShift = max(half &- 6, 0)
    shift = max(6 &- half, 0)
  }

  /// `floor((d * mantissa + 2^(38 - half)) / 2^(39 - half))`: d / sqrt(V) on Q22, by the high word
  /// of one product. |d| * 2^half < 2^37, because a row has at most 4096 elements.
  @inline(__always)
  public func normalize(_ d: Int32) -> Int32 {
    let high = (d &<< preShift).multipliedFullWidth(by: mantissa).high
    return (high &+ (1 &<< shift)) &>> (shift &+ 1)
  }
}

/// `floor((z * gain + offset * 2^32 + 2^(shift - 1)) / 2^shift)` for shifts of 33...62.
@inline(__always)
public func affine(_ z: Int32, gain: Int32, offset: Int32, shift: Int32) -> Int32 {
  (z.multipliedFullWidth(by: gain).high &+ offset &+ (1 &<< (shift &- 33))) &>> (shift &- 32)
}

/// The same number in 64 bits.
@inline(__always)
func widened(_ x: UInt32) -> UInt64 {
  UInt64(bitPattern: abacus_widen(Int32(bitPattern: x))) & 0xFFFF_FFFF
}

import AbacusFormat

/// The arithmetic of attention and its kin as the specification defines it, in plain `Int`.
enum AttentionReference {
  /// `requant(x; m, s)` without saturation.
  static func requantize(_ x: Int, _ multiplier: Int, _ shift: Int) -> Int {
    (x * multiplier + 1 << (shift - 1)) >> shift
  }

  static func requantize(_ x: Int, _ scale: (multiplier: Int, shift: Int)) -> Int {
    requantize(x, scale.multiplier, scale.shift)
  }

  static func finish(_ value: Int, _ stage: OutputStage) -> Int {
    min(max(value + Int(stage.zeroPoint), Int(stage.low)), Int(stage.high))
  }

  /// 2^-t for t on Q16, on `bits` fractional bits.
  static func exponential(_ t: Int, bits: Int) -> Int {
    if t >= (bits + 1) << 16 { return 0 }
    let (q, f) = (t >> 16, t & 0xFFFF)
    let correction = (f * (65536 - f) * ((49 << 16 - 10 * f) << 6)) >> 32
    let e = (1 << 30 - f << 13 - correction + 1 << (29 - bits + q)) >> (30 - bits + q)
    return bits == 15 ? min(e, 32767) : e
  }

  static func reciprocal(_ sum: Int) -> (mantissa: Int, length: Int) {
    let length = Int.bitWidth - sum.leadingZeroBitCount
    return (min(1 << (length + 30) / sum, 0x7FFF_FFFF), length)
  }

  /// The multiplier of a row whose exponentials have a sum (integer-semantics 4.6).
  static func normalized(_ value: (multiplier: Int, shift: Int), sum: Int) -> (multiplier: Int, shift: Int) {
    let (mantissa, length) = reciprocal(sum)
    var multiplier = (mantissa * value.multiplier + 1 << 30) >> 31
    var shift = length + value.shift - 1
    while shift > 62 {
      multiplier = (multiplier + 1) >> 1
      shift -= 1
    }
    return (multiplier, shift)
  }

  /// ShiftExp.
  static func shiftExponent(_ d: Int, _ p: ShiftExponentParameters) -> Int {
    let (unit, octaves) = (Int(p.unit), Int(p.octaves))
    let exponent = max(d + d >> 1 - d >> 4, -octaves * unit)
    // Rounded down, unlike a division of Swift.
    let q = (-exponent - ((-exponent % unit + unit) % unit)) / unit
    let r = -exponent - q * unit
    // Beyond 40 places every number is saturated.
    let shift = min(octaves - q, 40)
    let e = p.keepsHalfBit == 0 ? ((-r) >> 1 + unit) << shift : ((2 * unit - r) << shift) >> 1
    return min(e, 0x7FFF_FFFF)
  }

  /// Shiftmax of numbers, nil where one is masked.
  static func shiftmax(_ row: [Int?], _ p: ShiftExponentParameters) -> [Int] {
    guard let greatest = row.compactMap({ $0 }).max() else { return row.map { _ in 0 } }
    let exponentials = row.map { $0.map { shiftExponent($0 - greatest, p) } ?? 0 }
    let factor = 0x7FFF_FFFF / max(min(exponentials.reduce(0, +), 0x7FFF_FFFF), 1)
    return exponentials.map { ($0 * factor) >> (32 - Int(p.quotientBits)) }
  }

  /// Refined softmax of numbers: Q15 or 1/256.
  static func softmax(_ row: [Int], _ scale: (multiplier: Int, shift: Int), isNarrow: Bool) -> [Int] {
    let exponentials = row.map { exponential(requantize(row.max()! - $0, scale), bits: 20) }
    let (mantissa, length) = reciprocal(exponentials.reduce(0, +))
    return exponentials.map {
      isNarrow
        ? min(requantize($0, mantissa, length + 22), 255) - 128 : min(requantize($0, mantissa, length + 15), 32767)
    }
  }
}

extension ElementType {
  /// Codes that a tensor of this type holds.
  var codeRange: ClosedRange<Int> {
    switch self {
    case .int16: -32768...32767
    case .int32: -0x8000_0000...0x7FFF_FFFF
    default: -128...127
    }
  }
}

extension OutputStage {
  /// The whole range of a type.
  init(_ type: ElementType, shift: Int = 1, zeroPoint: Int = 0) {
    self.init(
      shift: Int32(shift), zeroPoint: Int32(zeroPoint), low: Int32(type.codeRange.lowerBound),
      high: Int32(type.codeRange.upperBound))
  }
}

import AbacusFormat

/// Projections, normalisations and activations in plain integers, written from the tables of
/// AbacusFormat.docc and from nothing else.
enum IntegerReference {
  static func floorDivide(_ a: Int, _ b: Int) -> Int { (a - ((a % b) + b) % b) / b }

  static func clamp(_ x: Int, _ low: Int, _ high: Int) -> Int { min(max(x, low), high) }

  static func saturate(_ x: Int) -> Int { clamp(x, Int(Int32.min), Int(Int32.max)) }

  /// `floor((x * m + 2^(s-1)) / 2^s)`, saturated to 32 bits.
  static func requantize(_ x: Int, _ m: Int, _ s: Int) -> Int { saturate((x * m + 1 << (s - 1)) >> s) }

  static func finish(_ x: Int, _ stage: OutputStage) -> Int {
    clamp(x + Int(stage.zeroPoint), Int(stage.low), Int(stage.high))
  }

  static func apply(_ stage: OutputStage, _ x: Int, _ m: Int, shift: Int? = nil) -> Int {
    finish(requantize(x, m, shift ?? Int(stage.shift)), stage)
  }

  // MARK: project

  static func project(
    _ x: [Int], weights: [[Int]], channels: [(bias: Int, multiplier: Int)], shifts: [Int]?, residual: [Int],
    _ variant: ProjectVariant, _ p: ProjectParameters
  ) -> [Int] {
    let depth = weights[0].count
    return x.indices.filter { $0 % depth == 0 }.flatMap { start -> [Int] in
      weights.indices.map { n in
        let acc = channels[n].bias + (0..<depth).reduce(0) { $0 + x[start + $1] * weights[n][$1] }
        let (m, s) = (channels[n].multiplier, shifts?[n] ?? Int(p.stage.shift))
        if variant == .plain { return apply(p.stage, acc, m, shift: s) }
        let r = residual[start / depth * weights.count + n] - Int(p.residualZeroPoint)
        if variant == .residual {
          return finish(saturate((acc * m + r * Int(p.residualMultiplier) + 1 << (s - 1)) >> s), p.stage)
        }
        let branch = clamp(requantize(acc, m, s), -32768, 32767)
        let sum = requantize(branch, Int(p.branchMultiplier), Int(p.branchShift))
          + requantize(r, Int(p.residualMultiplier), Int(p.residualShift))
        return finish(saturate(sum), p.stage)
      }
    }
  }

  // MARK: normalize

  /// `floor(sqrt(v))`, by bisection.
  static func squareRoot(_ v: Int) -> Int {
    var (low, high) = (0, 3_037_000_500)
    while high - low > 1 {
      let middle = (low + high) / 2
      if middle <= 3_037_000_499 && middle * middle <= v { low = middle } else { high = middle }
    }
    return low
  }

  static func bitLength(_ v: Int) -> Int { 64 - v.leadingZeroBitCount }

  static func normalize(
    _ codes: [Int], channels: [(Int, Int)], shifts: [Int]? = nil, _ variant: NormalizeVariant,
    _ p: NormalizeParameters
  ) -> [Int] {
    let x = codes.map { $0 - Int(p.inputZeroPoint) }
    let n = x.count
    let sum = x.reduce(0, +)
    if variant == .paper { return paperNormalize(x, sum, channels, shifts, p) }
    let squares = x.reduce(0) { $0 + $1 * $1 }
    let epsilon = Int(p.epsilonHigh) << 32 | Int(p.epsilonLow)
    let v = variant == .layer ? n * squares - sum * sum + epsilon : n * squares + n * epsilon
    let h = (62 - bitLength(v)) / 2
    let inverse = v == 0 ? 0 : (1 << 61 - 1) / squareRoot(v << (2 * h))
    return x.indices.map { i in
      let d = n * x[i] - (variant == .layer ? sum : 0)
      let z = (d * inverse + 1 << (38 - h)) >> (39 - h)
      let (gain, offset) = channels[i]
      let s = Int(p.stage.shift)
      // The offset in front of 32 bits may not fit 64: the high word alone says the same.
      let y = ((z * gain) >> 32 + offset + 1 << (s - 33)) >> (s - 32)
      return finish(y, p.stage)
    }
  }

  private static func paperNormalize(
    _ x: [Int], _ sum: Int, _ channels: [(Int, Int)], _ shifts: [Int]?, _ p: NormalizeParameters
  ) -> [Int] {
    let n = x.count
    let mean = floorDivide(2 * sum + n, 2 * n)
    let v = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let f = Int(Int32.max) / max(paperRoot(v, start: Int(p.rootStart)), 1)
    return x.indices.map { i in
      apply(
        p.stage, ((x[i] - mean) * f) >> 1 + channels[i].0, channels[i].1, shift: shifts?[i])
    }
  }

  static func paperRoot(_ v: Int, start: Int) -> Int {
    var root = 1 << (start == 0 ? bitLength(v) / 2 : start)
    for _ in 0..<10 where root > 0 { root = (root + v / root) / 2 }
    return root
  }

  // MARK: activation

  /// The curve on Q16 for a number on grid 2^-10.
  static func curve(_ x: Int, _ table: [Int]) -> Int {
    let (i, g) = (abs(x) / 32, abs(x) % 32)
    let delta = i >= table.count - 1 ? 0 : table[i] + ((table[i + 1] - table[i]) * g + 16) >> 5
    return 64 * max(x, 0) - delta
  }

  static func activate(_ codes: [Int], table: [Int], _ p: ActivationParameters) -> [Int] {
    codes.map { code in
      let x = code - Int(p.inputZeroPoint)
      let grid = p.inputShift == 0 ? x : requantize(x, Int(p.inputMultiplier), Int(p.inputShift))
      return apply(p.stage, curve(clamp(grid, -32767, 32767), table), Int(p.multiplier))
    }
  }

  /// ShiftGELU of one row.
  static func activatePaper(_ codes: [Int], _ p: ActivationParameters) -> [Int] {
    let x = codes.map { $0 - Int(p.inputZeroPoint) }
    let slope = x.map { p.isScaled == 1 ? $0 : $0 + $0 >> 1 + $0 >> 3 + $0 >> 4 }
    let greatest = slope.max() ?? 0
    let zero = shiftExponent(-greatest, p.exponent)
    return x.indices.map { i in
      let e = shiftExponent(slope[i] - greatest, p.exponent)
      let quotient = (e * (Int(Int32.max) / min(e + zero, Int(Int32.max)))) >> (32 - Int(p.exponent.quotientBits))
      return apply(p.stage, x[i] * quotient, Int(p.multiplier))
    }
  }

  static func shiftExponent(_ d: Int, _ p: ShiftExponentParameters) -> Int {
    let (unit, octaves) = (Int(p.unit), Int(p.octaves))
    let exponent = max(d + d >> 1 - d >> 4, -octaves * unit)
    let q = floorDivide(-exponent, unit)
    let r = -exponent - q * unit
    let shift = octaves - q
    // Everything from 2^31 on saturates.
    if shift > 32 { return Int(Int32.max) }
    let e = p.keepsHalfBit == 1 ? ((2 * unit - r) << shift) >> 1 : (unit + (-r) >> 1) << shift
    return min(e, Int(Int32.max))
  }

  // MARK: embed

  static func embed(
    _ indices: [Int], table: [[Int]], multipliers: [Int], _ stage: OutputStage
  ) -> [Int] {
    indices.flatMap { index -> [Int] in
      let entry = clamp(index, 0, table.count - 1)
      return table[entry].map { apply(stage, $0, multipliers[entry]) }
    }
  }
}

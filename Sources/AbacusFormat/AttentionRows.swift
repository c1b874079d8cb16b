/// Attention of three query rows at a time, so that a key or a value is loaded and widened once for all of
/// them: what cores with SMLAD (Cortex-M4, M7) have loops for.
///
/// In scratch the queries of one head come first, three rows of them interleaved as for weights in pairs; then
/// the scores of the three rows, interleaved too, for one key more where their number is odd.
public enum AttentionRows {
  public static let count = 3

  /// All rows see all keys, and outputs are of 8 bits that no activation narrows.
  @inline(__always)
  public static func takes(_ parameters: AttentionParameters, _ variant: AttentionVariant?, output: UInt8) -> Bool {
    let stage = parameters.stage
    return variant == .deferred && parameters.isCausal == 0 && parameters.keys >= 2 && parameters.depth % 8 == 0
      && parameters.valueDepth % 2 == 0 && output == ElementType.int8.rawValue && stage.zeroPoint == 0 && stage.low == -128 && stage.high == 127
  }

  /// The constants of a head: multipliers are normalised, and only high words of products count.
  @inline(__always)
  public static func takes(scoreMultiplier: Int32, scoreShift: Int32, valueMultiplier: Int32, valueShift: Int32) -> Bool {
    scoreMultiplier >= 1 &<< 30 && (10...40).contains(scoreShift) && (19...62).contains(valueShift)
  }

  /// Words of scratch for the queries of a head.
  @inline(__always)
  public static func queryWords(depth: Int) -> Int { depth / 4 &* 2 &* count }

  /// Words of scratch in all.
  @inline(__always)
  public static func scratchWords(depth: Int, keys: Int) -> Int { queryWords(depth: depth) &+ count &* (keys &+ keys & 1) }
}

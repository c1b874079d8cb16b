/// Weights in blocks of two channels by four elements, the layout for cores with SMLAD (Cortex-M4,
/// M7): three rows of activations, widened to 16 bits in scratch, meet two channels at a time.
public enum PairedLayout {
  public static let rows: UInt8 = 2
  public static let columns: UInt8 = 4
  /// Longer rows are not widened; so the bytes of scratch stay far below 2^32.
  public static let maximumDepth: UInt32 = 1 << 20

  /// Bytes of scratch for rows of `depth` elements: three of them interleaved, or one where there are
  /// fewer than three.
  @inline(__always)
  public static func scratchBytes(depth: UInt32, rows: UInt32) -> UInt32 {
    (depth &+ 3) / 4 &* (rows < 3 ? 8 : 24)
  }

  /// The same for windows that are gathered from an image; those of an odd number of channels are
  /// gathered as bytes first.
  @inline(__always)
  public static func gatherBytes(depth: UInt32, channels: UInt32) -> UInt32 {
    scratchBytes(depth: depth, rows: 3) &+ (channels % 4 == 0 ? 0 : (depth &+ 3) / 4 &* 4)
  }
}

/// How cores without vectors execute a depthwise convolution of 3 x 3 taps: one or two channels at a time,
/// along lines of the image, which are its rows or its columns. Three neighbouring lines lie interleaved
/// in scratch, padding included, and move on by one or two lines; so no window is at a border. Vectors of
/// Cortex-M55 use the same scratch in another way (`DepthwiseColumns`).
public enum DepthwiseLines {
  public static let taps: UInt32 = 3
  /// Longer lines are left to the general loop; so the bytes of scratch stay far below 2^32.
  public static let maximumOutputs: UInt32 = 1 << 12
  /// 32-bit words of scratch for the weights of two channels, the first two lines' twice.
  public static let weightWords = 20

  /// The window is one of those that lines are for.
  public static func suits(_ window: Window, outputHeight: UInt32, outputWidth: UInt32) -> Bool {
    window.height == taps && window.width == taps && window.dilationHeight == 1 && window.dilationWidth == 1
      && window.strideHeight >= 1 && window.strideHeight <= 2 && window.strideWidth >= 1 && window.strideWidth <= 2
      && outputHeight <= maximumOutputs && outputWidth <= maximumOutputs
  }

  /// Words for two elements of a line each, such that `outputs` windows find their taps.
  @inline(__always)
  public static func pairs(outputs: Int, stride: Int) -> Int { ((outputs &- 1) &* stride &+ 4) / 2 }

  /// Bytes of scratch, whichever way the lines run.
  public static func scratchBytes(_ window: Window, outputHeight: UInt32, outputWidth: UInt32) -> UInt32 {
    let down = pairs(outputs: Int(outputHeight), stride: Int(window.strideHeight))
    let across = pairs(outputs: Int(outputWidth), stride: Int(window.strideWidth))
    return UInt32(4 &* (weightWords &+ 6 &* max(down, across)))
  }
}

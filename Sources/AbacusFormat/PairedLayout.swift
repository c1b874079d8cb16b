/// Weights in pairs of channels, the layout for cores without vectors. On those with SMLAD (Cortex-M4, M7)
/// SXTB16 takes two elements of a channel from a word that holds two of each of two channels.
///
/// A matrix [N, K] is cut into blocks of two rows and four columns, `[N/2][K/4]`, padded with zeros. The
/// eight bytes of a block are, with rows n and n + 1 and columns 0 to 3: n 0, n+1 0, n 2, n+1 2, n 1, n+1 1,
/// n 3, n+1 3. Three rows of activations, widened to 16 bits in scratch, meet two channels at a time; on
/// cores without SMLAD two rows, of which scratch holds words of two elements.
public enum PairedLayout {
  public static let rows: UInt8 = 2
  public static let columns: UInt8 = 4
  /// Longer rows are not widened; so the bytes of scratch stay far below 2^32.
  public static let maximumDepth: UInt32 = 1 << 20

  // MARK: What the loops for pairs take

  /// An int8 layer: only the high words of products count, on which the zero point has room, and weights have none.
  @inline(__always)
  public static func takes(_ stage: OutputStage, weightZeroPoint: Int32) -> Bool {
    (33...52).contains(stage.shift) && weightZeroPoint == 0
  }

  /// A projection.
  ///
  /// - Parameters:
  ///   - output: the element type.
  ///   - residual: that of the residual; `output` where there is none.
  @inline(__always)
  public static func takes(
    _ parameters: ProjectParameters, _ variant: ProjectVariant?, output: UInt8, residual: UInt8
  ) -> Bool {
    let isHalf = output == ElementType.int16.rawValue && residual == output
    let isHigh = parameters.stage.shift > 32
    switch variant {
    case .plain: return isHigh ? isHalf || output == ElementType.int8.rawValue : isHalf && isWide(parameters.stage)
    case .residual: return isHalf && isWide(parameters.stage) && parameters.residualZeroPoint == 0
    default: return false
    }
  }

  /// Both words of a product count, and there is no zero point.
  @inline(__always)
  public static func isWide(_ stage: OutputStage) -> Bool {
    (17...32).contains(stage.shift) && stage.zeroPoint == 0
  }

  // MARK: Places

  /// Place of an element in its block.
  @inline(__always)
  public static func offset(row: Int, column: Int) -> Int { column & 1 &* 4 &+ column & 2 &+ row & 1 }

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

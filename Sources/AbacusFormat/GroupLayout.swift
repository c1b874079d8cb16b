/// Weights of which whole groups are 0 and left out (block-sparse rows, GQSA, arXiv 2412.17560).
///
/// A channel of a matrix [N, K] is cut into groups of 16 consecutive weights, the last one padded with zeros. Only groups that
/// are kept are stored, channel after channel: their weights as int8 [G, 16], which group of its channel each is as uint8 [G],
/// and how many each channel has as uint8 [N]. There are no pointers to rows: every kernel takes channels in their order.
public enum GroupLayout {
  /// Weights of a group.
  public static let size = 16
  /// A channel has as many groups as a byte counts.
  public static let maximumDepth = 255 * size

  /// Groups of a channel, kept or not.
  @inline(__always)
  public static func groups(depth: Int) -> Int { (depth &+ size &- 1) / size }
}

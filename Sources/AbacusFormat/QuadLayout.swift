/// The blocks of ``Layout/blocked`` that hosts are fastest with: a vector holds four weights of each of its
/// channels, and meets four elements of a row in every lane (x86-64 VPDPBUSD, AArch64 SDOT).
public enum QuadLayout {
  public static let rows: UInt8 = 16
  public static let columns: UInt8 = 4
  /// Windows of a convolution that are gathered and multiplied at a time, where there is scratch for them.
  public static let windows = 8
}

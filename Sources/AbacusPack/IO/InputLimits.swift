/// How much of a foreign file is believed. A file beyond a limit is refused with a message that
/// names the limit; nothing here concerns blobs, whose limits are those of `AbacusFormat`.
public enum InputLimits {
  /// Bytes of a file as it lies on disk: 1 GiB, far above any model for a microcontroller.
  public static let fileBytes = 1 << 30

  /// Bytes that a compressed file, or one member of an archive, may unpack to.
  public static let unpackedBytes = 1 << 30

  /// Deflate cannot shrink by more than this factor; whoever claims more is damaged or hostile.
  public static let deflateRatio = 1032

  /// Pixels of an image: 64 Mi, or 8192 x 8192.
  public static let pixels = 1 << 26

  /// Dimensions of an array (NumPy itself stops at 64).
  public static let rank = 64

  /// Bytes of the text header of a .npy file (NumPy itself stops at 10,000).
  public static let numPyHeaderBytes = 1 << 16

  /// Bytes of the JSON header of a .safetensors file: a hundred thousand tensors.
  public static let safeTensorsHeaderBytes = 1 << 24

  /// Bytes of a configuration, index or vocabulary in JSON.
  public static let jsonBytes = 1 << 26

  /// Bytes of a text to calibrate with.
  public static let textBytes = 1 << 24

  /// Tokens of the longest sequence that a model is imported for.
  public static let tokens = 1 << 17
}

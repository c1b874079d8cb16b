import AbacusFormat
import AbacusRuntime

/// Turns files into the bytes of a model's inputs.
public struct InputReader {
  /// How pixels become real values where an image is the input: (pixel / 255 - mean) / deviation.
  /// Without it a pixel's code is pixel - 128, which is right for models whose input scale is
  /// 1/255 (or 1) and whose zero point is -128.
  public struct Normalization: Sendable {
    public var mean: [Double]
    public var deviation: [Double]

    public init(mean: [Double], deviation: [Double]) {
      self.mean = mean
      self.deviation = deviation
    }
  }

  public var normalization: Normalization?

  public init(normalization: Normalization? = nil) {
    self.normalization = normalization
  }

  /// Samples for one input: a .npy file (one sample or a batch of them), an image, or raw bytes (a
  /// whole number of samples).
  public func samples(_ path: String, for input: Model.Boundary) throws -> [[UInt8]] {
    let lower = path.lowercased()
    if lower.hasSuffix(".npy") { return try split(try NumPyFile.read(path), path, input) }
    if [".png", ".pgm", ".ppm", ".bmp"].contains(where: lower.hasSuffix) {
      return [try codes(of: try ImageFile.read(path), path, input)]
    }
    let bytes = try readFile(path)
    guard bytes.count % input.byteCount == 0 else {
      throw PackError(
        .file,
        "\(path): \(bytes.count) bytes are not a whole number of samples of \(input.byteCount) bytes "
          + "(\(input.shape) \(input.type))")
    }
    return stride(from: 0, to: bytes.count, by: input.byteCount).map {
      Array(bytes[$0..<$0 + input.byteCount])
    }
  }

  /// An array of one or many samples.
  public func split(_ array: NumericArray, _ name: String, _ input: Model.Boundary) throws -> [[UInt8]] {
    let elements = input.shape.reduce(1, *)
    guard array.elementCount > 0, array.elementCount % elements == 0 else {
      throw PackError(
        .file,
        "\(name) has shape \(NumericArray.text(array.shape)); a multiple of \(elements) elements "
          + "(\(input.shape)) is needed")
    }
    let bytes = try InputReader.codes(array, name, input)
    return stride(from: 0, to: bytes.count, by: input.byteCount).map {
      Array(bytes[$0..<$0 + input.byteCount])
    }
  }

  /// The array's values in the input's type: integers of the same width as they are, uint8 for int8
  /// shifted by 128, floats quantised with the input's scale.
  static func codes(_ array: NumericArray, _ name: String, _ input: Model.Boundary) throws -> [UInt8] {
    switch (array.type, input.type) {
    case (.int8, .int8), (.uint8, .uint8), (.int16, .int16), (.int32, .int32): return array.bytes
    case (.uint8, .int8): return array.bytes.map { $0 ^ 0x80 }
    case (.float16, _), (.float32, _), (.float64, _):
      guard input.scale > 0 else {
        throw PackError(.file, "\(name) holds floats, but input \"\(input.name)\" has no scale")
      }
      return array.doubles().flatMap { code($0, input) }
    case (.int64, .int32):
      return try array.int32s().flatMap(littleEndianBytes)
    default:
      throw PackError(
        .file, "\(name) holds \(array.type), but input \"\(input.name)\" takes \(input.type) (or floats)")
    }
  }

  private static func code(_ value: Double, _ input: Model.Boundary) -> [UInt8] {
    let half = Double(sign: .plus, exponent: Int(input.type.bits) - 1, significand: 1)
    let steps = (value / input.scale).rounded() + Double(input.zeroPoint)
    let clamped = Int32(min(max(steps.isNaN ? 0 : steps, -half), half - 1))
    switch input.type {
    case .int16: return littleEndianBytes(Int16(clamped))
    case .int32: return littleEndianBytes(clamped)
    default: return [UInt8(truncatingIfNeeded: clamped)]
    }
  }

  /// An image scaled to the input's height and width.
  private func codes(of image: Image, _ path: String, _ input: Model.Boundary) throws -> [UInt8] {
    guard let (height, width, channels) = InputReader.imageShape(input.shape) else {
      throw PackError(
        .file, "\(path): input \"\(input.name)\" has shape \(input.shape), which is not an image")
    }
    guard input.type == .int8 else {
      throw PackError(.file, "\(path): images are for int8 inputs; \"\(input.name)\" is \(input.type)")
    }
    let fitted = try image.converted(toChannels: channels).resized(width: width, height: height)
    guard let normalization else { return fitted.pixels.map { $0 ^ 0x80 } }
    return fitted.pixels.enumerated().flatMap { index, pixel -> [UInt8] in
      let channel = index % channels
      let mean = normalization.mean[min(channel, normalization.mean.count - 1)]
      let deviation = normalization.deviation[min(channel, normalization.deviation.count - 1)]
      return InputReader.code((Double(pixel) / 255 - mean) / deviation, input)
    }
  }

  /// Height, width and channels of [1, height, width, channels] or of its last dimensions.
  public static func imageShape(_ shape: [Int]) -> (height: Int, width: Int, channels: Int)? {
    switch shape.count {
    case 4 where shape[0] == 1 && (shape[3] == 1 || shape[3] == 3): (shape[1], shape[2], shape[3])
    case 3 where shape[2] == 1 || shape[2] == 3: (shape[0], shape[1], shape[2])
    case 2 where shape[0] > 1: (shape[0], shape[1], 1)
    default: nil
    }
  }
}

import CImage

/// PNG, by libpng.
enum PNGFile {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// 8-bit samples as the file holds them; 16 bits are reduced to 8, transparency lies on white.
  static func decode(_ bytes: [UInt8], name: String) throws(PackError) -> Image {
    var picture = png_image()
    picture.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&picture) }
    // libpng copies the pointer, so all of the reading happens while it is valid.
    let result: Result<(channels: Int, pixels: [UInt8]), PackError> = bytes.withUnsafeBytes { raw in
      guard png_image_begin_read_from_memory(&picture, raw.baseAddress, raw.count) != 0 else {
        return .failure(failure(picture, name))
      }
      // Without this, libpng takes 16-bit samples for linear light.
      picture.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
      let width = Int(picture.width)
      let height = Int(picture.height)
      do throws(PackError) {
        try Image.checkSize(width: width, height: height, name: name)
      } catch {
        return .failure(error)
      }
      // A pixel takes at least one bit before compression.
      guard width * height / 8 / InputLimits.deflateRatio <= raw.count else {
        return .failure(PackError(.file, "\(name): the PNG picture is cut short"))
      }
      let isColour = picture.format & png_uint_32(PNG_FORMAT_FLAG_COLOR) != 0
      let channels = isColour ? 3 : 1
      // Formats are sums of flags: grey has none, RGB only that of colour.
      picture.format = isColour ? png_uint_32(PNG_FORMAT_FLAG_COLOR) : 0
      var pixels = [UInt8](repeating: 255, count: width * height * channels)
      var white = png_color(red: 255, green: 255, blue: 255)
      guard png_image_finish_read(&picture, &white, &pixels, 0, nil) != 0 else {
        return .failure(failure(picture, name))
      }
      return .success((channels, pixels))
    }
    let (channels, pixels) = try result.get()
    return try Image(
      width: Int(picture.width), height: Int(picture.height), channels: channels, pixels: pixels,
      name: name)
  }

  private static func failure(_ picture: png_image, _ name: String) -> PackError {
    let text = withUnsafeBytes(of: picture.message) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return PackError(.file, "\(name): the PNG picture is damaged: \(text)")
  }
}

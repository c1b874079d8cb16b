/// A picture of 8-bit samples, row by row from the top left, channels interleaved.
public struct Image: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// 1 (grey) or 3 (red, green, blue).
  public let channels: Int
  /// `height * width * channels` samples.
  public let pixels: [UInt8]

  /// Throws where the sizes are not positive, too large, or do not agree with `pixels`.
  public init(
    width: Int, height: Int, channels: Int, pixels: [UInt8], name: String = "image"
  ) throws(PackError) {
    try Self.checkSize(width: width, height: height, name: name)
    guard channels == 1 || channels == 3 else {
      throw PackError(.file, "\(name): \(channels) channels; an image has 1 or 3")
    }
    guard pixels.count == width * height * channels else {
      let size = "\(width) x \(height) x \(channels)"
      throw PackError(.file, "\(name): an image of \(size) bytes, but \(pixels.count) are given")
    }
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// Throws where a picture of this size is impossible or beyond ``InputLimits/pixels``.
  static func checkSize(width: Int, height: Int, name: String) throws(PackError) {
    guard width > 0, height > 0 else {
      throw PackError(.file, "\(name): \(width) x \(height) pixels; both must be positive")
    }
    guard width <= InputLimits.pixels, height <= InputLimits.pixels / width else {
      throw PackError(
        .file, "\(name): \(width) x \(height) pixels; at most \(InputLimits.pixels) are accepted")
    }
  }

  /// The same picture in grey (1) or colour (3).
  ///
  /// Grey is `(19595 R + 38470 G + 7471 B + 2^15) / 2^16`, the luma of BT.601, which leaves grey
  /// pixels as they are. Throws for other channel counts.
  public func converted(toChannels count: Int) throws(PackError) -> Image {
    if count == channels { return self }
    var output: [UInt8] = []
    output.reserveCapacity(width * height * max(count, 0))
    switch count {
    case 1:
      for k in stride(from: 0, to: pixels.count, by: 3) {
        let red = 19595 * UInt32(pixels[k])
        let green = 38470 * UInt32(pixels[k + 1])
        let blue = 7471 * UInt32(pixels[k + 2])
        output.append(UInt8((red + green + blue + 1 << 15) >> 16))
      }
    case 3:
      for pixel in pixels { output.append(contentsOf: repeatElement(pixel, count: 3)) }
    default:
      throw PackError(.file, "an image cannot have \(count) channels; 1 and 3 are possible")
    }
    return try Image(width: width, height: height, channels: count, pixels: output)
  }

  /// The picture at another size.
  ///
  /// Along an axis that shrinks, every new pixel is the average of the area that it covers, in
  /// exact arithmetic, rounded half up; along an axis that grows, it is the nearest old pixel.
  /// Throws where the size is not positive or too large.
  public func resized(width newWidth: Int, height newHeight: Int) throws(PackError) -> Image {
    if newWidth == width && newHeight == height { return self }
    try Self.checkSize(width: newWidth, height: newHeight, name: "resized image")
    let total = UInt64(newWidth > width ? 1 : width) * UInt64(newHeight > height ? 1 : height)
    var output: [UInt8] = []
    output.reserveCapacity(newWidth * newHeight * channels)
    for rowIndex in 0..<newHeight {
      let row = Tap(rowIndex, from: height, to: newHeight)
      for columnIndex in 0..<newWidth {
        let column = Tap(columnIndex, from: width, to: newWidth)
        for channel in 0..<channels {
          var sum: UInt64 = 0
          for y in row.range {
            var line: UInt64 = 0
            let start = y * width * channels + channel
            for x in column.range { line += column.weight(x) * UInt64(pixels[start + x * channels]) }
            sum += row.weight(y) * line
          }
          output.append(UInt8((sum + total / 2) / total))
        }
      }
    }
    return try Image(width: newWidth, height: newHeight, channels: channels, pixels: output)
  }

  /// Old pixels that one new pixel consists of, along one axis, and their weights, which add up to
  /// `old` where the axis shrinks or stays, else to 1.
  private struct Tap {
    var range: Range<Int>
    var first: UInt64 = 1
    var inner: UInt64 = 1
    var last: UInt64 = 1

    init(_ index: Int, from old: Int, to new: Int) {
      if new > old {
        let nearest = (2 * index + 1) * old / (2 * new)
        range = nearest..<nearest + 1
      } else {
        // In units of 1/new of an old pixel, new pixel `index` covers start ..< start + old.
        let start = index * old
        let end = start + old
        range = start / new..<(end + new - 1) / new
        first = UInt64(min((range.lowerBound + 1) * new, end) - start)
        inner = UInt64(new)
        last = UInt64(end - (range.upperBound - 1) * new)
      }
    }

    func weight(_ index: Int) -> UInt64 {
      index == range.lowerBound ? first : index == range.upperBound - 1 ? last : inner
    }
  }
}

/// Windows bitmaps without compression, of 8 (palette), 24 or 32 bits a pixel.
///
/// A palette of greys gives one channel, everything else three; the fourth byte of 32 bits is ignored.
enum BMPFile {
  static func decode(_ bytes: [UInt8], name: String) throws(PackError) -> Image {
    func field(_ offset: Int, _ count: Int) throws(PackError) -> Int {
      guard let value = Endian.little(bytes, at: offset, count: count) else {
        throw PackError(.file, "\(name): the BMP picture is cut short")
      }
      return value
    }
    func signed(_ offset: Int) throws(PackError) -> Int {
      Int(Int32(truncatingIfNeeded: try field(offset, 4)))
    }

    let start = try field(10, 4)
    let headerBytes = try field(14, 4)
    guard headerBytes >= 40, headerBytes <= 1024 else {
      throw PackError(
        .file, "\(name): a BMP header of \(headerBytes) bytes; 40 (Windows 3) or more are read")
    }
    let width = try signed(18)
    let rawHeight = try signed(22)
    let bits = try field(28, 2)
    let compression = try field(30, 4)
    try Image.checkSize(width: width, height: abs(rawHeight), name: name)
    let height = abs(rawHeight)
    guard bits == 8 || bits == 24 || bits == 32 else {
      throw PackError(.file, "\(name): a BMP of \(bits) bits a pixel; 8, 24 and 32 are read")
    }
    // Kind 3 gives the masks of the colours; only the usual ones are plain bytes.
    let hasMasks = compression == 3 && bits == 32
    if hasMasks {
      guard try field(54, 4) == 0xFF0000, try field(58, 4) == 0xFF00, try field(62, 4) == 0xFF else {
        throw PackError(.file, "\(name): a BMP with unusual colour masks; save it with 24 bits a pixel")
      }
    }
    guard compression == 0 || hasMasks else {
      throw PackError(
        .file, "\(name): a compressed BMP (kind \(compression)); save it without compression")
    }

    let pixelBytes = bits / 8
    let rowBytes = (width * pixelBytes + 3) / 4 * 4
    guard start >= 14 + headerBytes, start <= bytes.count,
      rowBytes * (height - 1) + width * pixelBytes <= bytes.count - start
    else { throw PackError(.file, "\(name): the BMP picture is cut short") }

    var palette: [[UInt8]] = []
    if bits == 8 {
      let used = try field(46, 4)
      let count = used == 0 ? 256 : used
      let first = 14 + headerBytes
      guard count <= 256, first + 4 * count <= start else {
        throw PackError(.file, "\(name): a BMP palette of \(count) colours, which overlaps the pixels")
      }
      // Blue, green, red, unused.
      palette = (0..<count).map { entry in (0..<3).map { bytes[first + 4 * entry + 2 - $0] } }
    }
    let isGrey = bits == 8 && palette.allSatisfy { $0[0] == $0[1] && $0[1] == $0[2] }
    let channels = isGrey ? 1 : 3

    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * channels)
    for y in 0..<height {
      // Rows lie from the bottom up unless the height is negative.
      let row = start + rowBytes * (rawHeight > 0 ? height - 1 - y : y)
      for x in 0..<width {
        let pixel = row + x * pixelBytes
        if bits == 8 {
          guard Int(bytes[pixel]) < palette.count else {
            throw PackError(.file, "\(name): a BMP pixel uses colour \(bytes[pixel]) of \(palette.count)")
          }
          pixels.append(contentsOf: palette[Int(bytes[pixel])].prefix(channels))
        } else {
          for channel in 0..<3 { pixels.append(bytes[pixel + 2 - channel]) }
        }
      }
    }
    return try Image(width: width, height: height, channels: channels, pixels: pixels, name: name)
  }
}

/// The portable grey and colour maps of Netpbm: P2, P3 (text), P5, P6 (bytes).
///
/// Samples are scaled from the file's maximum to 255, rounded half up. Of a file with several
/// pictures the first is read.
enum PNMFile {
  static func decode(_ bytes: [UInt8], name: String) throws(PackError) -> Image {
    guard bytes.count > 2, let kind = [0x32: 2, 0x33: 3, 0x35: 5, 0x36: 6][Int(bytes[1])] else {
      throw PackError(.file, "\(name): a Netpbm picture of another kind; P2, P3, P5 and P6 are read")
    }
    var scanner = Scanner(bytes: bytes, position: 2)
    guard let width = scanner.number(), let height = scanner.number(), let maximum = scanner.number(),
      (1...65535).contains(maximum)
    else {
      throw PackError(
        .file, "\(name): the Netpbm header is damaged; it gives width, height and a maximum below 65536")
    }
    try Image.checkSize(width: width, height: height, name: name)
    let channels = kind == 3 || kind == 6 ? 3 : 1
    let count = width * height * channels
    let isText = kind < 5
    // In text, a sample takes a digit and a blank; in bytes, one or two.
    let sampleBytes = maximum > 255 ? 2 : 1
    if !isText { scanner.position += 1 }
    let needed = isText ? 2 * count - 1 : sampleBytes * count
    guard needed <= bytes.count - scanner.position else {
      throw PackError(
        .file, "\(name): the picture is cut short; \(width) x \(height) pixels are announced")
    }

    var pixels: [UInt8] = []
    pixels.reserveCapacity(count)
    for _ in 0..<count {
      let sample: Int?
      if isText {
        sample = scanner.number()
      } else {
        sample = Endian.big(bytes, at: scanner.position, count: sampleBytes)
        scanner.position += sampleBytes
      }
      guard let sample, sample <= maximum else {
        throw PackError(.file, "\(name): sample \(pixels.count) is missing or larger than \(maximum)")
      }
      pixels.append(UInt8(maximum == 255 ? sample : (sample * 255 + maximum / 2) / maximum))
    }
    return try Image(width: width, height: height, channels: channels, pixels: pixels, name: name)
  }

  private struct Scanner {
    var bytes: [UInt8]
    var position: Int

    /// The next decimal number, after blanks and comments; nil where there is none below 2^31.
    mutating func number() -> Int? {
      while position < bytes.count, !(0x30...0x39).contains(bytes[position]) {
        switch bytes[position] {
        case 0x20, 0x09...0x0D: position += 1
        case UInt8(ascii: "#"):
          while position < bytes.count, bytes[position] != 0x0A { position += 1 }
        default: return nil
        }
      }
      guard position < bytes.count else { return nil }
      var value = 0
      while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
        value = value * 10 + Int(bytes[position] - 0x30)
        guard value < 1 << 31 else { return nil }
        position += 1
      }
      return value
    }
  }
}

/// Pictures as text.
public enum TerminalImage {
  /// From dark to bright, for terminals with a dark background.
  private static let ramp = Array(" .:-=+*#%@")

  /// `image`, shrunk to at most `columns` columns, one line of text for every two rows of pixels.
  ///
  /// With colour, each character is an upper half block whose foreground and background are two
  /// pixels (24-bit escape sequences); without, one of ten ASCII characters for their mean.
  public static func text(
    _ image: Image, columns: Int = 64, colour: Bool = Terminal.hasColour
  ) throws(PackError) -> String {
    let width = min(max(columns, 1), image.width)
    let height = max(1, (image.height * width + image.width / 2) / image.width)
    if !colour {
      let cells = try image.converted(toChannels: 1).resized(width: width, height: (height + 1) / 2)
      return (0..<cells.height).map { y in
        let row = cells.pixels[y * width..<(y + 1) * width]
        let line = String(row.map { ramp[(Int($0) * (ramp.count - 1) + 127) / 255] })
        return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
      }.joined()
    }
    let small = try image.converted(toChannels: 3).resized(width: width, height: height)
    func code(_ x: Int, _ y: Int) -> String {
      small.pixels[3 * (y * width + x)..<3 * (y * width + x) + 3].map { String($0) }.joined(
        separator: ";")
    }
    return stride(from: 0, to: height, by: 2).map { y in
      let line = (0..<width).map { x in
        let below = y + 1 < height ? "\u{1B}[48;2;\(code(x, y + 1))m" : ""
        return "\u{1B}[38;2;\(code(x, y))m\(below)\u{2580}"
      }
      return line.joined() + "\u{1B}[0m\n"
    }.joined()
  }
}

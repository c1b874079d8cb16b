import Testing

@testable import AbacusPack

@Suite struct TextTests {
  @Test func alignsTables() {
    var table = Table([.init("operator"), .init("bytes", .right), .init("note")])
    table.add("convolution", NumberText.grouped(1_234_567), "")
    table.add("größe", "12")
    table.add("bad\u{1B}[31m\nname", "-1", "x", "surplus")
    let expected = """
      operator           bytes  note
      -------------  ---------  ----
      convolution    1,234,567
      größe                 12
      bad?[31m?name         -1  x

      """
    #expect(table.text == expected)
    #expect(table.text.split(separator: "\n").allSatisfy { !$0.hasSuffix(" ") })
  }

  @Test func writesNumbers() {
    #expect(
      [0, 999, 1000, -1_234_567].map { NumberText.grouped($0) } == ["0", "999", "1,000", "-1,234,567"])
    #expect(NumberText.grouped(Int64.min) == "-9,223,372,036,854,775,808")
    #expect(NumberText.bytes(1023) == "1023 B")
    #expect(NumberText.bytes(1024) == "1.0 KiB")
    #expect(NumberText.bytes(139_018) == "135.8 KiB")
    #expect(NumberText.bytes((1 << 20) - 1) == "1.0 MiB")
    #expect(NumberText.bytes(3 << 30) == "3.0 GiB")
    #expect(NumberText.bytes(UInt64.max) == "17,179,869,184.0 GiB")
    #expect(NumberText.bytes(-5) == "0 B")
  }

  /// What a progress line writes while a clock runs.
  private final class Recorder {
    var written = ""
    var time = ContinuousClock.now

    func line(isVisible: Bool = true) -> ProgressLine {
      ProgressLine(
        "calibrating", total: 1000, isVisible: isVisible, now: { self.time },
        write: { self.written += $0 })
    }
  }

  @Test func showsProgressOnlyOfLongWork() {
    let recorder = Recorder()
    do {
      let line = recorder.line()
      recorder.time += .milliseconds(999)
      line.advance(to: 400)
      #expect(recorder.written.isEmpty)
      recorder.time += .milliseconds(1)
      line.advance(to: 405)
      recorder.time += .milliseconds(99)
      line.advance(to: 450)
      #expect(recorder.written == "\r\u{1B}[Kcalibrating: 405 of 1,000 (40 %)")
    }
    #expect(recorder.written.hasSuffix("%)\r\u{1B}[K"))

    let silent = Recorder()
    let line = silent.line(isVisible: false)
    silent.time += .seconds(9)
    line.advance(to: 5)
    line.finish()
    #expect(silent.written.isEmpty)
  }

  @Test func drawsImages() throws {
    let image = try Image(width: 2, height: 2, channels: 1, pixels: [0, 255, 0, 255])
    #expect(try TerminalImage.text(image, colour: false) == " @\n")
    let black = "\u{1B}[38;2;0;0;0m\u{1B}[48;2;0;0;0m\u{2580}"
    let white = "\u{1B}[38;2;255;255;255m\u{1B}[48;2;255;255;255m\u{2580}"
    #expect(try TerminalImage.text(image, colour: true) == black + white + "\u{1B}[0m\n")
    let dark = try Image(width: 3, height: 3, channels: 3, pixels: Array(repeating: 0, count: 27))
    #expect(try TerminalImage.text(dark, columns: 0, colour: false) == "\n")
    #expect(try TerminalImage.text(dark, colour: false) == "\n\n")
    #expect(try TerminalImage.text(dark, colour: true).split(separator: "\n").count == 2)
    let wide = try Image(width: 100, height: 50, channels: 1, pixels: Array(repeating: 128, count: 5000))
    let lines = try TerminalImage.text(wide, columns: 40, colour: false).split(separator: "\n")
    #expect(lines.count == 10 && lines.allSatisfy { $0.count == 40 })
  }
}

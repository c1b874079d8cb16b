import Testing

@testable import AbacusPack

@Suite struct ImageTests {
  static let samples = [
    "0-tshirt", "1-trouser", "2-pullover", "3-dress", "4-coat", "5-sandal", "6-shirt", "7-sneaker",
    "8-bag",
    "9-ankleboot",
  ]

  @Test(arguments: samples) func readsOurSamples(name: String) throws {
    let image = try ImageFile.read(TestFolder.golden("fmnist-samples/\(name).png"))
    #expect(image.width == 28 && image.height == 28 && image.channels == 1)
    #expect(image.pixels.contains { $0 > 128 })
  }

  @Test(.enabled(if: TestFolder.shared != nil, "the folder shared/models is not there"))
  func samplesEqualTheirArrays() throws {
    let images = try NumPyArchive(TestFolder.model("fmnist-cnn/samples.npz")).array("images")
    for (index, name) in Self.samples.enumerated() {
      let image = try ImageFile.read(TestFolder.golden("fmnist-samples/\(name).png"))
      #expect(try image.pixels == images.row(index).bytes)
    }
  }

  @Test func readsFormsOfPNG() throws {
    let rgb = try ImageFile.decode(ImageFixture.rgb, name: "a.png")
    #expect(rgb.channels == 3 && rgb.pixels == [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    #expect(try ImageFile.decode(ImageFixture.grey16, name: "a.png").pixels == [0, 0x80, 255])
    #expect(
      try ImageFile.decode(ImageFixture.transparent, name: "a.png").pixels == [9, 8, 7, 255, 255, 255])
    #expect(
      try ImageFile.decode(ImageFixture.palette, name: "a.png").pixels == [
        0, 0, 0, 255, 0, 0, 0, 255, 0, 1, 2, 3,
      ])
  }

  @Test func readsNetpbm() throws {
    func decode(_ text: String, _ data: [UInt8] = []) throws -> Image {
      try ImageFile.decode(Array(text.utf8) + data, name: "a.pnm")
    }
    #expect(try decode("P2 # a comment\n3 1\n# more\n10\n0 5 10\n").pixels == [0, 128, 255])
    #expect(try decode("P3 1 1 255 1 2 3").pixels == [1, 2, 3])
    #expect(try decode("P5 2 2 255\n", [1, 2, 3, 4]).pixels == [1, 2, 3, 4])
    #expect(try decode("P5 2 1 65535\n", [0xFF, 0xFF, 0x80, 0]).pixels == [255, 128])
    let colour = try decode("P6\n1 2\n255\n", [1, 2, 3, 4, 5, 6])
    #expect(colour.height == 2 && colour.channels == 3 && colour.pixels == [1, 2, 3, 4, 5, 6])
    for bad in [
      "P5 2 2 255\n123", "P5 0 2 255\n", "P5 2 2 0\n1234", "P5 2 2 70000\n12345678", "P2 1 1 10 11",
      "P1 1 1 1",
      "P5 99999 99999 255\n", "P5 99999999999999999999 1 255\n", "P2 30000 30000 1 0", "P2 1 1 10 x",
      "P2", "P5 1",
    ] { #expect(throws: PackError.self, "\(bad)") { try decode(bad) } }
  }

  /// A bitmap of the given rows as they lie in the file.
  private func bitmap(
    width: Int, height: Int, bits: Int, palette: [UInt8] = [], rows: [UInt8], compression: Int = 0
  ) -> [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let start = 54 + palette.count
    let file = Array("BM".utf8) + little(start + rows.count, 4) + little(0, 4) + little(start, 4)
    let size = little(40, 4) + little(width, 4) + little(height, 4) + little(1, 2) + little(bits, 2)
    let rest = little(compression, 4) + little(0, 12) + little(palette.count / 4, 4) + little(0, 4)
    return file + size + rest + palette + rows
  }

  @Test func readsBMP() throws {
    let rows24: [UInt8] = [3, 2, 1, 6, 5, 4, 0, 0, 9, 8, 7, 12, 11, 10, 0, 0]
    let upward = try ImageFile.decode(bitmap(width: 2, height: 2, bits: 24, rows: rows24), name: "a.bmp")
    #expect(upward.pixels == [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6])
    let downward = try ImageFile.decode(
      bitmap(width: 2, height: -2, bits: 24, rows: rows24), name: "a.bmp")
    #expect(downward.pixels == Array(1...12))
    let wide = try ImageFile.decode(
      bitmap(width: 1, height: 1, bits: 32, rows: [3, 2, 1, 99]), name: "a.bmp")
    #expect(wide.pixels == [1, 2, 3])
    let grey = bitmap(
      width: 3, height: 1, bits: 8, palette: [0, 0, 0, 0, 70, 70, 70, 0, 200, 200, 200, 0],
      rows: [2, 0, 1, 0])
    #expect(try ImageFile.decode(grey, name: "a.bmp").pixels == [200, 0, 70])
    let colour = bitmap(width: 1, height: 1, bits: 8, palette: [1, 2, 3, 0], rows: [0, 0, 0, 0])
    #expect(try ImageFile.decode(colour, name: "a.bmp").pixels == [3, 2, 1])

    for bad in [
      bitmap(width: 2, height: 2, bits: 24, rows: Array(rows24.dropLast(5))),
      bitmap(width: 2, height: 2, bits: 16, rows: rows24),
      bitmap(width: 2, height: 2, bits: 24, rows: rows24, compression: 1),
      bitmap(width: -2, height: 2, bits: 24, rows: rows24),
      bitmap(width: 2, height: Int(Int32.min), bits: 24, rows: rows24),
      bitmap(width: 1, height: 1, bits: 8, palette: [1, 2, 3, 0], rows: [1, 0, 0, 0]),
    ] { #expect(throws: PackError.self) { try ImageFile.decode(bad, name: "a.bmp") } }
    for sound in [grey, bitmap(width: 2, height: 2, bits: 24, rows: rows24)] {
      expectSurvival(of: sound, mutations: 2000) { data, name throws(PackError) in
        _ = try ImageFile.decode(data, name: name)
      }
    }
  }

  @Test func survivesDamage() throws {
    let sample = try readFile(TestFolder.golden("fmnist-samples/5-sandal.png"))
    for sound in [
      sample, ImageFixture.rgb, ImageFixture.grey16, ImageFixture.palette,
      Array("P6 1 2 255\nabcdef".utf8),
      Array("P2 3 2 15 1 2 3\n4 5 6".utf8),
    ] {
      expectSurvival(of: sound) { data, name throws(PackError) in
        _ = try ImageFile.decode(data, name: name)
      }
    }
  }

  @Test func boundsPNGBeforeAllocating() throws {
    // The header of a huge picture, its checksum mended, before hardly any data.
    for (width, height) in [(60000, 60000), (8192, 8192), (Int(Int32.max), Int(Int32.max))] {
      var picture = ImageFixture.rgb
      for k in 0..<4 {
        picture[16 + k] = UInt8(truncatingIfNeeded: width >> (24 - 8 * k))
        picture[20 + k] = UInt8(truncatingIfNeeded: height >> (24 - 8 * k))
      }
      let checksum = crc32(picture[12..<29])
      for k in 0..<4 { picture[29 + k] = UInt8(truncatingIfNeeded: checksum >> (24 - 8 * UInt32(k))) }
      #expect(throws: PackError.self) { try ImageFile.decode(picture, name: "a.png") }
    }
  }

  private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF) { state, byte in
      (0..<8).reduce(state ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
  }

  @Test func convertsChannels() throws {
    let rgb = try Image(width: 2, height: 1, channels: 3, pixels: [255, 0, 0, 77, 77, 77])
    #expect(try rgb.converted(toChannels: 1).pixels == [76, 77])
    let grey = try Image(width: 256, height: 1, channels: 1, pixels: Array(0...255))
    #expect(try grey.converted(toChannels: 3).converted(toChannels: 1) == grey)
    #expect(throws: PackError.self) { try grey.converted(toChannels: 4) }
    #expect(throws: PackError.self) { try Image(width: 2, height: 2, channels: 1, pixels: [1]) }
  }

  @Test func resizes() throws {
    let image = try Image(width: 4, height: 2, channels: 1, pixels: [0, 2, 10, 20, 4, 6, 30, 41])
    #expect(try image.resized(width: 2, height: 1).pixels == [3, 25])
    #expect(try image.resized(width: 4, height: 1).pixels == [2, 4, 20, 31])
    // Thirds: (0 * 3 + 2) / 4, (2 * 2 + 10 * 2) / 4, (10 + 20 * 3) / 4.
    #expect(try image.resized(width: 3, height: 2).pixels.prefix(3) == [1, 6, 18])
    #expect(try image.resized(width: 8, height: 2).pixels.prefix(8) == [0, 0, 2, 2, 10, 10, 20, 20])
    #expect(try image.resized(width: 2, height: 4).pixels == [1, 15, 1, 15, 5, 36, 5, 36])
    #expect(throws: PackError.self) { try image.resized(width: 0, height: 4) }
    #expect(throws: PackError.self) { try image.resized(width: 1 << 40, height: 1 << 40) }
    var generator = SeededGenerator(state: 5)
    for _ in 0..<200 {
      let sizes = (0..<4).map { _ in Int.random(in: 1...40, using: &generator) }
      let flat = try Image(
        width: sizes[0], height: sizes[1], channels: 3,
        pixels: Array(repeating: 201, count: sizes[0] * sizes[1] * 3))
      #expect(try flat.resized(width: sizes[2], height: sizes[3]).pixels.allSatisfy { $0 == 201 })
    }
  }
}

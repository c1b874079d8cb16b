import Foundation
import Testing

@testable import AbacusPack

@Suite struct SafeTensorsTests {
  private func open(_ bytes: [UInt8]) throws -> SafeTensorsArchive {
    try TestFolder.temporary { folder in
      try AtomicFile.write(bytes, to: folder + "/a.safetensors")
      return try SafeTensorsArchive(folder + "/a.safetensors")
    }
  }

  @Test func readsEveryTypeExactly() throws {
    var writer = SafeTensorsWriter()
    let cases: [(type: String, bytes: [UInt8], values: [Float])] = [
      ("F64", littleEndianBytes((-1.5).bitPattern) + littleEndianBytes(0.1.bitPattern), [-1.5, 0.1]),
      ("F32", littleEndianBytes(Float(0.1).bitPattern), [0.1]),
      // One third, the largest, the smallest and the smallest normal half.
      (
        "F16", [0x55, 0x35, 0xFF, 0x7B, 0x01, 0x80, 0x00, 0x04],
        [0.333251953125, 65504, -0x1p-24, 0x1p-14]
      ),
      // 1/3 rounded to 8 bits, -2, a subnormal.
      ("BF16", [0xAB, 0x3E, 0x00, 0xC0, 0x01, 0x00], [0.333984375, -2, 0x1p-133]),
      ("I64", littleEndianBytes(Int64(-3)), [-3]),
      ("I32", littleEndianBytes(Int32(1 << 20)), [1_048_576]),
      ("I16", littleEndianBytes(Int16(-300)), [-300]),
      ("I8", [0x80, 0x7F], [-128, 127]),
      ("U8", [0x80, 0xFF], [128, 255]),
      ("BOOL", [0, 1], [0, 1]),
    ]
    for (type, bytes, values) in cases {
      writer.tensors["x.\(type)"] = .init(type: type, shape: [values.count], bytes: bytes)
    }
    let archive = try open(writer.file)
    #expect(archive.names.count == cases.count)
    for (type, _, values) in cases {
      let array = try archive.floats("x.\(type)")
      #expect(array.type == .float32)
      #expect(array.shape == [values.count])
      #expect(array.floats() == values, "\(type)")
    }
  }

  @Test func refusesNumbersThatAreNotFinite() throws {
    for (type, bytes) in [
      ("F32", littleEndianBytes(Float.nan.bitPattern)), ("BF16", [0x80, 0x7F]), ("F16", [0x00, 0xFC]),
    ] {
      var writer = SafeTensorsWriter()
      writer.tensors["x"] = .init(type: type, shape: [1], bytes: bytes)
      let archive = try open(writer.file)
      #expect(throws: PackError.self, "\(type)") { try archive.floats("x") }
    }
  }

  private func message(_ header: String, _ data: [UInt8]) throws -> String {
    do {
      _ = try open(SafeTensorsWriter.file(header, data))
      return "accepted"
    } catch let error as PackError {
      return error.description
    }
  }

  @Test func refusesWithAReason() throws {
    func entry(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
      "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }
    func message(_ entries: String..., data: Int = 8) throws -> String {
      try self.message("{\(entries.joined(separator: ","))}", [UInt8](repeating: 0, count: data))
    }
    #expect(try message(entry("a", "F32", "[2]", "[0,8]")) == "accepted")
    #expect(try message(entry("a", "F8_E4M3", "[8]", "[0,8]")).contains("F8_E4M3"))
    #expect(try message(entry("a", "F32", "[3]", "[0,8]")).contains("takes 12 bytes"))
    #expect(try message(entry("a", "F32", "[-2]", "[0,8]")).contains("impossible shape"))
    #expect(
      try message(entry("a", "F32", "[4611686018427387904,4]", "[0,8]")).contains("impossible shape"))
    #expect(try message(entry("a", "F32", "[2]", "[0,16]")).contains("8 bytes of data"))
    #expect(try message(entry("a", "F32", "[2]", "[8,0]")).contains("8 bytes of data"))
    #expect(try message(entry("a", "F32", "[2]", "[-8,0]")).contains("8 bytes of data"))
    #expect(try message(entry("a", "F32", "[2]", "[0,9223372036854775807]")).contains("8 bytes of data"))
    #expect(try message(entry("a", "F32", "[2]", "[0]")).contains("8 bytes of data"))
    #expect(try message(entry("a", "F32", "[1]", "[0,4]")).contains("last 4 bytes"))
    #expect(try message(entry("a", "F32", "[1]", "[4,8]")).contains("gap"))
    #expect(
      try message(entry("a", "F32", "[2]", "[0,8]"), entry("b", "F32", "[1]", "[4,8]")).contains(
        "overlaps"))
    #expect(try message("\"a\":{\"dtype\":\"F32\"}").contains("shape"))
    #expect(try self.message("[", []).contains("JSON"))
    #expect(try self.message(String(repeating: "[", count: 100_000), []).contains("JSON"))
  }

  @Test func refusesImpossibleHeaders() throws {
    for bytes: [UInt8] in [
      [1], [0xFF] + [UInt8](repeating: 0, count: 7), [UInt8](repeating: 0xFF, count: 16),
      [0, 0, 0, 0, 0, 0, 0, 0x80, 1],
    ] {
      #expect(throws: PackError.self) { try open(bytes) }
    }
  }

  /// An empty tensor may have any extents; nothing can be computed with it.
  @Test func refusesEmptyTensors() throws {
    let header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,0],\"data_offsets\":[0,0]}}"
    let archive = try open(SafeTensorsWriter.file(header, []))
    #expect(throws: PackError.self) { try archive.shape(of: "a") }
    #expect(throws: PackError.self) { try archive.floats("a") }
    #expect(throws: PackError.self) { try archive.floats("b") }
  }

  @Test func survivesDamage() throws {
    var writer = SafeTensorsWriter()
    writer.add("a.weight", random: [2, 3])
    writer.add("b.bias", random: [5])
    let sound = writer.file
    try TestFolder.temporary { folder in
      let path = folder + "/x.safetensors"
      func attempt(_ bytes: [UInt8]) throws -> Bool {
        try Data(bytes).write(to: URL(filePath: path))
        do {
          let archive = try SafeTensorsArchive(path)
          for name in archive.names { _ = try archive.floats(name) }
          return true
        } catch is PackError {
          return false
        }
      }
      #expect(try attempt(sound))
      for count in 0..<sound.count { #expect(try !attempt(Array(sound[..<count]))) }
      var generator = SeededGenerator(state: 3)
      var refused = 0
      for _ in 0..<500 {
        var bytes = sound
        let position = Int.random(in: 0..<(sound.count - writer.data.count), using: &generator)
        bytes[position] = UInt8.random(in: 0...255, using: &generator)
        refused += try attempt(bytes) ? 0 : 1
      }
      #expect(refused > 250)
    }
  }

  @Test func readsShards() throws {
    var first = SafeTensorsWriter()
    first.add("a", random: [4])
    var second = SafeTensorsWriter()
    second.add("b", random: [2, 2])
    try TestFolder.temporary { folder in
      try AtomicFile.write(first.file, to: folder + "/model-1.safetensors")
      try AtomicFile.write(second.file, to: folder + "/model-2.safetensors")
      func index(_ map: String) throws -> SafeTensorsArchive {
        let path = folder + "/model.safetensors.index.json"
        try AtomicFile.write("{\"metadata\":{},\"weight_map\":{\(map)}}", to: path)
        return try SafeTensorsArchive(path)
      }
      let archive = try index("\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"")
      #expect(archive.names.sorted() == ["a", "b"])
      #expect(try archive.floats("b").bytes == second.tensors["b"]?.bytes)
      for map in [
        "\"a\":\"model-2.safetensors\"", "\"a\":\"model-3.safetensors\"",
        "\"a\":\"../a/model-1.safetensors\"",
        "\"a\":\"..\"", "\"a\":7",
      ] {
        #expect(throws: PackError.self, "\(map)") { try index(map) }
      }
    }
  }
}

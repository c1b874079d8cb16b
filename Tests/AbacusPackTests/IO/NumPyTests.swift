import Testing

@testable import AbacusPack

@Suite struct NumPyTests {
  @Test func readsWhatNumPyWrote() throws {
    let float = try NumPyFile.decode(NumPyFixture.float32, name: "a")
    #expect(float.shape == [2, 3] && float.type == .float32)
    #expect(float.doubles() == [0, 0.5, -1, 2, 3.25, 1e9])
    let fortran = try NumPyFile.decode(NumPyFixture.bigEndianFortran, name: "a")
    #expect(fortran.shape == [2, 3, 4] && fortran.type == .int16)
    #expect(try fortran.int32s() == Array(0..<24))
    let half = try NumPyFile.decode(NumPyFixture.float16, name: "a").doubles()
    #expect(half == [0, 1, -2, 65504, 0x1p-24, .infinity, -0.09991455078125])  // nearest half of -0.0999
    let unsigned = try NumPyFile.decode(NumPyFixture.unsigned64, name: "a")
    #expect(unsigned.doubles() == [0, 0x1p63, 0x1p64])
    #expect(throws: PackError.self) { try unsigned.int64s() }
    #expect(try NumPyFile.decode(NumPyFixture.booleans, name: "a").int32s() == [1, 0, 1])
    let scalar = try NumPyFile.decode(NumPyFixture.scalar, name: "a")
    #expect(try scalar.shape == [] && scalar.int64s() == [-7])
  }

  @Test func readsText() throws {
    #expect(try NumPyFile.decodeStrings(NumPyFixture.labels, name: "a") == ["T-shirt", "größe", "", "𝄞"])
    #expect(try NumPyFile.decodeStrings(NumPyFixture.labelBytes, name: "a") == ["cat", "ox"])
    #expect(throws: PackError.self) { try NumPyFile.decodeStrings(NumPyFixture.float32, name: "a") }
    #expect(throws: PackError.self) { try NumPyFile.decode(NumPyFixture.labels, name: "a") }
  }

  @Test func writesWhatNumPyWrites() throws {
    for fixture in [
      NumPyFixture.float32, NumPyFixture.unsigned64, NumPyFixture.booleans, NumPyFixture.scalar,
    ] {
      #expect(NumPyFile.encode(try NumPyFile.decode(fixture, name: "a")) == fixture)
    }
  }

  @Test func roundTripsEveryType() throws {
    let types: [DataType] = [
      .float32, .float16, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
      .bool,
    ]
    for type in types {
      for shape in [[], [0], [5], [2, 0, 3], [4, 3, 2, 1]] {
        let count = try #require(NumericArray.byteCount(shape: shape, type: type))
        let array = try NumericArray(
          shape: shape, type: type, bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) })
        let file = NumPyFile.encode(array)
        #expect((file.count - count) % 64 == 0)
        #expect(try NumPyFile.decode(file, name: "a") == array)
      }
    }
    try TestFolder.temporary { folder in
      let array = try NumericArray(floats: [1, 2, 3], shape: [3, 1])
      try NumPyFile.write(array, to: folder + "/a.npy")
      #expect(try NumPyFile.read(folder + "/a.npy") == array)
    }
  }

  @Test func refusesWithAReason() throws {
    func message(_ bytes: [UInt8]) -> String {
      do throws(PackError) {
        _ = try NumPyFile.decode(bytes, name: "x.npy")
        return "accepted"
      } catch {
        return error.description
      }
    }
    func file(_ header: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
      NumPyFile.magic + [version, 0, UInt8(header.utf8.count), 0] + (version > 1 ? [0, 0] : [])
        + Array(header.utf8) + data
    }
    #expect(message(NumPyFixture.structured).contains("structured"))
    #expect(
      message(file("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")).contains("Python objects"))
    #expect(message(file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}")).contains("'<c8'"))
    let huge = "{'descr': '<f8', 'fortran_order': True, 'shape': (4611686018427387904, 4)}"
    #expect(message(file(huge)).contains("impossibly many"))
    #expect(message(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}")).contains("damaged"))
    #expect(message(file("{'descr': '<f4', 'shape': (1,)}")).contains("damaged"))
    #expect(
      message(file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", [1, 2, 3])).contains("3"))
    #expect(message(file("{}", version: 9)).contains("version 9"))
    #expect(message(Array("PK".utf8)).contains("not a .npy"))
    // Forms that NumPy reads too: other order of keys, double quotes, Python 2's long integers.
    #expect(
      message(file("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}\n", [1, 2])) == "accepted"
    )
  }

  @Test func survivesDamage() {
    for fixture in [NumPyFixture.float32, NumPyFixture.bigEndianFortran, NumPyFixture.structured] {
      let refused = expectSurvival(of: fixture) { data, name throws(PackError) in
        let array = try NumPyFile.decode(data, name: name)
        #expect(array.bytes.count == NumericArray.byteCount(shape: array.shape, type: array.type))
      }
      #expect(refused >= fixture.count)
    }
    expectSurvival(of: NumPyFixture.labels) { data, name throws(PackError) in
      _ = try NumPyFile.decodeStrings(data, name: name)
    }
  }
}

@Suite struct NumericArrayTests {
  @Test func slices() throws {
    let array = try NumericArray(shape: [3, 2], type: .int16, bytes: Array(0..<12))
    #expect(try array.row(1).shape == [2])
    #expect(try array.row(1).bytes == [4, 5, 6, 7])
    #expect(try array.rows(1..<3).shape == [2, 2])
    #expect(try array.rows(3..<3).shape == [0, 2])
    #expect(throws: PackError.self) { try array.row(3) }
    #expect(throws: PackError.self) { try array.row(-1) }
    #expect(throws: PackError.self) { try array.rows(2..<4) }
    #expect(throws: PackError.self) { try NumericArray(shape: [], type: .int8, bytes: [1]).row(0) }
    #expect(try array.reshaped(to: [6]).int32s() == [256, 770, 1284, 1798, 2312, 2826])
    #expect(throws: PackError.self) { try array.reshaped(to: [7]) }
    #expect(throws: PackError.self) {
      try NumericArray(shape: [-1, -12], type: .int8, bytes: Array(0..<12))
    }
    let odd = try NumericArray(shape: [0, .max, .max], type: .int64, bytes: [])
    #expect(try odd.rows(0..<0) == odd)
  }

  @Test func convertsOnlyExactly() throws {
    #expect(try NumericArray(floats: [-3, 0, 16_777_216], shape: [3]).int32s() == [-3, 0, 16_777_216])
    for value: Float in [0.5, .nan, .infinity, 3e9] {
      #expect(throws: PackError.self) { try NumericArray(floats: [value], shape: []).int32s() }
    }
    let wide = try NumericArray(shape: [1], type: .int64, bytes: [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(try wide.int64s() == [1 << 32])
    #expect(throws: PackError.self) { try wide.int32s() }
    #expect(try NumericArray(shape: [2], type: .int4, bytes: [0xF8, 7]).int32s() == [-8, 7])
  }

  /// Classes are whole numbers, as many as are asked for; anything else is an error that says where.
  @Test func classesAreWholeNumbers() throws {
    try TestFolder.temporary { folder in
      let path = folder + "/classes.npy"
      try AtomicFile.write(NumPyFixture.booleans, to: path)
      #expect(try ClassLabels.read(path, count: 2) == [1, 0])
      #expect(throws: PackError.self) { try ClassLabels.read(path, count: 4) }
      // Halves, and 2^64 - 1, and infinity.
      for odd in [NumPyFixture.float32, NumPyFixture.unsigned64, NumPyFixture.float16] {
        try AtomicFile.write(odd, to: path)
        let error = #expect(throws: PackError.self) { try ClassLabels.read(path, count: 1) }
        #expect(error?.description.contains("a class is a whole number") == true)
      }
    }
  }
}

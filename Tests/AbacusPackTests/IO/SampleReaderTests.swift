import Foundation
import Testing

@testable import AbacusPack

@Suite struct SampleReaderTests {
  private let image = Tensor(name: "image", shape: [1, 2, 3, 1], type: .float32)
  private let tokens = Tensor(name: "model/tokens", shape: [1, 4], type: .int32)

  private func array(_ shape: [Int], _ type: DataType = .uint8) throws -> NumericArray {
    let count = shape.reduce(1, *) * type.bytes
    return try NumericArray(shape: shape, type: type, bytes: (0..<count).map { UInt8($0 % 251) })
  }

  @Test func readsArraysSampleBySample() throws {
    try TestFolder.temporary { folder in
      let path = folder + "/x.npy"
      for shape in [[5, 2, 3, 1], [5, 1, 2, 3], [5, 2, 3], [5, 6]] {
        try NumPyFile.write(array(shape), to: path)
        let reader = try SampleReader(path, inputs: [image])
        #expect(reader.count == 5 && reader.isPixels == [true])
        #expect(try reader.sample(3) == [[18, 19, 20, 21, 22, 23]])
        #expect(throws: PackError.self) { try reader.sample(5) }
        #expect(throws: PackError.self) { try reader.sample(-1) }
      }
      for shape in [[2, 3], [1, 2, 3, 1], [1, 6]] {
        try NumPyFile.write(array(shape), to: path)
        let reader = try SampleReader(path, inputs: [image])
        #expect(reader.count == 1)
        #expect(try reader.sample(0) == [[0, 1, 2, 3, 4, 5]])
      }
      try NumPyFile.write(NumericArray(floats: [-1.5, 2, 3, 4, 5, 6e9], shape: [2, 3]), to: path)
      let floats = try SampleReader(path, inputs: [image])
      #expect(floats.isPixels == [false])
      #expect(try floats.sample(0) == [[-1.5, 2, 3, 4, 5, 6e9]])
    }
  }

  /// NumPy's own files: other byte orders and Fortran order.
  @Test func readsForeignOrders() throws {
    try TestFolder.temporary { folder in
      try AtomicFile.write(NumPyFixture.bigEndianFortran, to: folder + "/x.npy")
      let input = Tensor(name: "x", shape: [1, 3, 4], type: .float32)
      let reader = try SampleReader(folder + "/x.npy", inputs: [input])
      #expect(reader.count == 2)
      #expect(try reader.sample(1) == [(12..<24).map { Float($0) }])
      let plain = NumPyHeader(descriptor: ">i2", isFortranOrder: false, shape: [2, 2]).text + "\n"
      let file = NumPyFile.magic + [1, 0, UInt8(plain.utf8.count), 0] + Array(plain.utf8)
      try AtomicFile.write(file + [0, 1, 1, 0, 255, 255, 0, 7], to: folder + "/y.npy")
      let pair = Tensor(name: "y", shape: [2], type: .float32)
      #expect(try SampleReader(folder + "/y.npy", inputs: [pair]).sample(1) == [[-1, 7]])
    }
  }

  @Test func readsOneArrayForEachInput() throws {
    try TestFolder.temporary { folder in
      try NumPyFile.write(array([3, 2, 3, 1]), to: folder + "/image.npy")
      try NumPyFile.write(array([3, 4], .int64), to: folder + "/model_tokens.npy")
      let reader = try SampleReader(folder, inputs: [tokens, image])
      #expect(reader.count == 3 && reader.isPixels == [false, true])
      let sample = try reader.sample(2)
      #expect(sample[1] == [12, 13, 14, 15, 16, 17])
      #expect(sample[0].count == 4)
      #expect(throws: PackError.self) {
        try SampleReader(folder + "/image.npy", inputs: [tokens, image])
      }
      try NumPyFile.write(array([2, 4], .int32), to: folder + "/model_tokens.npy")
      #expect(throws: PackError.self) { try SampleReader(folder, inputs: [tokens, image]) }
      try FileManager.default.removeItem(atPath: folder + "/image.npy")
      let error = #expect(throws: PackError.self) { try SampleReader(folder, inputs: [tokens, image]) }
      #expect(error?.description.contains("image.npy") == true)
    }
  }

  @Test func readsImages() throws {
    try TestFolder.temporary { folder in
      func write(_ name: String, _ header: String, _ pixels: [UInt8]) throws {
        try AtomicFile.write(Array(header.utf8) + pixels, to: "\(folder)/\(name)")
      }
      try write("b.pgm", "P5 3 2 255\n", [1, 2, 3, 4, 5, 6])
      // Twice as large: averages.
      let rows: [[UInt8]] = [[0, 0, 10, 10, 20, 20], [100, 100, 110, 110, 120, 120]]
      try write("a.pgm", "P5 6 4 255\n", rows[0] + rows[0] + rows[1] + rows[1])
      try write("c.ppm", "P6 3 2 255\n", [UInt8](repeating: 7, count: 18))
      try write("notes.txt", "no image", [])
      let reader = try SampleReader(folder, inputs: [image])
      #expect(reader.count == 3 && reader.isPixels == [true])
      #expect(try reader.sample(0) == [[0, 10, 20, 100, 110, 120]])
      #expect(try reader.sample(1) == [[1, 2, 3, 4, 5, 6]])
      #expect(try reader.sample(2) == [[7, 7, 7, 7, 7, 7]])
      #expect(try SampleReader(folder + "/b.pgm", inputs: [image]).sample(0) == [[1, 2, 3, 4, 5, 6]])
      #expect(throws: PackError.self) { try SampleReader(folder, inputs: [tokens]) }
      #expect(throws: PackError.self) {
        try SampleReader(folder + "/notes.txt", inputs: [image]).sample(0)
      }
    }
  }

  @Test func readsIndexedFiles() throws {
    try TestFolder.temporary { folder in
      let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]
      try AtomicFile.write(header + Array(0..<12), to: folder + "/x.idx")
      let reader = try SampleReader(folder + "/x.idx", inputs: [image])
      #expect(reader.count == 2 && reader.isPixels == [true])
      #expect(try reader.sample(1) == [[6, 7, 8, 9, 10, 11]])
      // Signed numbers are no pixels.
      try AtomicFile.write(
        [0, 0, 9, 2, 0, 0, 0, 2, 0, 0, 0, 4, 255, 2, 3, 4, 5, 6, 7, 8], to: folder + "/y")
      let numbers = try SampleReader(folder + "/y", inputs: [tokens])
      #expect(numbers.count == 2 && numbers.isPixels == [false])
      #expect(try numbers.sample(0) == [[-1, 2, 3, 4]])
    }
  }

  @Test(
    .enabled(if: AccuracyTests.hasFashion, "Debian's package dataset-fashion-mnist is not installed"))
  func readsFashionMNIST() throws {
    let input = Tensor(name: "x", shape: [1, 28, 28, 1], type: .float32)
    let reader = try SampleReader(
      "\(AccuracyTests.fashion)/t10k-images-idx3-ubyte.gz", inputs: [input])
    #expect(reader.count == 10_000)
    let golden = try ImageFile.read(TestFolder.golden("fmnist-samples/9-ankleboot.png"))
    #expect(try reader.sample(0) == [golden.pixels.map { Float($0) }])
  }

  @Test func refusesWhatDoesNotFit() throws {
    try TestFolder.temporary { folder in
      let path = folder + "/x.npy"
      func message(_ shape: [Int], _ input: Tensor) throws -> String {
        try NumPyFile.write(array(shape), to: path)
        let error = #expect(throws: PackError.self) { try SampleReader(path, inputs: [input]) }
        return error?.description ?? ""
      }
      #expect(try message([5, 3, 2, 1], image).contains("1 x 2 x 3 x 1"))
      #expect(try message([7], image).contains("has shape 7"))
      let colours = Tensor(name: "rgb", shape: [1, 4, 5, 3], type: .float32)
      #expect(try message([2, 3, 4, 5], colours).contains("channels last"))
      #expect(try message([0, 2, 3, 1], image).contains("must have an axis and elements"))
      #expect(throws: PackError.self) { try SampleReader(folder + "/none.npy", inputs: [image]) }
      #expect(throws: PackError.self) { try SampleReader(folder, inputs: []) }
      // The file ends early.
      let whole = NumPyFile.encode(try array([5, 2, 3, 1]))
      for count in stride(from: 0, to: whole.count, by: 7) {
        try Data(whole.prefix(count)).write(to: URL(filePath: path))
        #expect(throws: PackError.self) { try SampleReader(path, inputs: [image]).sample(0) }
      }
    }
  }
}

/// Samples for one input of a model.
protocol SampleSource: Sendable {
  var count: Int { get }
  /// Whether the values are 8-bit pixels.
  var isPixels: Bool { get }
  /// The values of a sample, as many as the input has elements.
  func values(_ index: Int) throws -> [Float]
}

extension SampleSource {
  /// How many samples an array of the shape `array` holds for `input`; throws where it does not fit.
  ///
  /// Extents of 1 do not matter, and a sample may be given as one row; the order of the others does.
  static func count(in array: [Int], _ path: String, _ input: Tensor) throws(PackError) -> Int {
    func essence(_ shape: some Sequence<Int>) -> [Int] { shape.filter { $0 != 1 } }
    let wanted = essence(input.shape)
    if essence(array) == wanted { return 1 }
    let rest = essence(array.dropFirst())
    if rest == wanted || rest == [wanted.reduce(1, *)] { return array[0] }
    let found = "\(path) has shape \(NumericArray.text(array))"
    let isChannelsFirst = rest.count == 3 && [rest[1], rest[2], rest[0]] == wanted
    throw PackError(
      .file,
      "\(found); samples of \"\(input.name)\" have shape \(NumericArray.text(input.shape))"
        + (isChannelsFirst ? ", channels last: transpose them" : ""))
  }
}

/// One sample after the other in a .npy file.
struct ArraySamples: SampleSource {
  let count: Int
  let isPixels: Bool
  private let array: NumPyRows
  /// Whether the whole array is one sample.
  private let isSingle: Bool

  init(_ path: String, _ input: Tensor) throws {
    array = try NumPyRows(try RandomAccessFile(path))
    count = try Self.count(in: array.shape, path, input)
    isSingle = count != array.shape[0]
    // Bytes for an integer input are tokens.
    isPixels = array.type == .uint8 && input.type == .float32
  }

  func values(_ index: Int) throws -> [Float] {
    if !isSingle { return try array.row(index).floats() }
    return try (0..<array.shape[0]).flatMap { try array.row($0).floats() }
  }
}

/// Image files, scaled to the size of the input.
struct ImageSamples: SampleSource {
  private let paths: [String]
  private let fitting: ImageFitting

  init(_ paths: [String], _ input: Tensor) throws {
    self.paths = paths
    fitting = try ImageFitting(paths[0], input)
  }

  var count: Int { paths.count }
  var isPixels: Bool { true }

  func values(_ index: Int) throws -> [Float] { try fitting.values(ImageFile.read(paths[index])) }
}

/// Entries of an idx file; greyscale images are scaled to the size of the input.
struct IndexedSamples: SampleSource {
  let count: Int
  private let array: NumericArray
  private let fitting: ImageFitting?

  init(_ path: String, _ input: Tensor) throws {
    array = try IDXFile.read(path)
    let isImages = array.type == .uint8 && array.shape.count == 3
    fitting = isImages ? try ImageFitting(path, input) : nil
    count = try isImages ? array.shape[0] : Self.count(in: array.shape, path, input)
    guard count == array.shape.first else {
      throw PackError(.file, "\(path): the first extent of an idx file must be the number of samples")
    }
  }

  var isPixels: Bool { array.type == .uint8 }

  func values(_ index: Int) throws -> [Float] {
    let entry = try array.row(index)
    guard let fitting else { return entry.floats() }
    return try fitting.values(
      Image(width: entry.shape[1], height: entry.shape[0], channels: 1, pixels: entry.bytes))
  }
}

/// Brings images to the size and channels of an input.
struct ImageFitting {
  private let height: Int
  private let width: Int
  private let channels: Int

  init(_ path: String, _ input: Tensor) throws(PackError) {
    guard let (height, width, channels) = InputReader.imageShape(input.shape) else {
      throw PackError(
        .file, "\(path): input \"\(input.name)\" has shape \(input.shape), which is not an image")
    }
    self.height = height
    self.width = width
    self.channels = channels
  }

  func values(_ image: Image) throws(PackError) -> [Float] {
    let fitted = try image.converted(toChannels: channels).resized(width: width, height: height)
    return fitted.pixels.map { Float($0) }
  }
}

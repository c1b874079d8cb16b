import Foundation

/// Samples for the inputs of a float model, as files deliver them and one at a time.
///
/// For a model that reads tokens: a text, with a tokenizer. For a model with one input: a .npy file of
/// shape N x input (or one sample), an idx file, an image or a folder of images. For any model: a folder
/// with `NAME.npy` for each input NAME ("/" in a name is "_" in the file's).
public struct SampleReader: Sendable {
  /// How many samples there are.
  public let count: Int
  private let sources: [any SampleSource]

  /// - Parameters:
  ///   - inputs: the model's, whose names and shapes say what is needed.
  ///   - tokenizer: for a text; without it there must be numbers or images.
  /// - Throws: `PackError` where there is no such file or it does not fit the inputs.
  public init(_ path: String, inputs: [Tensor], tokenizer: (any Tokenizer)? = nil) throws {
    sources = try tokenizer.map { try TokenSamples.sources(path, inputs, $0) } ?? Self.sources(path, inputs)
    count = sources.first?.count ?? 0
    for (source, input) in zip(sources, inputs) where source.count != count {
      throw PackError(
        .file,
        "\(path): \(source.count) samples for \"\(input.name)\", but \(count) for \"\(inputs[0].name)\"")
    }
    guard count > 0 else { throw PackError(.file, "\(path): there are no samples") }
  }

  /// For each input, in the model's order, the values of sample `index` in row-major order.
  public func sample(_ index: Int) throws -> [[Float]] {
    guard (0..<count).contains(index) else {
      throw PackError(.file, "sample \(index) of \(count)")
    }
    return try sources.map { try $0.values(index) }
  }

  /// For each input, whether its values are 8-bit pixels, 0 ... 255, which the model may want to have
  /// normalised.
  public var isPixels: [Bool] { sources.map(\.isPixels) }

  private static func sources(_ path: String, _ inputs: [Tensor]) throws -> [any SampleSource] {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      return try folder(path, inputs)
    }
    guard !path.lowercased().hasSuffix(".txt") else {
      throw PackError(
        .file, "\(path): a text needs --tokenizer, the file that says which tokens of the model it consists of")
    }
    guard inputs.count == 1 else {
      let names = inputs.map { fileName($0) }.joined(separator: ", ")
      throw PackError(
        .file, "\(path): the model has \(inputs.count) inputs; give a folder with \(names)")
    }
    return [try file(path, inputs[0])]
  }

  private static func fileName(_ input: Tensor) -> String {
    input.name.replacing("/", with: "_") + ".npy"
  }

  private static func folder(_ path: String, _ inputs: [Tensor]) throws -> [any SampleSource] {
    let folder = URL(filePath: path, directoryHint: .isDirectory)
    func member(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let wanted = inputs.map(fileName)
    if wanted.allSatisfy(names.contains) {
      return try zip(wanted, inputs).map { try ArraySamples(member($0), $1) }
    }
    let images = names.filter { name in
      [".png", ".bmp", ".pgm", ".ppm", ".pnm"].contains(where: name.lowercased().hasSuffix)
    }
    guard inputs.count == 1, !images.isEmpty else {
      throw PackError(
        .file,
        "\(path): holds neither \(wanted.joined(separator: ", ")) nor images (PNG, BMP, PGM, PPM) for "
          + "the only input")
    }
    return [try ImageSamples(images.map(member), inputs[0])]
  }

  private static func file(_ path: String, _ input: Tensor) throws -> any SampleSource {
    let file = try RandomAccessFile(path)
    let beginning = try file.read(at: 0, count: min(8, file.byteCount))
    if beginning.starts(with: NumPyFile.magic) { return try ArraySamples(path, input) }
    if Gzip.isGzip(beginning) || beginning.starts(with: [0, 0]) {
      return try IndexedSamples(path, input)
    }
    return try ImageSamples([path], input)
  }
}

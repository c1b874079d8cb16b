import AbacusFormat
import Foundation

/// What a search has measured, in a file: with it the search goes on where it was stopped.
public struct SearchState {
  private struct File: Codable {
    /// Of the model and of all that its points depend on.
    var model: UInt32
    var points: [SearchPoint]
  }

  private let path: String
  private let digest: UInt32
  /// What was measured before.
  public let points: [SearchPoint]

  /// - Parameters:
  ///   - path: of a file that may not exist yet.
  ///   - graph: the prepared model.
  ///   - setting: everything else that points depend on.
  /// - Throws: `PackError` where the file is none of a search, or of another model or with other options.
  public init(_ path: String, _ graph: Graph, setting: String) throws {
    self.path = path
    var checksum = CRC32()
    for byte in "\(setting)\n\(graph.summary())".utf8 { checksum.add(byte) }
    for tensor in graph.tensors {
      for byte in tensor.data ?? [] { checksum.add(byte) }
    }
    digest = checksum.value
    guard FileManager.default.fileExists(atPath: path) else {
      points = []
      return
    }
    guard let file = try? JSONDecoder().decode(File.self, from: Data(try readFile(path))) else {
      throw PackError(.file, "\(path): is no state of a search; give --state the name of a new file")
    }
    guard file.model == digest else {
      throw PackError(.file, "\(path): is the state of a search with another model or other options; give --state a new file")
    }
    points = file.points
  }

  /// Puts all points into the file, which holds the old ones or the new ones at any time.
  public func keep(_ points: [SearchPoint]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let data = try encoder.encode(File(model: digest, points: points))
    try AtomicFile.write([UInt8](data), to: path)
  }
}

import Foundation

/// Tokenizers as files, told apart by their names and content.
public enum TokenizerFile {
  /// What there is, for help.
  public static let kinds =
    "vocab.json (a list of characters), a .bin of llama2.c, vocab.txt or tokenizer.json (WordPiece), or a folder with one"

  /// Reads a tokenizer: `vocab.json` (a list of characters), a `.bin` of llama2.c, `vocab.txt` or
  /// `tokenizer.json` (WordPiece), or a folder with one of these.
  public static func read(_ path: String) throws -> any Tokenizer {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return try file(path)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let known = ["tokenizer.json", "vocab.txt", "vocab.json"]
    guard
      let name = known.first(where: names.contains)
        ?? names.first(where: { $0.hasPrefix("tok") && $0.hasSuffix(".bin") })
    else {
      throw PackError(.file, "\(path): has no tokenizer (\(known.joined(separator: ", ")) or tok*.bin)")
    }
    return try file(URL(filePath: path).appending(path: name).path(percentEncoded: false))
  }

  private static func file(_ path: String) throws(PackError) -> any Tokenizer {
    if path.hasSuffix(".bin") { return try MergeTokenizer.read(path) }
    if path.hasSuffix(".txt") { return try WordPieceTokenizer.read(path) }
    guard path.hasSuffix(".json") else {
      throw PackError(
        .file, "\(path): a tokenizer is vocab.json, tokenizer.json, vocab.txt or a .bin of llama2.c")
    }
    let first = try readFile(path, limit: InputLimits.jsonBytes).first { !" \n\r\t".utf8.contains($0) }
    return first == UInt8(ascii: "[")
      ? try CharacterTokenizer.read(path) : try WordPieceTokenizer.read(path)
  }
}

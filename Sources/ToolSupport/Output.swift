import Foundation

/// Tells people how things are, beside the results on standard output.
public func say(_ line: String) {
  FileHandle.standardError.write(Data("\(line)\n".utf8))
}

/// Prints a value as JSON, keys sorted.
public func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

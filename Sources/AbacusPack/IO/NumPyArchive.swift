/// A .npz file: a zip archive of .npy files, unpacked one at a time as they are asked for.
public struct NumPyArchive: Sendable {
  private let archive: ZipArchive

  /// Reads the directory; throws where the file is not a zip archive.
  public init(_ path: String) throws(PackError) {
    try self.init(bytes: readFile(path), name: path)
  }

  /// `name` stands in messages.
  public init(bytes: [UInt8], name: String) throws(PackError) {
    archive = try ZipArchive(bytes, name: name)
  }

  /// Names of the arrays without ".npy", in the order of the file.
  public var names: [String] { archive.members.map { Self.stem($0.name) } }

  /// The array called `name`; throws where there is none or it is damaged.
  public func array(_ name: String) throws(PackError) -> NumericArray {
    try NumPyFile.decode(content(name), name: "\(archive.name): '\(name)'")
  }

  /// The array of text called `name`.
  public func strings(_ name: String) throws(PackError) -> [String] {
    try NumPyFile.decodeStrings(content(name), name: "\(archive.name): '\(name)'")
  }

  private func content(_ name: String) throws(PackError) -> [UInt8] {
    guard let member = archive.members.first(where: { Self.stem($0.name) == name }) else {
      let present = names.isEmpty ? "none" : names.prefix(20).joined(separator: ", ")
      throw PackError(.file, "\(archive.name): has no array '\(name)'; it has: \(present)")
    }
    return try archive.content(member)
  }

  private static func stem(_ name: String) -> String {
    name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
  }
}

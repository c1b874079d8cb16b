/// The hyperparameters of a model: its config.json, and on top of it what the user has set.
///
/// A key is looked up under all its names, at the top and in the objects in which libraries keep
/// part of them (`model_args` of timm, `rope_parameters` of transformers).
final class HuggingFaceConfiguration {
  /// For messages: the file, or that there is none.
  let name: String
  let hasFile: Bool
  private let values: [String: JSONValue]
  private let overrides: [String: String]
  private var usedOverrides: Set<String> = []

  /// - Parameter path: of config.json, nil where there is none.
  init(_ path: String?, overrides: [String: String]) throws {
    hasFile = path != nil
    name = path ?? "without config.json"
    self.overrides = overrides
    var values: [String: JSONValue] = [:]
    if let path {
      values = try JSONValue.decode(
        [String: JSONValue].self, from: readFile(path, limit: InputLimits.jsonBytes), name: path)
    }
    for group in ["model_args", "rope_parameters"] {
      if case .object(let nested)? = values[group] { values.merge(nested) { top, _ in top } }
    }
    self.values = values
  }

  /// A whole number from 1 to 2^30; nil where none of the names occurs.
  func integer(_ names: String...) throws -> Int? {
    guard let (key, value) = try lookUp(names) else { return nil }
    guard case .number(let number) = value, let integer = Int(exactly: number), 1...1 << 30 ~= integer
    else {
      throw wrong(key, "a whole number from 1 to \(1 << 30)")
    }
    return integer
  }

  /// A finite number that is not negative; nil where none of the names occurs.
  func number(_ names: String...) throws -> Double? {
    guard let (key, value) = try lookUp(names) else { return nil }
    guard case .number(let number) = value, number.isFinite, number >= 0 else {
      throw wrong(key, "a number that is not negative")
    }
    return number
  }

  func flag(_ names: String...) throws -> Bool? {
    guard let (key, value) = try lookUp(names) else { return nil }
    guard case .boolean(let flag) = value else { throw wrong(key, "true or false") }
    return flag
  }

  func text(_ names: String...) throws -> String? {
    guard let (key, value) = try lookUp(names) else { return nil }
    guard case .text(let text) = value else { throw wrong(key, "a text") }
    return text
  }

  /// One extent for both, or height and width.
  func extents(_ names: String...) throws -> [Int]? {
    guard let (key, value) = try lookUp(names) else { return nil }
    let list: [JSONValue] = if case .list(let list) = value { list } else { [value, value] }
    let integers = list.compactMap { item -> Int? in
      guard case .number(let number) = item else { return nil }
      return Int(exactly: number)
    }
    guard integers.count == 2, list.count == 2, integers.allSatisfy({ 1...1 << 20 ~= $0 }) else {
      throw wrong(key, "an extent or a list of height and width")
    }
    return integers
  }

  /// Whether one of the names has a value other than null.
  func contains(_ names: String...) throws -> Bool { try lookUp(names) != nil }

  /// The error for a missing value, which says how to give it.
  func missing(_ key: String, _ meaning: String) -> PackError {
    PackError(
      .file,
      "\(name): \(meaning) is not known; add \"\(key)\" to config.json or set \(key)=... on the command line"
    )
  }

  /// Throws where the user has set something that this model does not have.
  func requireOverridesUsed() throws {
    let unused = overrides.keys.filter { !usedOverrides.contains($0) }.sorted()
    guard unused.isEmpty else {
      throw PackError(
        .file, "nothing in this model depends on what was set: \(unused.joined(separator: ", "))")
    }
  }

  private func lookUp(_ names: [String]) throws -> (key: String, value: JSONValue)? {
    usedOverrides.formUnion(names)
    if let key = names.first(where: { overrides[$0] != nil }), let text = overrides[key] {
      let bytes = Array(text.utf8)
      return (key, (try? JSONValue.decode(JSONValue.self, from: bytes, name: key)) ?? .text(text))
    }
    guard let key = names.first(where: { values[$0] != nil && values[$0] != .null }) else { return nil }
    return (key, values[key]!)
  }

  private func wrong(_ key: String, _ expected: String) -> PackError {
    let place = overrides[key] != nil ? "the given \(key)" : "\(name): \"\(key)\""
    return PackError(.file, "\(place) must be \(expected)")
  }
}

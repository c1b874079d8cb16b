import Foundation

/// A value of a JSON document.
enum JSONValue: Decodable, Equatable, Sendable {
  case null
  case boolean(Bool)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// A JSON text as a `Value`; `name` stands in messages.
  static func decode<Value: Decodable>(
    _: Value.Type, from bytes: [UInt8], name: String
  ) throws(PackError) -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw PackError(.malformed, "\(name): \(reason(error))")
    } catch {
      throw PackError(.malformed, "\(name): is not a JSON text")
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "unexpected value at \(place(context)): \(context.debugDescription)"
    case .keyNotFound(let key, let context): "\(place(context)) has no \"\(key.stringValue)\""
    case .dataCorrupted(let context): "is not a sound JSON text: \(context.debugDescription)"
    @unknown default: "is not a sound JSON text"
    }
  }

  private static func place(_ context: DecodingError.Context) -> String {
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return path.isEmpty ? "the top" : "\"\(path)\""
  }
}

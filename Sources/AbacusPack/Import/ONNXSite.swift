import Foundation

/// A node in the file: its place, name and attributes.
struct ONNXSite {
  let proto: ONNXNodeProto
  let index: Int
  /// Of the operator set that the node belongs to.
  let version: Int

  /// "Conv", or with the domain where it is not ONNX's own: "com.microsoft.QLinearAdd".
  var name: String { Self.prefix(ofDomain: proto.domain) + proto.opType }

  static func prefix(ofDomain domain: String) -> String {
    domain.isEmpty || domain == "ai.onnx" ? "" : domain + "."
  }

  var origin: String {
    "\(name), node \(index)" + (proto.name.isEmpty ? "" : " \"\(proto.name)\"")
  }

  /// Lines that name the operands, for messages.
  var operands: String {
    // Enough to find the place in a viewer; a damaged file may name a million.
    func list(_ names: [String]) -> String {
      let shown = names.prefix(8).map { $0.isEmpty ? "left out" : "\"\($0)\"" }.joined(separator: "; ")
      return names.isEmpty ? "none" : names.count > 8 ? shown + "; ..." : shown
    }
    return "\n  inputs: \(list(proto.input))\n  outputs: \(list(proto.output))"
  }

  // MARK: Attributes

  /// The attribute, where there is one; its stated type must be as expected.
  private func attribute(_ name: String, _ type: ONNXAttributeProto.AttributeType) throws -> ONNXAttributeProto? {
    guard let found = proto.attribute.first(where: { $0.name == name }) else { return nil }
    // The oldest files do not state the type.
    guard found.type == type || found.type == .undefined else {
      throw PackError(.malformed, "the attribute \(name) is of type \(found.type), expected \(type)")
    }
    return found
  }

  func has(_ name: String) -> Bool { proto.attribute.contains { $0.name == name } }

  /// Clamped to 32 bits (nothing larger is an index or extent), so that sums and products of two
  /// cannot overflow.
  func int(_ name: String) throws -> Int? { try attribute(name, .int).map { Self.clamped($0.i) } }

  func int(_ name: String, default value: Int) throws -> Int { try int(name) ?? value }

  func flag(_ name: String, default value: Bool = false) throws -> Bool {
    switch try int(name) {
    case nil: return value
    case 0: return false
    case 1: return true
    case let other?: throw PackError(.malformed, "the attribute \(name) is \(other), expected 0 or 1")
    }
  }

  func ints(_ name: String) throws -> [Int]? { try attribute(name, .ints)?.ints.map(Self.clamped) }

  func real(_ name: String) throws -> Double? {
    guard let value = try attribute(name, .float)?.f else { return nil }
    guard !value.isNaN else { throw PackError(.malformed, "the attribute \(name) is not a number") }
    return Double(value)
  }

  func real(_ name: String, default value: Double) throws -> Double { try real(name) ?? value }

  func reals(_ name: String) throws -> [Float]? { try attribute(name, .floats)?.floats }

  func string(_ name: String, default value: String) throws -> String {
    try attribute(name, .string).map { String(decoding: $0.s, as: UTF8.self) } ?? value
  }

  func tensor(_ name: String) throws -> ONNXTensorProto? { try attribute(name, .tensor)?.t }

  static func clamped(_ value: Int64) -> Int { Int(min(max(value, -1 << 31), 1 << 31)) }
}

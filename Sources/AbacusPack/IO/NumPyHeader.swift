/// The text header of a .npy file: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
struct NumPyHeader: Equatable {
  var descriptor: String
  var isFortranOrder: Bool
  var shape: [Int]

  init(descriptor: String, isFortranOrder: Bool, shape: [Int]) {
    self.descriptor = descriptor
    self.isFortranOrder = isFortranOrder
    self.shape = shape
  }

  /// nil where the text is not such a header.
  init?(parsing text: some Sequence<UInt8>) {
    var scanner = Scanner(text: Array(text))
    var descriptor: String?
    var order: Bool?
    var shape: [Int]?
    guard scanner.take("{") else { return nil }
    while !scanner.take("}") {
      guard let key = scanner.string(), scanner.take(":") else { return nil }
      switch key {
      case "descr":
        guard descriptor == nil, let value = scanner.descriptor() else { return nil }
        descriptor = value
      case "fortran_order":
        guard order == nil, let value = scanner.boolean() else { return nil }
        order = value
      case "shape":
        guard shape == nil, let value = scanner.tuple() else { return nil }
        shape = value
      default: return nil
      }
      if !scanner.take(",") {
        guard scanner.take("}") else { return nil }
        break
      }
    }
    guard scanner.isAtEnd, let descriptor, let order, let shape else { return nil }
    self.init(descriptor: descriptor, isFortranOrder: order, shape: shape)
  }

  /// The header as NumPy writes it, without padding.
  var text: String {
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    let order = isFortranOrder ? "True" : "False"
    return "{'descr': '\(descriptor)', 'fortran_order': \(order), 'shape': (\(extents)), }"
  }
}

/// The few forms of Python literals that occur in a header.
private struct Scanner {
  var text: [UInt8]
  var position = 0

  init(text: [UInt8]) { self.text = text }

  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return position == text.count
    }
  }

  mutating func skipSpace() {
    while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) { position += 1 }
  }

  /// Steps over `word` where it comes next, blanks before it included.
  mutating func take(_ word: StaticString) -> Bool {
    skipSpace()
    let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard text[position...].starts(with: expected) else { return false }
    position += expected.count
    return true
  }

  mutating func boolean() -> Bool? {
    if take("True") { return true }
    return take("False") ? false : nil
  }

  /// A quoted string without escapes.
  mutating func string() -> String? {
    skipSpace()
    guard position < text.count,
      text[position] == UInt8(ascii: "'") || text[position] == UInt8(ascii: "\"")
    else { return nil }
    guard let end = text[(position + 1)...].firstIndex(of: text[position]) else { return nil }
    let content = text[position + 1..<end]
    position = end + 1
    return content.contains(UInt8(ascii: "\\")) ? nil : String(decoding: content, as: UTF8.self)
  }

  /// A type string, or "structured" for a list of fields.
  mutating func descriptor() -> String? {
    if let value = string() { return value }
    guard take("[") else { return nil }
    var depth = 1
    while position < text.count, depth > 0 {
      if text[position] == UInt8(ascii: "[") { depth += 1 }
      if text[position] == UInt8(ascii: "]") { depth -= 1 }
      position += 1
    }
    return depth == 0 ? "structured" : nil
  }

  /// A tuple of whole numbers; Python 2 wrote `3L`.
  mutating func tuple() -> [Int]? {
    guard take("(") else { return nil }
    var values: [Int] = []
    while !take(")") {
      skipSpace()
      let digits = text[position...].prefix { (0x30...0x39).contains($0) }
      guard let value = Int(String(decoding: digits, as: UTF8.self)), values.count < InputLimits.rank
      else {
        return nil
      }
      position += digits.count
      values.append(value)
      _ = take("L")
      if !take(",") { return take(")") ? values : nil }
    }
    return values
  }
}

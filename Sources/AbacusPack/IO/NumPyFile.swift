/// The .npy format of NumPy, versions 1 to 3.
public enum NumPyFile {
  /// Reads an array of numbers; throws where the file is not a whole .npy file of a plain type.
  ///
  /// Booleans, integers of 1 to 8 bytes and floats of 2 to 8 bytes, either byte order; Fortran
  /// order is rearranged to row-major.
  public static func read(_ path: String) throws(PackError) -> NumericArray {
    try decode(readFile(path), name: path)
  }

  /// Reads an array of text (labels), in row-major order.
  public static func readStrings(_ path: String) throws(PackError) -> [String] {
    try decodeStrings(readFile(path), name: path)
  }

  /// Writes an array whole or not at all.
  public static func write(_ array: NumericArray, to path: String) throws(PackError) {
    try AtomicFile.write(encode(array), to: path)
  }

  /// Reads the bytes of a file; `name` stands in messages.
  public static func decode(_ bytes: [UInt8], name: String) throws(PackError) -> NumericArray {
    let (header, start) = try self.header(of: bytes, name: name)
    let type = try elementType(header, name: name)
    var data = try content(of: bytes, from: start, header, elementBytes: type.bytes, name: name)
    if header.descriptor.hasPrefix(">") { Endian.swap(&data, width: type.bytes) }
    return try NumericArray(shape: header.shape, type: type, bytes: data, name: name)
  }

  /// Reads the bytes of a file of text: UTF-32 (`U`) or UTF-8 (`S`) in fields of fixed width.
  public static func decodeStrings(_ bytes: [UInt8], name: String) throws(PackError) -> [String] {
    let (header, start) = try self.header(of: bytes, name: name)
    let code = header.descriptor.drop { "<>|=".contains($0) }
    guard let kind = code.first, kind == "U" || kind == "S", let width = Int(code.dropFirst()),
      (1...1 << 20).contains(width)
    else { throw PackError(.file, "\(name): \(refusal(header.descriptor, "text"))") }
    let fieldBytes = kind == "U" ? 4 * width : width
    var data = try content(of: bytes, from: start, header, elementBytes: fieldBytes, name: name)
    if kind == "U", header.descriptor.hasPrefix(">") { Endian.swap(&data, width: 4) }
    return stride(from: 0, to: data.count, by: fieldBytes).map { offset in
      let field = data[offset..<offset + fieldBytes]
      if kind == "S" { return String(decoding: field.prefix { $0 != 0 }, as: UTF8.self) }
      var text = String.UnicodeScalarView()
      for k in 0..<width {
        let value = Endian.little(data, at: offset + 4 * k, count: 4) ?? 0
        if value == 0 { break }
        text.append(Unicode.Scalar(UInt32(value)) ?? "\u{FFFD}")
      }
      return String(text)
    }
  }

  /// A version 1 file of `array`; int4 is written as int8.
  public static func encode(_ array: NumericArray) -> [UInt8] {
    let type: DataType = array.type == .int4 ? .int8 : array.type
    let code = codes.first { $0.type == type }!.code
    let header = NumPyHeader(
      descriptor: (type.bytes == 1 ? "|" : "<") + code, isFortranOrder: false, shape: array.shape)
    var text = Array(header.text.utf8)
    // Data begin at a multiple of 64, and the header ends in a newline.
    let padding = 63 - (10 + text.count) % 64
    text += [UInt8](repeating: 0x20, count: padding) + [0x0A]
    let length = [UInt8(truncatingIfNeeded: text.count), UInt8(truncatingIfNeeded: text.count >> 8)]
    return magic + [1, 0] + length + text + array.bytes
  }

  /// The type of the elements of an array of numbers.
  static func elementType(_ header: NumPyHeader, name: String) throws(PackError) -> DataType {
    let code = header.descriptor.drop { "<>|=".contains($0) }
    guard let type = codes.first(where: { $0.code == code })?.type else {
      throw PackError(.file, "\(name): \(refusal(header.descriptor, "numbers"))")
    }
    return type
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  private static let codes: [(code: String, type: DataType)] = [
    ("b1", .bool), ("?", .bool), ("i1", .int8), ("u1", .uint8), ("i2", .int16), ("u2", .uint16),
    ("i4", .int32), ("u4", .uint32), ("i8", .int64), ("u8", .uint64), ("f2", .float16),
    ("f4", .float32), ("f8", .float64),
  ]

  /// The header, and where the elements begin.
  static func header(
    of bytes: [UInt8], name: String
  ) throws(PackError) -> (NumPyHeader, start: Int) {
    guard bytes.starts(with: magic) else {
      throw PackError(.file, "\(name): is not a .npy file (it must begin with \\x93NUMPY)")
    }
    guard bytes.count >= 8 else { throw PackError(.file, "\(name): the .npy header is cut short") }
    guard (1...3).contains(bytes[6]), bytes[7] == 0 else {
      throw PackError(
        .file, "\(name): .npy version \(bytes[6]).\(bytes[7]); versions 1.0 to 3.0 are read")
    }
    let lengthBytes = bytes[6] == 1 ? 2 : 4
    guard let length = Endian.little(bytes, at: 8, count: lengthBytes) else {
      throw PackError(.file, "\(name): the .npy header is cut short")
    }
    let start = 8 + lengthBytes
    guard length <= InputLimits.numPyHeaderBytes else {
      throw PackError(
        .file,
        "\(name): a .npy header of \(length) bytes; at most \(InputLimits.numPyHeaderBytes) are read")
    }
    guard length <= bytes.count - start else {
      throw PackError(.file, "\(name): the .npy header is cut short")
    }
    guard let header = NumPyHeader(parsing: bytes[start..<start + length]) else {
      throw PackError(
        .file, "\(name): the .npy header is damaged; it must give 'descr', 'fortran_order' and 'shape'")
    }
    return (header, start + length)
  }

  /// The elements in row-major order, in the byte order of the file.
  private static func content(
    of bytes: [UInt8], from start: Int, _ header: NumPyHeader, elementBytes: Int, name: String
  ) throws(PackError) -> [UInt8] {
    let elements = NumericArray.byteCount(shape: header.shape, type: .uint8)
    let expected = elements.map { $0.multipliedReportingOverflow(by: elementBytes) }
    let present = bytes.count - start
    guard let expected, !expected.overflow, expected.partialValue == present else {
      let needed = expected.flatMap { $0.overflow ? nil : "\($0.partialValue)" } ?? "impossibly many"
      let array = "shape \(NumericArray.text(header.shape)) of \(header.descriptor)"
      throw PackError(.file, "\(name): \(array) takes \(needed) bytes; the file has \(present)")
    }
    guard header.isFortranOrder, header.shape.count > 1, present > 0 else {
      return Array(bytes[start...])
    }

    // Walk the output in row-major order; `source` follows with the strides of Fortran order.
    var strides = [elementBytes]
    for extent in header.shape.dropLast() { strides.append(strides.last! * extent) }
    var index = [Int](repeating: 0, count: header.shape.count)
    var source = start
    var output: [UInt8] = []
    output.reserveCapacity(present)
    while true {
      output.append(contentsOf: bytes[source..<source + elementBytes])
      var axis = index.count - 1
      while axis >= 0, index[axis] == header.shape[axis] - 1 {
        source -= index[axis] * strides[axis]
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return output }
      index[axis] += 1
      source += strides[axis]
    }
  }

  private static func refusal(_ descriptor: String, _ wanted: String) -> String {
    switch descriptor.drop(while: { "<>|=".contains($0) }).first {
    case "O": "holds Python objects, which are never loaded; save it with a plain element type"
    case "U", "S": "holds text where \(wanted) are needed"
    case "s": "holds a structured array; save its fields one by one"
    default: "element type '\(descriptor)'; \(wanted) are needed (b1, i1...i8, u1...u8, f2, f4, f8 or U)"
    }
  }
}

/// The entries along the first axis of a .npy file, each read when it is asked for.
struct NumPyRows {
  let shape: [Int]
  let type: DataType
  private let read: @Sendable (Int) throws(PackError) -> NumericArray

  /// Throws where the file is not a whole .npy file of numbers with at least one axis.
  init(_ file: RandomAccessFile) throws(PackError) {
    let most = 12 + InputLimits.numPyHeaderBytes
    let beginning = try file.read(at: 0, count: min(most, file.byteCount))
    let (header, start) = try NumPyFile.header(of: beginning, name: file.path)
    let type = try NumPyFile.elementType(header, name: file.path)
    let shape = header.shape
    guard let count = shape.first, let bytes = NumericArray.byteCount(shape: shape, type: type),
      bytes > 0, bytes == file.byteCount - start
    else {
      throw PackError(
        .file,
        "\(file.path): an array of shape \(NumericArray.text(shape)) in a file of \(file.byteCount) bytes; "
          + "it must have an axis and elements, and the file as many bytes as it takes")
    }
    self.shape = shape
    self.type = type
    if header.isFortranOrder && shape.count > 1 {
      // Its entries are scattered over the file.
      let whole = try NumPyFile.read(file.path)
      read = { index throws(PackError) in try whole.row(index) }
      return
    }
    let rowBytes = bytes / count
    let isSwapped = header.descriptor.hasPrefix(">")
    read = { index throws(PackError) in
      guard (0..<count).contains(index) else {
        throw PackError(.file, "\(file.path): entry \(index) of \(count)")
      }
      var data = try file.read(at: start + index * rowBytes, count: rowBytes)
      if isSwapped { Endian.swap(&data, width: type.bytes) }
      return try NumericArray(shape: Array(shape.dropFirst()), type: type, bytes: data, name: file.path)
    }
  }

  /// Entry `index`, without the first axis; throws where it does not exist.
  func row(_ index: Int) throws(PackError) -> NumericArray { try read(index) }
}

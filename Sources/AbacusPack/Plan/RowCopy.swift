import AbacusFormat

/// A copy between parts of images that moves a run of elements of one row after the other. A unit is a row.
struct RowCopy {
  /// The run in an image.
  struct Part {
    /// Bytes of a row, and rows, of the whole image.
    let rowBytes: Int
    let height: Int
    /// First row and first byte of it.
    let row: Int
    let column: Int
    let length: Int
    let units: Int

    /// Nil where runs do not lie in rows of an image of bytes.
    fileprivate init?(_ tensor: Program.Tensor, offset: Int, rowStride: Int, stride: Int, _ p: CopyParameters) {
      guard tensor.shape.count == 4, tensor.shape[0] == 1, tensor.type == .int8 else { return nil }
      (rowBytes, height) = (tensor.rowBytes, tensor.shape[1])
      (row, column) = (offset / rowBytes, offset % rowBytes)
      (length, units) = (Int(p.dims[5]), Int(p.dims[4]))
      guard rowStride == rowBytes, stride == 1, column + length <= rowBytes else { return nil }
    }

    /// Unit y is row y, from the first to the last.
    var isWholeHeight: Bool { row == 0 && units == height }

    /// From the first to the last byte of units.
    func bytes(of units: Range<Int>) -> Range<Int> {
      if units.isEmpty { return 0..<0 }
      return (row + units.lowerBound) * rowBytes + column..<(row + units.upperBound - 1) * rowBytes + column + length
    }
  }

  let source: Part
  let destination: Part

  init?(_ step: Program.Step, in program: Program) {
    guard step.opcode == .copy, step.variant == CopyVariant.part.rawValue, let input = step.operands[Operands.input],
      let output = step.operands[Operands.output]
    else { return nil }
    let p = step.parameters(CopyParameters.self)
    guard (0..<4).allSatisfy({ p.dims[$0] == 1 }), step.units == Int(p.dims[4]),
      let source = Part(
        program.tensors[input], offset: Int(p.sourceOffset), rowStride: Int(p.sourceStrides[4]),
        stride: Int(p.sourceStrides[5]), p),
      let destination = Part(
        program.tensors[output], offset: Int(p.destinationOffset), rowStride: Int(p.destinationStrides[4]),
        stride: Int(p.destinationStrides[5]), p)
    else { return nil }
    (self.source, self.destination) = (source, destination)
  }
}

extension Program.Step {
  /// A copy of a rectangle of pixels from one image to another. Origins are row and column.
  static func copy(
    from: Program.TensorIndex, at source: (row: Int, column: Int), to: Program.TensorIndex,
    at destination: (row: Int, column: Int), height: Int, width: Int, in program: Program, origin: String
  ) -> Program.Step {
    let channels = program.tensors[to].shape[3]
    let (sourceRow, destinationRow) = (program.tensors[from].rowBytes, program.tensors[to].rowBytes)
    var parameters = CopyParameters()
    (parameters.dims[4], parameters.dims[5]) = (UInt32(height), UInt32(width * channels))
    (parameters.sourceStrides[4], parameters.sourceStrides[5]) = (Int32(sourceRow), 1)
    (parameters.destinationStrides[4], parameters.destinationStrides[5]) = (UInt32(destinationRow), 1)
    parameters.sourceOffset = UInt32(source.row * sourceRow + source.column * channels)
    parameters.destinationOffset = UInt32(destination.row * destinationRow + destination.column * channels)
    var step = Program.Step(.copy, origin: origin)
    step.operands = [Operands.input: from, Operands.output: to]
    step.parameters = littleEndianBytes(parameters)
    step.units = height
    return step
  }
}

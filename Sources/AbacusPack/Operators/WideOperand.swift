import AbacusFormat

// Operands of 8 or 16 bits, with one scale or one for each element of the last dimension.

extension Lowering {
  struct Wide {
    var index: Program.TensorIndex
    var shape: [Int]
    var type: ElementType
    /// One, or as many as the last dimension has elements.
    var scales: [Double]
    var zeroPoint: Int

    /// The one scale, where there is only one.
    var scale: Double { scales[0] }
    var elementCount: Int { shape.reduce(1, *) }
    /// Elements of the last dimension, and how many rows of them there are.
    var rowLength: Int { shape.last ?? 1 }
    var rows: Int { elementCount / rowLength }
    /// Magnitude of the lowest code.
    var largestCode: Int { 1 << (Int(type.bits) - 1) }
    /// Largest magnitude of code minus zero point.
    var reach: Int64 { Int64(max(largestCode - 1 - zeroPoint, zeroPoint + largestCode)) }
    /// Steps between the lowest and the highest code.
    var steps: Double { Double(2 * largestCode - 1) }

    init(_ quantized: Quantized) {
      index = quantized.index
      shape = quantized.shape
      type = .int8
      scales = [quantized.scale]
      zeroPoint = quantized.zeroPoint
    }

    init(index: Program.TensorIndex, shape: [Int], type: ElementType, scales: [Double], zeroPoint: Int) {
      self.index = index
      self.shape = shape
      self.type = type
      self.scales = scales
      self.zeroPoint = zeroPoint
    }

    /// The scale of a channel of the last dimension.
    func scale(ofChannel channel: Int) -> Double { scales[scales.count == 1 ? 0 : channel] }

    /// True where every head, a run of channels, has one scale.
    func scales(ofHeads heads: Int) -> [Double]? {
      guard heads > 0, rowLength % heads == 0 else { return nil }
      if scales.count == 1 { return Array(repeating: scales[0], count: heads) }
      let width = rowLength / heads
      let first = (0..<heads).map { scales[$0 * width] }
      return scales.indices.allSatisfy { scales[$0] == first[$0 / width] } ? first : nil
    }
  }

  /// Asserts that a tensor is int8 or int16 with scales.
  ///
  /// - Parameter perTensor: there must be only one scale.
  func wide(_ index: Program.TensorIndex, _ node: Node, perTensor: Bool = true) throws -> Wide {
    let tensor = program.tensors[index]
    let scales = tensor.channelScales ?? tensor.scale.map { [$0] } ?? []
    guard tensor.type == .int8 || tensor.type == .int16, !scales.isEmpty,
      scales.allSatisfy({ $0 > 0 && $0.isFinite }), !perTensor || scales.count == 1
    else {
      throw PackError(
        .unsupported,
        "\(node.origin): tensor \"\(tensor.name)\" is \(tensor.type) with \(scales.count) scales; this operator takes "
          + "int8 or int16 tensors with one scale" + (perTensor ? "" : " a channel or one for all"))
    }
    let half = 1 << (Int(tensor.type.bits) - 1)
    guard (-half..<half).contains(tensor.zeroPoint) else {
      throw PackError(
        .malformed, "\(node.origin): zero point \(tensor.zeroPoint) of tensor \"\(tensor.name)\" is not an \(tensor.type)")
    }
    return Wide(index: index, shape: tensor.shape, type: tensor.type, scales: scales, zeroPoint: tensor.zeroPoint)
  }

  /// Throws unless zero is stored as 0.
  func requireSymmetric(_ tensor: Wide, _ node: Node) throws {
    guard tensor.zeroPoint == 0 else {
      throw PackError(
        .unsupported,
        "\(node.origin): tensor \"\(program.tensors[tensor.index].name)\" has the zero point \(tensor.zeroPoint); "
          + "0 is supported here")
    }
  }

  /// Scales of the heads of a tensor whose last dimension holds them side by side.
  func headScales(_ tensor: Wide, _ heads: Int, _ node: Node) throws -> [Double] {
    try requireSymmetric(tensor, node)
    guard let scales = tensor.scales(ofHeads: heads) else {
      throw PackError(
        .malformed,
        "\(node.origin): tensor \"\(program.tensors[tensor.index].name)\" \(tensor.shape) does not hold \(heads) heads "
          + "with one scale each")
    }
    return scales
  }

  /// Output stage of a result of 8 or 16 bits, with the clamp of a fused activation.
  func stage(_ output: Wide, _ activation: Activation = .none, shift: Int32) -> OutputStage {
    let (lowest, highest) = (Double(-output.largestCode), Double(output.largestCode - 1))
    func code(_ real: Double) -> Int32 {
      Int32(min(max((real / output.scale).rounded() + Double(output.zeroPoint), lowest), highest))
    }
    let (low, high) =
      switch activation {
      case .none: (Int32(lowest), Int32(highest))
      case .relu: (code(0), Int32(highest))
      case .relu6: (code(0), code(6))
      case .reluN1To1: (code(-1), code(1))
      }
    return OutputStage(shift: shift, zeroPoint: Int32(output.zeroPoint), low: low, high: high)
  }

  /// The elements of a constant as real numbers, one for each of `count` channels.
  func realConstant(_ node: Node, _ position: Int, count: Int) throws -> [Double]? {
    guard hasInput(node, position) else { return nil }
    let tensor = try source(node, position)
    guard tensor.isConstant, tensor.elementCount == count else {
      throw PackError(
        .unsupported, "\(node.origin): \"\(tensor.name)\" \(tensor.shape) must be a constant of \(count) elements")
    }
    return try tensor.reals()
  }
}

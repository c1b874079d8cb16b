import AbacusFormat

// Operators that only move elements. Where a view suffices no step is emitted; everything else is a
// strided copy.

extension Lowering {
  // MARK: Reshape

  func lowerReshape(_ node: Node) throws {
    let inputIndex = try input(node, 0)
    let shape = graph.tensors[node.outputs[0]].shape
    guard shape.reduce(1, *) == program.tensors[inputIndex].elementCount else {
      throw PackError(
        .malformed,
        "\(node.origin): \(program.tensors[inputIndex].shape) cannot be reshaped to \(shape)")
    }
    try bindView(node, of: inputIndex, shape: shape, offset: 0)
  }

  /// Binds the output of `node` to elements of another tensor, `offset` elements in; where the
  /// scales differ, or the place is not aligned, to a copy of them.
  private func bindView(
    _ node: Node, of index: Program.TensorIndex, shape: [Int], offset: Int
  ) throws {
    var view = program.tensors[index]
    let id = node.outputs[0]
    let bytes = offset * Int(view.type.bits) / 8
    var isConstant = false
    switch view.storage {
    case .constant(let data):
      isConstant = true
      let count = shape.reduce(1, *) * Int(view.type.bits) / 8
      view.storage = .constant(Array(data[bytes..<bytes + count]))
    case .buffer(let buffer, let start):
      view.storage = .buffer(buffer, offset: start + bytes)
    case .scratch:
      preconditionFailure("scratch has no views")
    }
    view.name = graph.tensors[id].name
    view.shape = shape
    // A part of a constant has bytes of its own, and so a place of its own.
    let isAligned = isConstant || bytes % Int(Limits.tensorAlignment) == 0
    if try hasSameMeaning(index, id) && isAligned {
      return bindOutput(node, to: program.addTensor(view))
    }
    let output = try makeOutput(node)
    addCopy(
      from: index, to: output, loops: LoopNest(extents: [view.elementCount], strides: [[1], [1]]),
      sourceOffset: offset, table: try codeTable(node, index, output), origin: node.origin)
  }

  /// True where codes mean the same in a program tensor and in a graph tensor.
  private func hasSameMeaning(_ index: Program.TensorIndex, _ id: Graph.TensorID) throws -> Bool {
    guard let quantization = graph.tensors[id].quantization, let scale = program.tensors[index].scale
    else { return true }
    return quantization.scales == [scale] && quantization.zeroPoints == [program.tensors[index].zeroPoint]
  }

  /// Table that takes codes of one tensor to codes of another; nil where they mean the same.
  private func codeTable(
    _ node: Node, _ from: Program.TensorIndex, _ to: Program.TensorIndex, _ activation: Activation = .none
  ) throws -> [UInt8]? {
    let (source, target) = (program.tensors[from], program.tensors[to])
    guard source.type == target.type else {
      throw PackError(
        .malformed, "\(node.origin): it cannot move \(source.type) elements to \(target.type)")
    }
    if source.scale == target.scale && source.zeroPoint == target.zeroPoint && activation == .none {
      return nil
    }
    return requantizationTable(
      from: try quantized(from, node), to: try quantized(to, node), activation)
  }

  // MARK: Copies

  /// A copy of a whole tensor into another of as many elements.
  func addCopy(
    from: Program.TensorIndex, to: Program.TensorIndex, table: [UInt8]? = nil, origin: String
  ) {
    let count = program.tensors[from].elementCount
    addCopy(
      from: from, to: to, loops: LoopNest(extents: [count], strides: [[1], [1]]), table: table,
      origin: origin)
  }

  /// - Parameter loops: strides of the source, then of the destination.
  private func addCopy(
    from: Program.TensorIndex, to: Program.TensorIndex, loops: LoopNest, sourceOffset: Int = 0,
    destinationOffset: Int = 0, fill: Int32? = nil, table: [UInt8]? = nil, origin: String
  ) {
    // At most six loops go in, so at most six come out.
    let loops = loops.collapsed(toRank: Limits.maximumRank) ?? loops
    var parameters = CopyParameters()
    for dimension in 0..<Limits.maximumRank {
      parameters.dims[dimension] = UInt32(loops.extents[dimension])
      parameters.sourceStrides[dimension] = Int32(loops.strides[0][dimension])
      parameters.destinationStrides[dimension] = UInt32(loops.strides[1][dimension])
    }
    parameters.sourceOffset = UInt32(sourceOffset)
    parameters.destinationOffset = UInt32(destinationOffset)
    var step = Program.Step(.copy, origin: origin)
    step.operands = [Operands.input: from, Operands.output: to]
    if let fill {
      step.variant = CopyVariant.filled.rawValue
      parameters.fill = fill
    }
    if let table { step.operands[Operands.weights] = addTableConstant(table, origin) }
    step.parameters = littleEndianBytes(parameters)
    step.units = loops.extents.dropLast().reduce(1, *)
    program.steps.append(step)
  }

  // MARK: Transpose

  func lowerTranspose(_ node: Node, permutation: [Int]) throws {
    let inputIndex = try input(node, 0)
    let shape = program.tensors[inputIndex].shape
    let output = graph.tensors[node.outputs[0]].shape
    guard permutation.sorted() == Array(shape.indices), output == permutation.map({ shape[$0] }) else {
      throw PackError(
        .malformed, "\(node.origin): permutation \(permutation) of \(shape) does not give \(output)")
    }
    let moved = permutation.filter { shape[$0] != 1 }
    if moved == moved.sorted() {
      return try bindView(node, of: inputIndex, shape: output, offset: 0)
    }
    let target = try makeOutput(node)
    let strides = rowMajorStrides(shape)
    addCopy(
      from: inputIndex, to: target,
      loops: LoopNest(
        extents: output, strides: [permutation.map { strides[$0] }, rowMajorStrides(output)]),
      table: try codeTable(node, inputIndex, target), origin: node.origin)
  }

  // MARK: Slice

  func lowerSlice(_ node: Node, starts: [Int], strides: [Int]) throws {
    let inputIndex = try input(node, 0)
    let shape = program.tensors[inputIndex].shape
    let extents = graph.tensors[node.outputs[0]].shape
    guard extents.count == shape.count, starts.count == shape.count, strides.count == shape.count,
      shape.indices.allSatisfy({ d in
        let last = starts[d] + (extents[d] - 1) * strides[d]
        return (0..<shape[d]).contains(starts[d]) && (0..<shape[d]).contains(last)
      })
    else {
      throw PackError(
        .malformed, "\(node.origin): slice at \(starts) by \(strides) of \(shape) does not give \(extents)")
    }
    let own = rowMajorStrides(shape)
    let offset = zip(starts, own).reduce(0) { $0 + $1.0 * $1.1 }
    // Contiguous: full extents behind the first dimension that is cut, one round before it.
    let cut = shape.indices.first { extents[$0] != 1 } ?? 0
    let isContiguous =
      strides.indices.allSatisfy { extents[$0] == 1 || strides[$0] == 1 }
      && shape.indices.dropFirst(cut + 1).allSatisfy { extents[$0] == shape[$0] }
    if isContiguous { return try bindView(node, of: inputIndex, shape: extents, offset: offset) }
    let target = try makeOutput(node)
    addCopy(
      from: inputIndex, to: target,
      loops: LoopNest(
        extents: extents, strides: [zip(own, strides).map { $0 * $1 }, rowMajorStrides(extents)]),
      sourceOffset: offset, table: try codeTable(node, inputIndex, target), origin: node.origin)
  }

  // MARK: Concatenation

  func lowerConcatenation(_ node: Node, axis: Int, _ activation: Activation) throws {
    let parts = try node.inputs.indices.map { try input(node, $0) }
    let target = try makeOutput(node)
    let output = program.tensors[target].shape
    let shapes = parts.map { program.tensors[$0].shape }
    guard output.indices.contains(axis), shapes.allSatisfy({ $0.count == output.count }),
      shapes.reduce(0, { $0 + $1[axis] }) == output[axis],
      shapes.allSatisfy({ shape in shape.indices.allSatisfy { $0 == axis || shape[$0] == output[$0] } })
    else {
      throw PackError(
        .malformed, "\(node.origin): joining \(shapes) along dimension \(axis) does not give \(output)")
    }
    let strides = rowMajorStrides(output)
    let isOuter = output[..<axis].allSatisfy { $0 == 1 }
    var position = 0
    for part in parts {
      let shape = program.tensors[part].shape
      let offset = position * strides[axis]
      let table = try codeTable(node, part, target, activation)
      if !(isOuter && table == nil && place(part, in: target, at: offset)) {
        addCopy(
          from: part, to: target,
          loops: LoopNest(extents: shape, strides: [rowMajorStrides(shape), strides]),
          destinationOffset: offset, table: table, origin: node.origin)
      }
      position += shape[axis]
    }
  }

  /// Lets a tensor be computed where it is needed: inside another. False where its memory is
  /// already part of something else.
  private func place(
    _ part: Program.TensorIndex, in target: Program.TensorIndex, at offset: Int
  ) -> Bool {
    let tensor = program.tensors[part]
    let bytes = offset * Int(tensor.type.bits) / 8
    guard case .buffer(let child, 0) = tensor.storage, case .buffer(let parent, 0) = program.tensors[target].storage,
      child != parent, program.buffers[child].parent == nil, program.buffers[parent].parent == nil,
      program.buffers[child].bytes == tensor.byteCount, bytes % Int(Limits.tensorAlignment) == 0
    else { return false }
    program.merge(child, into: parent, at: bytes)
    return true
  }

  // MARK: Pad

  func lowerPad(
    _ node: Node, before: [Int], after: [Int], value: Double?, _ mode: PadMode
  ) throws {
    let inputIndex = try input(node, 0)
    let shape = program.tensors[inputIndex].shape
    let target = try makeOutput(node)
    let output = program.tensors[target].shape
    guard before.count == shape.count, after.count == shape.count, output.count == shape.count,
      shape.indices.allSatisfy({ before[$0] >= 0 && after[$0] >= 0 && before[$0] + shape[$0] + after[$0] == output[$0] })
    else {
      throw PackError(
        .malformed, "\(node.origin): padding \(shape) by \(before) and \(after) does not give \(output)")
    }
    let table = try codeTable(node, inputIndex, target)
    let (own, strides) = (rowMajorStrides(shape), rowMajorStrides(output))
    if mode == .constant {
      let tensor = program.tensors[target]
      let code = (tensor.scale.map { ((value ?? 0) / $0).rounded() } ?? value ?? 0) + Double(tensor.zeroPoint)
      let half = Double(sign: .plus, exponent: Int(tensor.type.bits) - 1, significand: 1)
      addCopy(
        from: inputIndex, to: target, loops: LoopNest(extents: shape, strides: [own, strides]),
        destinationOffset: zip(before, strides).reduce(0) { $0 + $1.0 * $1.1 },
        fill: Int32(min(max(code, -half), half - 1)), table: table, origin: node.origin)
      return
    }
    // Each dimension has up to three regions: mirrored before, the input itself, mirrored behind.
    let skip = mode == .reflect ? 1 : 0
    guard shape.indices.allSatisfy({ max(before[$0], after[$0]) <= shape[$0] - skip }) else {
      throw PackError(.malformed, "\(node.origin): mirror padding is wider than the tensor \(shape)")
    }
    typealias Region = (source: Int, step: Int, target: Int, extent: Int)
    var boxes: [[Region]] = [[]]
    for d in shape.indices {
      let regions: [Region] = [
        (before[d] - 1 + skip, -1, 0, before[d]), (0, 1, before[d], shape[d]),
        (shape[d] - 1 - skip, -1, before[d] + shape[d], after[d]),
      ].filter { $0.3 > 0 }
      boxes = boxes.flatMap { box in regions.map { box + [$0] } }
    }
    for box in boxes {
      addCopy(
        from: inputIndex, to: target,
        loops: LoopNest(
          extents: box.map(\.extent),
          strides: [zip(box, own).map { $0.step * $1 }, strides]),
        sourceOffset: zip(box, own).reduce(0) { $0 + $1.0.source * $1.1 },
        destinationOffset: zip(box, strides).reduce(0) { $0 + $1.0.target * $1.1 }, table: table,
        origin: node.origin)
    }
  }

  // MARK: Gather

  func lowerGather(_ node: Node, axis: Int, batchDimensions: Int) throws {
    if try lowerEmbedding(node, axis: axis) { return }
    let inputIndex = try input(node, 0)
    let indicesIndex = try input(node, 1)
    let (data, indices) = (program.tensors[inputIndex], program.tensors[indicesIndex])
    let target = try makeOutput(node)
    guard indices.type == .int32 else {
      throw PackError(
        .unsupported, "\(node.origin): indices \"\(indices.name)\" are \(indices.type), expected int32")
    }
    guard data.shape.indices.contains(axis), (0...min(axis, indices.shape.count)).contains(batchDimensions),
      try codeTable(node, inputIndex, target) == nil
    else {
      throw PackError(
        .unsupported, "\(node.origin): gather along dimension \(axis) of \(data.shape) that changes scale")
    }
    if let constant = try? source(node, 1), constant.isConstant {
      for index in try constant.integers() where !(0..<data.shape[axis]).contains(index) {
        throw PackError(
          .malformed, "\(node.origin): index \(index) lies outside dimension \(axis) of \(data.shape)")
      }
    }
    func extent(_ shape: ArraySlice<Int>) -> Int { shape.reduce(1, *) }
    guard indices.shape[..<batchDimensions] == data.shape[..<batchDimensions],
      extent(data.shape[..<axis]) * extent(indices.shape[batchDimensions...])
        * extent(data.shape[(axis + 1)...]) == program.tensors[target].elementCount
    else {
      throw PackError(
        .malformed,
        "\(node.origin): \(indices.shape) indices along dimension \(axis) of \(data.shape) do not give "
          + "\(program.tensors[target].shape)")
    }
    let parameters = GatherParameters(
      batch: UInt32(extent(data.shape[..<batchDimensions])),
      outer: UInt32(extent(data.shape[batchDimensions..<axis])), axis: UInt32(data.shape[axis]),
      indices: UInt32(extent(indices.shape[batchDimensions...])),
      inner: UInt32(extent(data.shape[(axis + 1)...])))
    var step = Program.Step(.gather, origin: node.origin)
    step.operands = [
      Operands.input: inputIndex, Operands.second: indicesIndex, Operands.output: target,
    ]
    step.parameters = littleEndianBytes(parameters)
    step.units = Int(parameters.batch * parameters.outer)
    program.steps.append(step)
  }
}

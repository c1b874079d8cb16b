// Operations that only move elements.

extension FloatKernelBuilder {
  func reshape() throws -> FloatKernel {
    let input = try shape(0)
    try expectOutput(input.reduce(1, *) == output.elementCount, from: input)
    return { inputs in inputs[0] }
  }

  func transpose(_ permutation: [Int]) throws -> FloatKernel {
    let input = try shape(0)
    guard permutation.sorted() == Array(input.indices), output.shape == permutation.map({ input[$0] })
    else { throw malformed("permutation \(permutation) of \(input) does not give \(output.shape)") }
    let strides = rowMajorStrides(input)
    return gathering(strides: permutation.map { strides[$0] }, start: 0)
  }

  func slice(starts: [Int], strides: [Int]) throws -> FloatKernel {
    let (input, result) = (try shape(0), output.shape)
    guard [result.count, starts.count, strides.count].allSatisfy({ $0 == input.count }),
      input.indices.allSatisfy({ dimension in
        let (span, overflow) = strides[dimension].multipliedReportingOverflow(by: result[dimension] - 1)
        let (last, past) = starts[dimension].addingReportingOverflow(span)
        return !overflow && !past && (0..<input[dimension]).contains(starts[dimension])
          && (0..<input[dimension]).contains(last)
      })
    else { throw malformed("slice at \(starts) by \(strides) of \(input) does not give \(result)") }
    let own = rowMajorStrides(input)
    return gathering(
      // A stride that is never taken may be anything.
      strides: input.indices.map { result[$0] == 1 ? 0 : own[$0] * strides[$0] },
      start: zip(starts, own).reduce(0) { $0 + $1.0 * $1.1 })
  }

  /// Elements of the input in the output's order, `strides` apart from `start` on.
  private func gathering(strides: [Int], start: Int) -> FloatKernel {
    let count = output.elementCount
    let loops = LoopNest(extents: output.shape, strides: [strides, rowMajorStrides(output.shape)])
      .collapsed
    return { inputs in
      [Float](count: count) { target in
        inputs[0].withUnsafeBufferPointer { move(loops, from: $0.baseAddress! + start, to: target) }
      }
    }
  }

  func concatenation(axis: Int, _ activation: Activation) throws -> FloatKernel {
    let shapes = try node.inputs.indices.map { try shape($0) }
    let result = output.shape
    guard result.indices.contains(axis), shapes.allSatisfy({ $0.count == result.count }),
      shapes.reduce(0, { $0 + $1[axis] }) == result[axis],
      shapes.allSatisfy({ shape in result.indices.allSatisfy { $0 == axis || shape[$0] == result[$0] } })
    else { throw malformed("joining \(shapes) along dimension \(axis) does not give \(result)") }
    let strides = rowMajorStrides(result)
    var start = 0
    let parts = shapes.map { shape in
      defer { start += shape[axis] * strides[axis] }
      return (start, LoopNest(extents: shape, strides: [rowMajorStrides(shape), strides]).collapsed)
    }
    let count = output.elementCount
    return { inputs in
      var values = [Float](count: count) { target in
        for (input, (start, loops)) in zip(inputs, parts) {
          input.withUnsafeBufferPointer { move(loops, from: $0.baseAddress!, to: target + start) }
        }
      }
      activation.apply(to: &values)
      return values
    }
  }

  func pad(before: [Int], after: [Int], value: Double?, _ mode: PadMode) throws -> FloatKernel {
    let (input, result) = (try shape(0), output.shape)
    // What a mirror may show at most: reflection does not repeat the outermost element.
    let reach = input.map { mode == .reflect ? $0 - 1 : $0 }
    guard [before.count, after.count, result.count].allSatisfy({ $0 == input.count }),
      input.indices.allSatisfy({ before[$0] >= 0 && before[$0] <= result[$0] - input[$0] }),
      input.indices.allSatisfy({ after[$0] == result[$0] - input[$0] - before[$0] }),
      mode == .constant || input.indices.allSatisfy({ max(before[$0], after[$0]) <= reach[$0] })
    else {
      throw malformed("padding \(input) by \(before) and \(after) (\(mode)) does not give \(result)")
    }
    let sources = sourcesOfPadded(input, before: before, result, mode)
    let fill = Float(value ?? 0)
    return { inputs in sources.map { $0 < 0 ? fill : inputs[0][Int($0)] } }
  }

  /// Which element of the input each element of the output shows; -1 for none.
  private func sourcesOfPadded(
    _ input: [Int], before: [Int], _ result: [Int], _ mode: PadMode
  ) -> [Int32] {
    let strides = rowMajorStrides(input)
    var sources: [Int32] = [0]
    for dimension in input.indices {
      let extent = input[dimension]
      let steps = (0..<result[dimension]).map { index -> Int32 in
        var position = index - before[dimension]
        if !(0..<extent).contains(position) {
          switch mode {
          case .constant: return -1
          case .reflect: position = position < 0 ? -position : 2 * extent - 2 - position
          case .symmetric: position = position < 0 ? -1 - position : 2 * extent - 1 - position
          }
        }
        return Int32(position * strides[dimension])
      }
      sources = sources.flatMap { base in steps.map { base < 0 || $0 < 0 ? -1 : base + $0 } }
    }
    return sources
  }

  func gather(axis: Int, batchDimensions: Int) throws -> FloatKernel {
    let (data, indices) = (try shape(0), try shape(1))
    guard data.indices.contains(axis), (0...min(axis, indices.count)).contains(batchDimensions),
      data[..<batchDimensions] == indices[..<batchDimensions]
    else {
      throw malformed("\(indices) indices along dimension \(axis) of \(data), \(batchDimensions) in batches")
    }
    let batches = data[..<batchDimensions].reduce(1, *)
    let outer = data[batchDimensions..<axis].reduce(1, *)
    let inner = data[(axis + 1)...].reduce(1, *)
    let picks = indices[batchDimensions...].reduce(1, *)
    let count = output.elementCount
    let (wanted, overflow) = (batches * outer * inner).multipliedReportingOverflow(by: picks)
    try expectOutput(!overflow && wanted == count, from: data, indices)
    let (extent, origin) = (data[axis], node.origin)
    return { inputs in
      let rows = try inputs[1].map { index -> Int in
        guard let row = Int(exactly: index), (0..<extent).contains(row) else {
          throw PackError(
            .file, "\(origin): index \(index) lies outside dimension \(axis) of \(data)")
        }
        return row
      }
      return [Float](count: count) { target in
        inputs[0].withUnsafeBufferPointer { values in
          var place = target
          for slab in 0..<batches * outer {
            let batch = slab / outer
            for row in rows[batch * picks..<(batch + 1) * picks] {
              place.update(from: values.baseAddress! + (slab * extent + row) * inner, count: inner)
              place += inner
            }
          }
        }
      }
    }
  }
}

/// Copies elements as the loops say: their first strides are the source's, their second the target's.
private func move(
  _ loops: LoopNest, from source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>
) {
  let length = loops.extents.last ?? 1
  let (from, to) = (loops.strides[0].last ?? 0, loops.strides[1].last ?? 0)
  loops.forEachRow { offsets in
    let (source, target) = (source + offsets[0], target + offsets[1])
    if from == 1 && to == 1 {
      target.update(from: source, count: length)
    } else {
      for index in 0..<length { target[index &* to] = source[index &* from] }
    }
  }
}

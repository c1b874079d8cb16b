// Translation of operators that take a part of a tensor.

extension TFLiteTranslator {
  /// Emits the slice of `input` that takes `runs`, with the shape that the output has by now.
  private mutating func emitSlice(_ runs: [StridedRun], of input: Graph.TensorID, output: Int = 0) throws {
    let operation = Operation.slice(starts: runs.map(\.start), strides: runs.map(\.stride))
    let shape = runs.map(\.count)
    if shape == outputTensor(output).shape { return emit(operation, [input], output: output) }
    let part = try intermediate("part \(output)", like: input, shape: shape)
    emit(operation, [input], part)
    emit(.reshape, [part], output: output)
  }

  private func whole(_ shape: [Int]) -> [StridedRun] { shape.map(StridedRun.whole) }

  mutating func slice() throws {
    try expect(inputs: 3...3)
    try requireSameType()
    let input = try shape(0)
    let begins = try integers(1, "the list of begins", count: input.count)
    let sizes = try integers(2, "the list of sizes", count: input.count)
    let runs = try input.indices.map { axis in
      let count = sizes[axis] == -1 ? input[axis] - begins[axis] : sizes[axis]
      guard begins[axis] >= 0, count >= 0, begins[axis] + count <= input[axis] else {
        throw PackError(
          .malformed,
          "elements \(begins[axis])..<\(begins[axis] + count) exceed dimension \(axis) of \(input)")
      }
      return StridedRun(start: begins[axis], count: count)
    }
    try settle(runs.map(\.count))
    try emitSlice(runs, of: id(0))
  }

  mutating func reverse() throws {
    try expect(inputs: 2...2)
    try requireSameType()
    let input = try shape(0)
    var runs = whole(input)
    for axis in try integers(1, "the list of axes") {
      let axis = try Shapes.resolve(axis: axis, rank: input.count)
      runs[axis] = StridedRun(start: input[axis] - 1, stride: -1, count: input[axis])
    }
    try settle(input)
    try emitSlice(runs, of: id(0))
  }

  mutating func split() throws {
    try expect(inputs: 2...2, outputs: max(1, outputCount))
    let input = try shape(1)
    let axis = try Shapes.resolve(axis: integers(0, "the axis", count: 1)[0], rank: input.count)
    guard input[axis] % outputCount == 0 else {
      throw PackError(.malformed, "an extent of \(input[axis]) does not divide into \(outputCount) parts")
    }
    let size = input[axis] / outputCount
    try emitParts(of: 1, axis, Array(repeating: size, count: outputCount))
  }

  mutating func splitBySizes() throws {
    try expect(inputs: 3...3, outputs: max(1, outputCount))
    let input = try shape(0)
    var sizes = try integers(1, "the list of sizes", count: outputCount)
    let axis = try Shapes.resolve(axis: integers(2, "the axis", count: 1)[0], rank: input.count)
    if let open = sizes.firstIndex(of: -1) { sizes[open] = input[axis] - (sizes.reduce(0, +) + 1) }
    guard sizes.allSatisfy({ $0 > 0 }), sizes.reduce(0, +) == input[axis] else {
      throw PackError(.malformed, "parts of \(sizes) do not make up an extent of \(input[axis])")
    }
    try emitParts(of: 0, axis, sizes)
  }

  private mutating func emitParts(of input: Int, _ axis: Int, _ sizes: [Int]) throws {
    try requireSameType(input)
    var runs = whole(try shape(input))
    var start = 0
    for (output, size) in sizes.enumerated() {
      runs[axis] = StridedRun(start: start, count: size)
      start += size
      try settle(runs.map(\.count), output: output)
      try emitSlice(runs, of: id(input), output: output)
    }
  }

  mutating func unpack() throws {
    try expect(inputs: 1...1, outputs: max(1, outputCount))
    try requireSameType()
    let options = try site.op.options(.unpack)
    let input = try shape(0)
    let axis = try Shapes.resolve(axis: options.int(1), rank: input.count)
    guard input[axis] == outputCount else {
      throw PackError(.malformed, "an extent of \(input[axis]) needs as many outputs, has \(outputCount)")
    }
    var runs = whole(input)
    for output in 0..<outputCount {
      runs[axis] = StridedRun(start: output, count: 1)
      try settle(Array(input[..<axis] + input[(axis + 1)...]), output: output)
      try emitSlice(runs, of: id(0), output: output)
    }
  }

  mutating func stridedSlice() throws {
    try expect(inputs: 4...4)
    try requireSameType()
    let options = try site.op.options(.stridedSlice)
    let input = try shape(0)
    let begins = try integers(1, "the list of begins")
    let ends = try integers(2, "the list of ends", count: begins.count)
    let strides = try integers(3, "the list of strides", count: begins.count)
    let endsAreRelative = try options.flag(5)
    func mask(_ field: Int) throws -> (Int) -> Bool {
      let bits = try options.int(field)
      return { $0 < 32 && bits >> $0 & 1 != 0 }
    }
    let (opensBegin, opensEnd, isEllipsis, addsAxis, dropsAxis) =
      try (mask(0), mask(1), mask(2), mask(3), mask(4))

    var runs: [StridedRun] = []
    var result: [Int] = []
    func takeWhole(_ count: Int) throws {
      guard runs.count + count <= input.count, count >= 0 else {
        throw PackError(.malformed, "more dimensions are sliced than \(input) has")
      }
      for axis in runs.count..<runs.count + count {
        runs.append(StridedRun(start: 0, count: input[axis]))
        result.append(input[axis])
      }
    }
    // What the entries behind an ellipsis take of the input.
    let taken = begins.indices.filter { !isEllipsis($0) && !addsAxis($0) }.count
    var hasEllipsis = false
    for entry in begins.indices {
      if isEllipsis(entry) {
        guard !hasEllipsis else { throw PackError(.malformed, "has more than one ellipsis") }
        hasEllipsis = true
        try takeWhole(input.count - taken)
      } else if addsAxis(entry) {
        result.append(1)
      } else {
        guard runs.count < input.count else {
          throw PackError(.malformed, "more dimensions are sliced than \(input) has")
        }
        let extent = input[runs.count]
        if dropsAxis(entry) {
          let start = begins[entry] < 0 ? begins[entry] + extent : begins[entry]
          guard (0..<extent).contains(start), strides[entry] > 0 else {
            throw PackError(
              .malformed,
              "index \(begins[entry]) of an extent of \(extent) does not exist, or its stride is not positive"
            )
          }
          runs.append(StridedRun(start: start, count: 1))
        } else {
          let run = try StridedRun.python(
            over: extent, opensBegin(entry) ? nil : begins[entry], opensEnd(entry) ? nil : ends[entry],
            strides[entry], endIsRelative: endsAreRelative)
          runs.append(run)
          result.append(run.count)
        }
      }
    }
    try takeWhole(input.count - runs.count)
    try settle(result)
    try emitSlice(runs, of: id(0))
  }
}

import AbacusFormat

/// The values of an attention, and where weighted sums of them go.
struct AttentionValues {
  /// Elements of one value.
  let depth: Int
  private let elements: Elements<Int8>
  /// Elements from one value to the next of the same head.
  private let stride: Int
  private let output: WideOutput
  private let stage: OutputStage

  @inline(__always)
  init(_ call: Invocation, _ p: AttentionParameters) {
    elements = call.elements(Operands.values)
    depth = Int(truncatingIfNeeded: p.valueDepth)
    stride = depth &* Int(truncatingIfNeeded: p.keyValueHeads)
    output = WideOutput(call)
    stage = p.stage
  }

  /// Values of one head from `key` on.
  @inline(__always)
  private func rows(head: Int, from key: Int) -> Elements<Int8> {
    elements.dropping(key &* stride &+ head &* depth)
  }

  /// Writes the weighted sums of the first `count` values of a head.
  @inline(never)
  func writeSums(
    _ weights: Elements<Int16>, _ count: Int, head: Int, _ scale: DyadicMultiplier, at target: Int
  ) {
    let rows = rows(head: head, from: 0)
    var column = 0
    while column < depth {
      let columns = min(4, depth &- column)
      let sums = weightedSums(weights, count, rows.dropping(column), columns, stride: stride)
      if columns == 4 && scale.shift > 32 && output.isNarrow {
        writeFour(sums, scale, at: target &+ column)
      } else {
        for i in 0..<columns { write(sums[i], scale, at: target &+ column &+ i) }
      }
      column = column &+ 4
    }
  }

  /// Adds the weighted sums of `count` values from `key` on to `sums`.
  @inline(never)
  func addSums(
    _ weights: Elements<Int16>, _ count: Int, head: Int, from key: Int, to sums: MutableElements<Int32>
  ) {
    let rows = rows(head: head, from: key)
    var column = 0
    while column < depth {
      let columns = min(4, depth &- column)
      let more = weightedSums(weights, count, rows.dropping(column), columns, stride: stride)
      add(more, columns, to: sums.dropping(column))
      column = column &+ 4
    }
  }

  /// Adds the first of four numbers, one by one: as a loop, compilers move lanes through registers for floats.
  @inline(__always)
  private func add(_ more: SIMD4<Int32>, _ count: Int, to sums: MutableElements<Int32>) {
    sums[0] = sums[0] &+ more[0]
    if count > 1 { sums[1] = sums[1] &+ more[1] }
    if count > 2 { sums[2] = sums[2] &+ more[2] }
    if count > 3 { sums[3] = sums[3] &+ more[3] }
  }

  /// Writes four elements of 8 bits.
  @inline(__always)
  private func writeFour(_ sums: SIMD4<Int32>, _ scale: DyadicMultiplier, at index: Int) {
    for i in 0..<4 {
      let value = stage.applyHigh(sums[i], multiplier: scale.multiplier, shift: scale.shift)
      output.store(byte: value, at: index &+ i)
    }
  }

  /// Writes one element of the output.
  @inline(__always)
  func write(_ sum: Int32, _ scale: DyadicMultiplier, at index: Int) {
    output.store(stage.apply(sum, multiplier: scale.multiplier, shift: scale.shift), at: index)
  }
}


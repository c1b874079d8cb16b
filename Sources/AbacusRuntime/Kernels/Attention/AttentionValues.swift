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
    _ weights: MutableElements<Int32>, _ count: Int, head: Int, _ scale: DyadicMultiplier, at target: Int
  ) {
    let rows = rows(head: head, from: 0)
    var column = 0
    while column &+ 4 <= depth {
      let sums = fourWeightedSums(weights.readOnly, count, rows.dropping(column), stride: stride)
      for i in 0..<4 { write(sums[i], scale, at: target &+ column &+ i) }
      column = column &+ 4
    }
    while column < depth {
      let sum = weightedSum(weights.readOnly, count, rows.dropping(column), stride: stride)
      write(sum, scale, at: target &+ column)
      column = column &+ 1
    }
  }

  /// Adds the weighted sums of `count` values from `key` on to `sums`.
  @inline(never)
  func addSums(
    _ weights: MutableElements<Int32>, _ count: Int, head: Int, from key: Int, to sums: MutableElements<Int32>
  ) {
    let rows = rows(head: head, from: key)
    for column in 0..<depth {
      sums[column] = sums[column] &+ weightedSum(weights.readOnly, count, rows.dropping(column), stride: stride)
    }
  }

  /// Writes one element of the output.
  @inline(__always)
  func write(_ sum: Int32, _ scale: DyadicMultiplier, at index: Int) {
    output.store(stage.apply(sum, multiplier: scale.multiplier, shift: scale.shift), at: index)
  }
}

/// `sum_j weights[j] * column[j * stride]`.
@inline(never)
private func weightedSum(_ weights: Elements<Int32>, _ count: Int, _ column: Elements<Int8>, stride: Int) -> Int32 {
  var sum: Int32 = 0
  var index = 0
  for j in 0..<count {
    sum = sum &+ weights[j] &* Int32(column[index])
    index = index &+ stride
  }
  return sum
}

/// The same for four neighbouring columns.
@inline(never)
private func fourWeightedSums(
  _ weights: Elements<Int32>, _ count: Int, _ columns: Elements<Int8>, stride: Int
) -> SIMD4<Int32> {
  var sums = SIMD4<Int32>(repeating: 0)
  var index = 0
  for j in 0..<count {
    let weight = weights[j]
    sums[0] = sums[0] &+ weight &* Int32(columns[index])
    sums[1] = sums[1] &+ weight &* Int32(columns[index &+ 1])
    sums[2] = sums[2] &+ weight &* Int32(columns[index &+ 2])
    sums[3] = sums[3] &+ weight &* Int32(columns[index &+ 3])
    index = index &+ stride
  }
  return sums
}

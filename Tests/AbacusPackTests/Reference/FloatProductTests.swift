import Testing

@testable import AbacusPack

@Suite struct FloatProductTests {
  /// Every remainder of tiles and lanes, with rows further apart than they are long.
  @Test func rowProducts() {
    var generator = SeededGenerator(state: 1)
    for rows in 1...7 {
      for columns in 1...7 {
        for depth in 1...9 {
          let product = RowProduct(
            rows: rows, columns: columns, depth: depth, strideA: depth + 2, strideB: depth + 1,
            strideC: columns + 3)
          let a = (0..<rows * product.strideA).map { _ in Float.random(in: -1...1, using: &generator) }
          let b = (0..<columns * product.strideB).map { _ in Float.random(in: -1...1, using: &generator) }
          var c = [Float](repeating: -100, count: rows * product.strideC)
          product.run(a, b, into: &c)
          for row in 0..<rows {
            for column in 0..<columns {
              let sum = (0..<depth).reduce(0.0) {
                $0 + Double(a[row * product.strideA + $1]) * Double(b[column * product.strideB + $1])
              }
              let value = Double(c[row * product.strideC + column])
              #expect(abs(value - sum) < 1e-5, "\(rows) x \(columns) x \(depth) at \(row), \(column)")
            }
            #expect(c[row * product.strideC + columns] == -100, "written past the end of row \(row)")
          }
        }
      }
    }
  }

  /// More rows than are kept near at a time.
  @Test func longRowProduct() {
    let (rows, columns, depth) = (50, 4, 4099)
    let a = (0..<rows * depth).map { Float($0 % 7 - 3) }
    let b = (0..<columns * depth).map { Float($0 % 5 - 2) }
    var c = [Float](repeating: 0, count: rows * columns)
    RowProduct(
      rows: rows, columns: columns, depth: depth, strideA: depth, strideB: depth, strideC: columns
    ).run(a, b, into: &c)
    for row in 0..<rows {
      for column in 0..<columns {
        let sum = (0..<depth).reduce(0) {
          $0 + ((row * depth + $1) % 7 - 3) * ((column * depth + $1) % 5 - 2)
        }
        // Whole numbers of this size are exact.
        #expect(c[row * columns + column] == Float(sum))
      }
    }
  }

  @Test func transposes() {
    let (rows, columns, stride) = (19, 35, 40)
    let source = (0..<rows * stride).map(Float.init)
    var target = [Float](repeating: 0, count: rows * columns)
    transposeMatrix(source, rows: rows, columns: columns, stride: stride, into: &target)
    for row in 0..<rows {
      for column in 0..<columns { #expect(target[column * rows + row] == Float(row * stride + column)) }
    }
  }

  @Test(arguments: 0..<40) func fullyConnected(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let rows = test.shape(test.random(0...3))
    let (depth, channels) = (test.random(1...20), test.random(1...9))
    test.input(rows + [depth])
    test.either([channels, depth])
    if test.flip() { test.constant([channels]) } else { test.nothing() }
    let activations: [Activation] = [.none, .relu, .relu6, .reluN1To1]
    try test.check(.fullyConnected(activations[seed % 4]), rows + [channels], tolerance: 1e-5)
  }

  @Test(arguments: 0..<60) func matrixMultiply(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let batch = test.shape(test.random(0...3), 1...3)
    let (rows, columns, depth) = (test.random(1...6), test.random(1...6), test.random(1...9))
    let (transposeA, transposeB) = (test.flip(), test.flip())
    let (batchA, batchB) = test.flip() ? (test.narrowed(batch), batch) : (batch, test.narrowed(batch))
    test.either(batchA + (transposeA ? [depth, rows] : [rows, depth]))
    test.either(batchB + (transposeB ? [columns, depth] : [depth, columns]))
    try test.check(
      .matrixMultiply(transposeA: transposeA, transposeB: transposeB), batch + [rows, columns],
      tolerance: 1e-5)
  }

  @Test(arguments: 0..<80) func convolution(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let (window, input, output) = test.randomWindow()
    let groups = test.random(1...3)
    let (depth, channels) = (test.random(1...3), test.random(1...3) * groups)
    test.input(input + [depth * groups])
    test.either([channels] + window.size + [depth])
    if test.flip() { test.constant([channels]) }
    try test.check(
      .convolution(window, groups: groups, test.flip() ? .relu : .none), output + [channels], tolerance: 1e-5)
  }

  /// A window of one element takes a way of its own, and blocks of positions have an edge.
  @Test func convolutionOfManyPositions() throws {
    for size in [1, 3] {
      var test = FloatCase(seed: size)
      test.input([2, 20, 31, 16])
      test.constant([5, size, size, 16], in: -0.2...0.2)
      let window = WindowAttributes(
        size: [size, size], padBefore: [size / 2, size / 2], padAfter: [size / 2, size / 2])
      try test.check(.convolution(window, groups: 1, .none), [2, 20, 31, 5], tolerance: 1e-5)
    }
  }

  @Test(arguments: 0..<60) func depthwiseConvolution(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let (window, input, output) = test.randomWindow()
    let (depth, multiplier) = (test.random(1...4), test.random(1...3))
    let channels = depth * multiplier
    test.input(input + [depth])
    test.either([1] + window.size + [channels])
    if test.flip() { test.constant([channels]) }
    try test.check(
      .depthwiseConvolution(window, multiplier: multiplier, test.flip() ? .relu6 : .none),
      output + [channels], tolerance: 1e-5)
  }
}

extension FloatCase {
  /// A window with the batch, height and width of an input that it fits and of its output.
  mutating func randomWindow(dilated: Bool = true) -> (WindowAttributes, input: [Int], output: [Int]) {
    let window = WindowAttributes(
      size: shape(2, 1...3), strides: shape(2, 1...3), dilations: dilated ? shape(2, 1...2) : [1, 1],
      padBefore: shape(2, 0...2), padAfter: shape(2, 0...2))
    let input = [random(1...2)] + shape(2, 5...8)
    let extents = (0..<2).map { axis in
      let covered = (window.size[axis] - 1) * window.dilations[axis] + 1
      return (input[axis + 1] + window.padBefore[axis] + window.padAfter[axis] - covered)
        / window.strides[axis] + 1
    }
    return (window, input, [input[0]] + extents)
  }
}

import AbacusFormat
import Testing

@testable import AbacusPack

/// Two small blobs that between them use every operator.
enum SmallModels {
  static let all: [[UInt8]] = [try! products(), try! movements()]

  /// Convolutions, pools, a dense layer, softmax.
  private static func products() throws -> [UInt8] {
    var test = TestGraph(seed: 1)
    let weights = Quantization(scale: 0.02, zeroPoint: 0)
    func window(_ size: Int, stride: Int = 1, pad: Int = 0) -> WindowAttributes {
      WindowAttributes(
        size: [size, size], strides: [stride, stride], padBefore: [pad, pad], padAfter: [pad, pad])
    }
    let x = test.input([1, 6, 6, 2])
    let w1 = test.constant([4, 3, 3, 2], weights)
    let a = test.add(.convolution(window(3, pad: 1), groups: 1, .relu), [x, w1, nil], [1, 6, 6, 4], scale: 0.1)
    let w2 = test.constant([1, 3, 3, 4], weights)
    let b = test.add(
      .depthwiseConvolution(window(3, pad: 1), multiplier: 1, .none), [a, w2, nil], [1, 6, 6, 4], scale: 0.1)
    let c = test.add(.pool(.max, window(2, stride: 2), .none), [b], [1, 3, 3, 4], scale: 0.1)
    let d = test.add(.pool(.average, window(3), .none), [c], [1, 1, 1, 4], scale: 0.1)
    let e = test.add(.reshape, [d], [1, 4], scale: 0.1)
    let w3 = test.constant([5, 4], weights)
    let f = test.add(.fullyConnected(.none), [e, w3, nil], [1, 5], scale: 0.05)
    test.output(.softmax(beta: 1), [f], [1, 5], scale: 1.0 / 256, zeroPoint: -128)
    return try Packer.pack(test.graph).blob
  }

  /// Products of run-time matrices, broadcasting, reductions, copies, gathers, tables.
  private static func movements() throws -> [UInt8] {
    var test = TestGraph(seed: 2)
    let x = test.input([2, 3, 4], scale: 0.05, zeroPoint: 1)
    let y = test.input([1, 3, 4], scale: 0.04, zeroPoint: 0)
    let a = test.add(.transpose(permutation: [0, 2, 1]), [x], [2, 4, 3], scale: 0.05, zeroPoint: 1)
    let b = test.add(.matrixMultiply(transposeA: false, transposeB: false), [a, y], [2, 4, 4], scale: 0.1)
    let c = test.add(.binary(.add, .none), [b, b], [2, 4, 4], scale: 0.2)
    let d = test.add(.binary(.multiply, .none), [x, y], [2, 3, 4], scale: 0.1)
    let e = test.add(.binary(.squaredDifference, .none), [x, y], [2, 3, 4], scale: 0.1)
    let f = test.add(.binary(.maximum, .none), [d, e], [2, 3, 4], scale: 0.1)
    let g = test.add(.binary(.minimum, .none), [f, x], [2, 3, 4], scale: 0.1)
    let slope = test.constant([1, 1, 4], Quantization(scale: 0.01, zeroPoint: 0))
    let h = test.add(.prelu, [g, slope], [2, 3, 4], scale: 0.1)
    let i = test.add(.pad(before: [0, 1, 0], after: [0, 1, 1], value: nil, .constant), [h], [2, 5, 5], scale: 0.1)
    let indices = test.constant([2], nil, codes: [3, 1], type: .int32)
    let j = test.add(.gather(axis: 1, batchDimensions: 0), [i, indices], [2, 2, 5], scale: 0.1)
    let k = test.add(.unary(.tanh), [j], [2, 2, 5], scale: 1.0 / 128)
    test.output(.reduce(.mean, axes: [0, 2]), [k], [1, 2, 1], scale: 1.0 / 128)
    test.output(.requantize, [c], [2, 4, 4], scale: 0.001, type: .int16)
    return try Packer.pack(test.graph).blob
  }

  /// Together they name every opcode, so that mutations reach every check.
  @Suite struct CoverageTests {
    @Test func everyOperatorIsThere() throws {
      let used = try Set(SmallModels.all.flatMap { try BlobDescription($0, name: "small").neededOperators })
      #expect(used.count == Int(Opcode.count))
    }
  }
}

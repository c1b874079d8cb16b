import Foundation

@testable import AbacusPack

/// What each operation means in real numbers, written without regard to speed.
enum RealReference {
  /// - Parameter inputs: real values of the node's inputs, nil where one is left out.
  static func evaluate(_ operation: AbacusPack.Operation, _ inputs: [RealTensor?], shape: [Int]) -> RealTensor {
    let x = inputs[0]!
    func second() -> RealTensor { inputs[1]! }
    switch operation {
    case .convolution(let window, let groups, let activation):
      return convolution(x, second(), bias(inputs), window, groups: groups, shape).after(activation)
    case .depthwiseConvolution(let window, let multiplier, let activation):
      return depthwise(x, second(), bias(inputs), window, multiplier, shape).after(activation)
    case .fullyConnected(let activation):
      return fullyConnected(x, second(), bias(inputs), shape).after(activation)
    case .matrixMultiply(let transposeA, let transposeB):
      return matrixMultiply(x, second(), transposeA, transposeB, shape)
    case .binary(let function, let activation):
      let b = second()
      return RealTensor(shape) { binary(function, x.broadcast(at: $0), b.broadcast(at: $0)) }
        .after(activation)
    case .prelu:
      let slope = second()
      return RealTensor(shape) { index in
        let value = x.broadcast(at: index)
        return value >= 0 ? value : value * slope.broadcast(at: index)
      }
    case .select:
      return RealTensor(shape) { index in
        (x.broadcast(at: index) != 0 ? second() : inputs[2]!).broadcast(at: index)
      }
    case .unary(let function):
      return RealTensor(shape, x.values.map { unary(function, $0) })
    case .pool(let kind, let window, let activation):
      return pool(x, kind, window, shape).after(activation)
    case .reduce(let kind, let axes):
      return reduce(x, kind, axes, shape)
    case .pad(let before, _, let value, let mode):
      return pad(x, before, value ?? 0, mode, shape)
    case .reshape, .requantize:
      return RealTensor(shape, x.values)
    case .concatenation(let axis, let activation):
      return concatenation(inputs.map { $0! }, axis, shape).after(activation)
    case .slice(let starts, let strides):
      return RealTensor(shape) { index in
        x[index.indices.map { starts[$0] + index[$0] * strides[$0] }]
      }
    case .transpose(let permutation):
      return RealTensor(shape) { index in
        var source = index
        for (dimension, from) in permutation.enumerated() { source[from] = index[dimension] }
        return x[source]
      }
    case .gather(let axis, let batchDimensions):
      return gather(x, second(), axis, batchDimensions, shape)
    case .softmax(let beta):
      return softmax(x, beta)
    case .layerNormalization(let epsilon):
      return layerNormalization(
        x, scale: inputs.count > 1 ? inputs[1] : nil, bias: bias(inputs), epsilon: epsilon)
    case .rmsNormalization(let epsilon):
      return rmsNormalization(x, scale: inputs.count > 1 ? inputs[1] : nil, epsilon: epsilon)
    case .attention(let attributes):
      return attention(
        x, second(), inputs[2]!, mask: inputs.count > 3 ? inputs[3] : nil, attributes, shape)
    case .rotary(let attributes):
      return rotary(x, cosines: second(), sines: inputs[2]!, attributes)
    case .cacheAppend:
      preconditionFailure("a cache is no function of its inputs")
    }
  }

  private static func bias(_ inputs: [RealTensor?]) -> RealTensor? { inputs.count > 2 ? inputs[2] : nil }

  private static func binary(_ function: BinaryFunction, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .squaredDifference: (a - b) * (a - b)
    case .maximum: a > b ? a : b
    case .minimum: a < b ? a : b
    case .divide: a / b
    case .power: Foundation.pow(a, b)
    }
  }

  private static func pool(_ x: RealTensor, _ kind: PoolKind, _ window: WindowAttributes, _ shape: [Int])
    -> RealTensor
  {
    RealTensor(shape) { at in
      var inside: [Double] = []
      for i in 0..<window.size[0] {
        for j in 0..<window.size[1] {
          let row = at[1] * window.strides[0] - window.padBefore[0] + i * window.dilations[0]
          let column = at[2] * window.strides[1] - window.padBefore[1] + j * window.dilations[1]
          if (0..<x.shape[1]).contains(row) && (0..<x.shape[2]).contains(column) {
            inside.append(x[[at[0], row, column, at[3]]])
          }
        }
      }
      return kind == .max ? inside.max()! : inside.reduce(0, +) / Double(inside.count)
    }
  }

  private static func reduce(_ x: RealTensor, _ kind: ReduceKind, _ axes: [Int], _ shape: [Int]) -> RealTensor {
    let kept = x.shape.indices.filter { !axes.contains($0) }
    var groups = [[Double]](repeating: [], count: shape.reduce(1, *))
    for index in RealTensor.indices(x.shape) {
      groups[kept.reduce(0) { $0 * x.shape[$1] + index[$1] }].append(x[index])
    }
    return RealTensor(
      shape,
      groups.map { group in
        switch kind {
        case .sum: group.reduce(0, +)
        case .mean: group.reduce(0, +) / Double(group.count)
        case .maximum: group.max()!
        case .minimum: group.min()!
        }
      })
  }

  private static func pad(
    _ x: RealTensor, _ before: [Int], _ value: Double, _ mode: PadMode, _ shape: [Int]
  ) -> RealTensor {
    RealTensor(shape) { index in
      var source = index.indices.map { index[$0] - before[$0] }
      for (dimension, extent) in x.shape.enumerated() where !(0..<extent).contains(source[dimension]) {
        let at = source[dimension]
        switch mode {
        case .constant: return value
        case .reflect: source[dimension] = at < 0 ? -at : 2 * (extent - 1) - at
        case .symmetric: source[dimension] = at < 0 ? -at - 1 : 2 * extent - 1 - at
        }
      }
      return x[source]
    }
  }

  private static func concatenation(_ parts: [RealTensor], _ axis: Int, _ shape: [Int]) -> RealTensor {
    RealTensor(shape) { index in
      var source = index
      for part in parts {
        if source[axis] < part.shape[axis] { return part[source] }
        source[axis] -= part.shape[axis]
      }
      return .nan
    }
  }

  private static func gather(
    _ x: RealTensor, _ indices: RealTensor, _ axis: Int, _ batchDimensions: Int, _ shape: [Int]
  ) -> RealTensor {
    let picked = indices.shape.count - batchDimensions
    return RealTensor(shape) { at in
      let pick = indices[Array(at[..<batchDimensions]) + Array(at[axis..<axis + picked])]
      let row = min(max(Int(pick), 0), x.shape[axis] - 1)
      return x[Array(at[..<axis]) + [row] + Array(at[(axis + picked)...])]
    }
  }

  private static func softmax(_ x: RealTensor, _ beta: Double) -> RealTensor {
    let length = x.shape.last!
    let values = stride(from: 0, to: x.values.count, by: length).flatMap { start -> [Double] in
      let row = x.values[start..<start + length]
      let powers = row.map { Foundation.exp(beta * ($0 - row.max()!)) }
      return powers.map { $0 / powers.reduce(0, +) }
    }
    return RealTensor(x.shape, values)
  }
}

extension RealTensor {
  func after(_ activation: Activation) -> RealTensor {
    RealTensor(
      shape,
      values.map { value in
        switch activation {
        case .none: value
        case .relu: value < 0 ? 0 : value
        case .relu6: value < 0 ? 0 : (value > 6 ? 6 : value)
        case .reluN1To1: value < -1 ? -1 : (value > 1 ? 1 : value)
        }
      })
  }
}

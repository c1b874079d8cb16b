import Foundation

@testable import AbacusPack

extension RealReference {
  /// Functions of one value, in other words than those of the packer where there are others.
  static func unary(_ function: UnaryFunction, _ x: Double) -> Double {
    switch function {
    case .relu: x < 0 ? 0 : x
    case .relu6: x < 0 ? 0 : (x > 6 ? 6 : x)
    case .reluN1To1: x < -1 ? -1 : (x > 1 ? 1 : x)
    case .relu0To1: x < 0 ? 0 : (x > 1 ? 1 : x)
    case .leakyRelu(let slope): x < 0 ? slope * x : x
    case .elu(let alpha): x < 0 ? alpha * (exp(x) - 1) : x
    case .sigmoid: 0.5 * (1 + tanh(x / 2))
    case .tanh: 1 - 2 / (exp(2 * x) + 1)
    case .hardSwish: x <= -3 ? 0 : (x >= 3 ? x : x * (x + 3) / 6)
    case .hardSigmoid: x <= -3 ? 0 : (x >= 3 ? 1 : (x + 3) / 6)
    case .silu: x * 0.5 * (1 + tanh(x / 2))
    case .softplus: log(1 + exp(x))
    case .gelu(approximate: false): x * (1 + erf(x / 2.0.squareRoot())) / 2
    case .gelu(approximate: true): x / (1 + exp(-2 * 0.7978845608028654 * (x + 0.044715 * pow(x, 3))))
    case .exp: pow(M_E, x)
    case .log: log2(x) / M_LOG2E
    case .sqrt: pow(x, 0.5)
    case .rsqrt: pow(x, -0.5)
    case .square: pow(x, 2)
    case .abs: x < 0 ? -x : x
    case .negate: 0 - x
    case .reciprocal: pow(x, -1)
    case .sine: cos(x - .pi / 2)
    case .cosine: sin(x + .pi / 2)
    case .floor: Foundation.floor(x)
    case .ceil: Foundation.ceil(x)
    case .round: rint(x)
    case .sign: x == 0 ? 0 : x / Swift.abs(x)
    case .erf: 1 - erfc(x)
    case .quickGelu: x * 0.5 * (1 + tanh(0.851 * x))
    case .clip(let low, let high): x < low ? low : (x > high ? high : x)
    }
  }

  /// Every function, with arguments where it takes them.
  static let allFunctions: [UnaryFunction] = [
    .relu, .relu6, .reluN1To1, .relu0To1, .leakyRelu(slope: 0.1), .leakyRelu(slope: 1.5), .elu(alpha: 1),
    .elu(alpha: 0.3), .sigmoid, .tanh, .hardSwish, .hardSigmoid, .silu, .softplus,
    .gelu(approximate: false), .gelu(approximate: true), .exp, .log, .sqrt, .rsqrt, .square, .abs,
    .negate, .reciprocal, .sine, .cosine, .floor, .ceil, .round, .sign, .erf, .quickGelu,
    .clip(low: -0.4, high: 1.2),
  ]
}

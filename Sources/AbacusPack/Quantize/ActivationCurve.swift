import Foundation

/// How far a gated function lies below ReLU: `f(x) = relu(x) - delta(|x|)`, on Q16 at multiples of 1/32,
/// to where it rounds to 0 (integer-semantics 5.3).
struct ActivationCurve {
  let table: [Int16]

  /// nil for functions that are not x times a symmetric distribution function of x.
  init?(_ function: UnaryFunction) {
    let upper: (Double) -> Double
    switch function {
    case .gelu(approximate: false): upper = { 0.5 * Foundation.erfc($0 / 2.0.squareRoot()) }
    case .gelu(approximate: true):
      upper = { $0 < 12 ? 1 / (1 + Foundation.exp(2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) : 0 }
    case .quickGelu: upper = { 1 / (1 + Foundation.exp(min(700, 1.702 * $0))) }
    case .silu: upper = { 1 / (1 + Foundation.exp($0)) }
    default: return nil
    }
    var values = (0...1024).map { index -> Int16 in
      let x = Double(index) / 32
      return Int16((x * upper(x) * 65_536 + 0.5).rounded(.down))
    }
    while values.count > 2, values.suffix(2) == [0, 0] { values.removeLast() }
    table = values
  }
}

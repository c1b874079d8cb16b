@testable import AbacusPack

/// How the weights of a layer are quantised.
struct WeightStyle {
  var perChannel = true
  var zeroPoint = 0
  /// Largest scale of a channel over the smallest.
  var spread = 4.0
  var hasBias = true

  /// Every style that matters once.
  static let all = [
    WeightStyle(), WeightStyle(perChannel: false), WeightStyle(hasBias: false),
    WeightStyle(perChannel: false, zeroPoint: 9), WeightStyle(zeroPoint: -70),
    WeightStyle(spread: 1e12),
  ]
}

extension TestGraph {
  /// Constant weights and bias for an input, and an output scale that spreads the results.
  ///
  /// - Parameters:
  ///   - depth: products in one sum.
  ///   - axis: dimension of the output channels in `shape`.
  mutating func weights(
    for input: Graph.TensorID, _ shape: [Int], axis: Int, depth: Int, style: WeightStyle
  ) -> (weights: Graph.TensorID, bias: Graph.TensorID?, outputScale: Double) {
    let channels = shape[axis]
    let center = 0.02
    var scales = (0..<(style.perChannel ? channels : 1)).map { _ in
      scale(center, spread: style.spread.squareRoot())
    }
    if style.spread > 1000 && scales.count > 1 {
      // So far apart that no shift serves both.
      scales[0] = center * style.spread.squareRoot()
      scales[1] = center / style.spread.squareRoot()
    }
    let weights = constant(
      shape,
      Quantization(
        scales: scales, zeroPoints: scales.map { _ in style.zeroPoint }, axis: style.perChannel ? axis : 0))
    let inputScale = graph.tensors[input].quantization!.scales[0]
    var bias: Graph.TensorID?
    if style.hasBias {
      bias = constant(
        [channels],
        Quantization(scales: scales.map { $0 * inputScale }, zeroPoints: scales.map { _ in 0 }),
        codes: (0..<channels).map { _ in random(-9000...9000) }, type: .int32)
    }
    let outputScale = inputScale * center * Double(depth).squareRoot() * 80
    return (weights, bias, outputScale)
  }
}

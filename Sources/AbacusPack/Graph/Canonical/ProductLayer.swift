/// Layers that multiply their input by constant weights, and how their weights lie.
struct ProductLayer {
  private enum Kind {
    case fullyConnected
    case convolution(WindowAttributes, groups: Int)
    case depthwise(WindowAttributes, multiplier: Int)
  }

  private let kind: Kind
  let activation: Activation

  /// nil for other operations.
  init?(_ operation: Operation) {
    switch operation {
    case .fullyConnected(let activation):
      kind = .fullyConnected
      self.activation = activation
    case .convolution(let window, let groups, let activation):
      kind = .convolution(window, groups: groups)
      self.activation = activation
    case .depthwiseConvolution(let window, let multiplier, let activation):
      kind = .depthwise(window, multiplier: multiplier)
      self.activation = activation
    default:
      return nil
    }
  }

  /// The same layer with another clamp.
  func operation(_ activation: Activation) -> Operation {
    switch kind {
    case .fullyConnected: .fullyConnected(activation)
    case .convolution(let window, let groups): .convolution(window, groups: groups, activation)
    case .depthwise(let window, let multiplier):
      .depthwiseConvolution(window, multiplier: multiplier, activation)
    }
  }

  var hasPadding: Bool {
    switch kind {
    case .fullyConnected: false
    case .convolution(let window, _), .depthwise(let window, _):
      (window.padBefore + window.padAfter).contains { $0 > 0 }
    }
  }

  /// The dimension of the weights that output channels run along.
  private var outputAxis: Int {
    if case .depthwise = kind { 3 } else { 0 }
  }

  func outputChannels(_ weights: [Int]) -> Int { weights[outputAxis] }

  /// The output channel of each weight.
  func outputChannel(of position: Int, _ weights: [Int]) -> Int {
    position / weights[(outputAxis + 1)...].reduce(1, *) % weights[outputAxis]
  }

  /// The input channel of each weight.
  func inputChannel(of position: Int, _ weights: [Int]) -> Int {
    let column = position % weights[weights.count - 1]
    switch kind {
    case .fullyConnected, .convolution(_, groups: 1): return column
    case .convolution(_, let groups):
      let rowsOfGroup = weights[0] / groups
      return outputChannel(of: position, weights) / rowsOfGroup * weights[weights.count - 1] + column
    case .depthwise(_, let multiplier): return column / multiplier
    }
  }

  /// Each output channel is computed from one input channel.
  var isDepthwise: Bool {
    if case .depthwise = kind { true } else { false }
  }

  /// The shape in which one value for each output channel broadcasts over the weights.
  func outputShape(_ weights: [Int]) -> [Int] {
    [weights[outputAxis]] + weights[(outputAxis + 1)...].map { _ in 1 }
  }

  /// One value for each input channel as one for each of the weights' last dimension; nil where that
  /// is impossible.
  func inputValues(_ values: [Float]) -> [Float]? {
    switch kind {
    case .fullyConnected, .convolution(_, groups: 1): values
    case .convolution: nil
    case .depthwise(_, let multiplier): values.flatMap { Array(repeating: $0, count: multiplier) }
    }
  }
}

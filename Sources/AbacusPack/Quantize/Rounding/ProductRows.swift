/// The rows that the weights [channels, depth] of a layer are multiplied by: those of a fully connected layer's input, or what
/// lies under the window of a convolution, [height, width, channels], with zeros for padding.
struct ProductRows: Sendable {
  let channels: Int
  let depth: Int
  /// Of one sample.
  private let count: Int
  private let taps: WindowTaps?

  /// Nil for nodes that are no such layer with constant weights; convolutions are those in one group.
  init?(_ node: Node, _ graph: Graph) {
    guard node.inputs.count > 1, let input = node.inputs[0], let id = node.inputs[1] else { return nil }
    let (weights, output) = (graph.tensors[id], graph.tensors[node.outputs[0]])
    guard weights.isConstant, weights.shape.count >= 2, weights.elementCount > 0 else { return nil }
    switch node.operation {
    case .fullyConnected: taps = nil
    case .convolution(let window, groups: 1, _):
      taps = WindowTaps(window, input: graph.tensors[input].shape, output: output.shape)
    default: return nil
    }
    channels = weights.shape[0]
    depth = weights.elementCount / channels
    count = output.elementCount / channels
  }

  /// Rows of one sample, evenly spread; which, differs from sample to sample.
  ///
  /// - Parameter limit: how many at most.
  func callAsFunction(_ input: [Float], sample: Int, limit: Int) -> [Float] {
    let step = (count - 1) / max(limit, 1) + 1
    // A step that has no divisor in common with most row lengths walks through all columns of an image.
    let chosen = stride(from: sample * 7 % step, to: count, by: step)
    guard let taps else {
      return step == 1 ? input : chosen.flatMap { input[$0 * depth..<($0 + 1) * depth] }
    }
    var rows: [Float] = []
    var inside: [WindowTaps.Tap] = []
    let pixel = taps.input[3]
    for position in chosen {
      let start = rows.count
      rows.append(contentsOf: repeatElement(0, count: depth))
      taps.taps(at: position, into: &inside)
      for tap in inside {
        rows.replaceSubrange(
          start + tap.index * pixel..<start + (tap.index + 1) * pixel, with: input[tap.pixel * pixel..<(tap.pixel + 1) * pixel])
      }
    }
    return rows
  }
}

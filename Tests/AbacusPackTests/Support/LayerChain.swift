@testable import AbacusPack

extension TestGraph {
  /// Convolutions, depthwise convolutions, pools, functions and sums one after the other over images of all
  /// proportions: results may lie over what they are made of.
  init(chainOf seed: Int) {
    self.init(seed: seed)
    var shape = [random(1...8) == 1 ? 2 : 1, random(5...14), random(2...14), pick([1, 3, 4, 8, 12, 48])]
    var last = input(shape, scale: 0.03, zeroPoint: 0)
    var known = [last]
    for _ in 0..<random(4...9) {
      switch random(0...6) {
      case 0, 1: last = addConvolution(last, &shape, size: 1)
      case 2: last = addConvolution(last, &shape, size: random(2...3))
      case 3, 4: last = addDepthwise(last, &shape)
      case 5: last = addMaximum(last, &shape)
      default:
        let same = known.filter { graph.tensors[$0].shape == shape }
        last = add(.binary(.add, .none), [last, pick(same)], shape, scale: 0.03)
      }
      known.append(last)
    }
    graph.outputs = [last]
  }

  private mutating func window(_ size: [Int], over shape: [Int]) -> (WindowAttributes, extents: [Int]) {
    let padding = size.map { ($0 - 1) / 2 }
    let window = WindowAttributes(
      size: size, strides: [pick([1, 1, 1, 2]), pick([1, 1, 1, 2])], padBefore: padding,
      padAfter: zip(size, padding).map { $0 - 1 - $1 })
    return (window, window.outputExtents(of: Array(shape[1...2])) ?? [])
  }

  private mutating func addConvolution(_ source: Graph.TensorID, _ shape: inout [Int], size: Int) -> Graph.TensorID {
    let (window, extents) = window([size, size], over: shape)
    let (weights, bias, _) = weights(
      for: source, [pick([shape[3], 4, 8, 16, 48]), size, size, shape[3]], axis: 0, depth: size * size * shape[3],
      style: WeightStyle())
    shape = [shape[0]] + extents + [graph.tensors[weights].shape[0]]
    return add(.convolution(window, groups: 1, pick([.none, .relu])), [source, weights, bias], shape, scale: 0.03)
  }

  private mutating func addDepthwise(_ source: Graph.TensorID, _ shape: inout [Int]) -> Graph.TensorID {
    let size = pick([[3, 3], [3, 3], [3, 1], [2, 2]])
    let (window, extents) = window(size, over: shape)
    let (weights, bias, _) = weights(
      for: source, [1] + size + [shape[3]], axis: 3, depth: size[0] * size[1], style: WeightStyle())
    shape = [shape[0]] + extents + [shape[3]]
    return add(
      .depthwiseConvolution(window, multiplier: 1, .none), [source, weights, bias], shape, scale: 0.03)
  }

  private mutating func addMaximum(_ source: Graph.TensorID, _ shape: inout [Int]) -> Graph.TensorID {
    let (window, extents) = window([2, 2], over: shape)
    shape = [shape[0]] + extents + [shape[3]]
    return add(.pool(.max, window, .none), [source], shape, scale: 0.03)
  }

  /// The same graph with every result as an output, so that none is overwritten.
  var keepingAll: TestGraph {
    var keeping = self
    keeping.graph.outputs = graph.nodes.map { $0.outputs[0] }
    return keeping
  }
}

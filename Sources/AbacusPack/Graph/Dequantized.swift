extension Graph {
  /// The real numbers that a quantised graph computes with, without its grids: weights keep the values
  /// that they have been rounded to, activations are not rounded any more.
  ///
  /// So a model that was quantised elsewhere, in a form that has no integer operators here (16-bit
  /// keys and values, say), can be calibrated and quantised anew.
  func dequantized() throws -> Graph {
    var result = self
    for id in tensors.indices where tensors[id].quantization != nil {
      if tensors[id].isConstant { result.tensors[id].data = Tensor.data(of: try tensors[id].reals().map(Float.init)) }
      result.tensors[id].type = .float32
      result.tensors[id].quantization = nil
    }
    result.nodes = nodes.map { node in
      guard node.operation == .requantize, result.tensors[node.outputs[0]].type == .float32 else { return node }
      var copy = node
      copy.operation = .reshape
      return copy
    }
    return result
  }

  /// Some run-time tensor is on a grid.
  var isQuantized: Bool {
    nodes.contains { node in node.outputs.contains { tensors[$0].quantization != nil } }
  }
}

extension GraphEditor {
  /// A layer whose weights are a copy of a table reads the table: exporters write the transposed
  /// embedding of a language model as weights of their own.
  func tieTables() {
    let nodes = order().compactMap(floatNode)
    let tables = nodes.compactMap { node -> TensorID? in
      guard case .gather(axis: 0, batchDimensions: 0) = node.operation, let table = node.inputs[0],
        isConstant(table), node.inputs[1].map(isConstant) == false
      else { return nil }
      return table
    }
    for node in nodes {
      guard case .fullyConnected = node.operation, let weights = node.inputs[1], isConstant(weights),
        let table = tables.first(where: { shape($0) == shape(weights) && tensors[$0].type == tensors[weights].type }),
        table != weights, tensors[table].quantization == nil, tensors[table].data == tensors[weights].data
      else { continue }
      _ = replace(weights, with: table)
    }
  }
}

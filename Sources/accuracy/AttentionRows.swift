import AbacusPack
import AbacusRuntime
import ToolSupport

/// Attention by itself, head by head: the runtime's against float softmax, both on the int8 queries,
/// keys and values of the trained vision transformer.
struct AttentionRows {
  let bench: Bench
  private let name = "fmnist-vit"

  /// Values of one head's queries, keys, values and result in float, of one image.
  private typealias Operands = [FloatTensor]

  func measure() throws {
    let folder = Places.golden(name)
    try bench.needing("attention of \(name)", folder, FashionMNIST.imagePath) {
      let data = try FashionMNIST(
        testing: bench.limited(64), calibrationIndex: Places.shared("\(name)/calib_idx.npy"))
      var training = PostTraining()
      training.pixels = VisionTransformerRows.pixels
      let graph = try training.prepare(try ModelFile.load(folder))
      let attentions = graph.nodes.filter(\.isAttention)
      let observed = try observe(graph, attentions, data)
      for type in [DataType.int8, .int16] {
        var decibels: [Double] = []
        for (node, samples) in zip(attentions, observed) {
          guard case .attention(let attributes) = node.operation else { continue }
          for head in 0..<attributes.heads {
            let own = samples.map { $0.map { $0.columns(of: head, among: attributes.heads) } }
            if let value = try measure(own, scale: attributes.scale, output: type) { decibels.append(value) }
          }
        }
        let mean = decibels.reduce(0, +) / Double(max(decibels.count, 1))
        bench.report.add(
          Row(
            model: name, variant: "one attention head, \(type.rawValue) output, mean of \(decibels.count)",
            dataset: FashionMNIST.name, samples: data.test.count, metric: "signal to noise, dB", value: mean,
            decibels: mean))
      }
    }
  }

  /// For each attention, for each image, what it reads and gives.
  private func observe(_ graph: Graph, _ attentions: [Node], _ data: FashionMNIST) throws -> [[Operands]] {
    let evaluator = try FloatEvaluator(graph)
    var observed = [[Operands]](repeating: [], count: attentions.count)
    try OrderedWork.run(count: data.test.count) { sample in
      var seen: [Graph.TensorID: FloatTensor] = [:]
      _ = try evaluator.evaluate([FloatTensor(pixels: data.test[sample])]) { seen[$0] = $1 }
      return attentions.map { node in (node.inputs.compactMap { $0 } + node.outputs).compactMap { seen[$0] } }
    } consume: { _, operands in
      for index in observed.indices { observed[index].append(operands[index]) }
    }
    return observed
  }

  /// Signal to noise of one head over all images.
  private func measure(_ samples: [Operands], scale: Double, output type: DataType) throws -> Double? {
    guard let first = samples.first, first.count == 4 else { return nil }
    let tensors = first.indices.map { position in
      let largest = samples.reduce(0) { $1[position].values.reduce($0) { max($0, $1.magnitude) } }
      let isWide = position == 3 && type == .int16
      return Tensor(
        name: "operand \(position)", shape: first[position].shape, type: isWide ? .int16 : .int8,
        quantization: Quantization(scale: Double(largest) / (isWide ? 32_767 : 127), zeroPoint: 0))
    }
    let attributes = AttentionAttributes(heads: 1, keyValueHeads: 1, scale: scale, isCausal: false)
    let node = Node(.attention(attributes), inputs: [0, 1, 2], outputs: [3], origin: "one attention head")
    var graph = Graph(tensors: tensors, nodes: [node], inputs: [0, 1, 2], outputs: [3])
    let model = try Model(try Packer.pack(graph).blob)
    // The float result is not rounded to the integers' grid.
    graph.tensors[3].type = .float32
    graph.tensors[3].quantization = nil
    let evaluator = try FloatEvaluator(graph)
    var (exact, integers): ([[Float]], [[Float]]) = ([], [])
    for sample in samples {
      let inputs = zip(tensors, sample.prefix(3))
      exact.append(
        try evaluator.evaluate(inputs.map { FloatTensor(shape: $0.shape, values: $0.onGrid($1.values)) })[0].values)
      let codes = inputs.map { tensor, values in
        (tensor.codes(of: values.values.map(Double.init)) ?? []).map { UInt8(bitPattern: Int8($0)) }
      }
      integers.append(model.outputs[0].reals(try model(codes)[0]))
    }
    return Statistics.decibels(exact, integers)
  }
}

extension Node {
  fileprivate var isAttention: Bool {
    if case .attention = operation { true } else { false }
  }
}

extension FloatTensor {
  /// One of equal parts of the last dimension.
  fileprivate func columns(of part: Int, among parts: Int) -> FloatTensor {
    let width = shape.last ?? 1
    let columns = part * width / parts..<(part + 1) * width / parts
    return FloatTensor(
      shape: shape.dropLast() + [columns.count],
      values: values.indices.filter { columns.contains($0 % width) }.map { values[$0] })
  }
}

import AbacusPack
import AbacusRuntime

/// Attention by itself: the runtime's against float softmax, both on the int8 queries, keys and values
/// of the trained vision transformer.
struct AttentionRows {
  let bench: Bench
  private let name = "fmnist-vit"

  func measure() throws {
    let folder = Places.golden(name)
    try bench.needing("attention of \(name)", folder, FashionMNIST.imagePath) {
      let data = try FashionMNIST(
        testing: bench.limited(64), calibrationIndex: Places.shared("\(name)/calib_idx.npy"))
      var training = PostTraining()
      training.pixels = VisionTransformerRows.pixels
      training.quantize.wideBelow = -1000
      let prepared = try training.prepare(try ModelFile.load(folder))
      let (graph, calibration) = try training.calibrate(prepared, count: data.calibration.count) {
        [FloatTensor(pixels: data.calibration[$0])]
      }
      let integers = try training.integers(graph, calibration)
      for (block, node) in integers.nodes.filter(\.isAttention).enumerated() {
        try measure(node, block: block, of: integers, float: graph, data)
      }
    }
  }

  private func measure(
    _ node: Node, block: Int, of integers: Graph, float: Graph, _ data: FashionMNIST
  ) throws {
    guard case .attention(let attributes) = node.operation else { return }
    var alone = integers
    alone.nodes = [node]
    alone.inputs = node.inputs.compactMap { $0 }
    alone.outputs = node.outputs
    let operands = alone
    let packed = try Packer.pack(alone)
    let blob = packed.blob
    // The float result is not to be rounded to the integers' grid.
    alone.tensors[node.outputs[0]].type = .float32
    alone.tensors[node.outputs[0]].quantization = nil
    let exact = try FloatEvaluator(alone)
    let whole = try FloatEvaluator(float)
    let progress = ProgressLine("attention \(block)", total: data.test.count)
    var heads = [(exact: [[Float]], integers: [[Float]])](repeating: ([], []), count: attributes.heads)
    try OrderedWork.run(count: data.test.count) { sample in
      var seen: [Graph.TensorID: FloatTensor] = [:]
      _ = try whole.evaluate([FloatTensor(pixels: data.test[sample])]) { id, tensor in
        if operands.inputs.contains(id) { seen[id] = tensor }
      }
      let values = try operands.inputs.map { id in
        guard let values = seen[id] else { throw PackError(.malformed, "\(node.origin): an operand is not the network's") }
        return values
      }
      let grids = operands.inputs.map { operands.tensors[$0] }
      let reals = zip(grids, values).map { FloatTensor(shape: $0.shape, values: $0.onGrid($1.values)) }
      let bytes = zip(grids, values).map { grid, values in
        (grid.codes(of: values.values.map(Double.init)) ?? []).map { UInt8(bitPattern: Int8($0)) }
      }
      let model = try Model(blob)
      return (try exact.evaluate(reals)[0], model.outputs[0].reals(try model(bytes)[0]))
    } consume: { sample, outputs in
      for head in heads.indices {
        heads[head].exact.append(outputs.0.columns(of: head, among: heads.count))
        heads[head].integers.append(
          FloatTensor(shape: outputs.0.shape, values: outputs.1).columns(of: head, among: heads.count))
      }
      progress.advance(to: sample + 1)
    }
    let decibels = heads.compactMap { Statistics.decibels($0.exact, $0.integers) }
    let mean = decibels.reduce(0, +) / Double(max(decibels.count, 1))
    bench.report.add(
      Row(
        model: name, variant: "attention of block \(block), mean of \(heads.count) heads", dataset: FashionMNIST.name,
        samples: data.test.count, metric: "signal to noise, dB", value: mean, decibels: mean,
        blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes))
  }
}

extension Node {
  fileprivate var isAttention: Bool {
    if case .attention = operation { true } else { false }
  }
}

extension FloatTensor {
  /// One of equal parts of the last dimension.
  fileprivate func columns(of part: Int, among parts: Int) -> [Float] {
    let width = shape.last ?? 1
    let columns = part * width / parts..<(part + 1) * width / parts
    return values.indices.filter { columns.contains($0 % width) }.map { values[$0] }
  }
}

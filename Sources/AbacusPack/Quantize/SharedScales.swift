/// Scales of run-time tensors. Tensors that are views or parts of each other share one.
struct SharedScales {
  private let graph: Graph
  private let roles: TensorRoles
  private let calibration: Calibration
  private let options: QuantizeOptions
  /// Representative of each tensor's group, and the members of each group.
  private let groupOf: [Int]
  private let members: [Int: [Graph.TensorID]]
  /// Largest magnitude of a score of each attention, by its output.
  let largestScores: [Graph.TensorID: Double]

  init(_ graph: Graph, _ roles: TensorRoles, _ calibration: Calibration, _ options: QuantizeOptions) {
    self.graph = graph
    self.roles = roles
    self.calibration = calibration
    self.options = options
    var parents = Array(graph.tensors.indices)
    func root(_ id: Int) -> Int {
      var id = id
      while parents[id] != id { id = parents[id] }
      return id
    }
    for node in graph.nodes {
      switch node.operation {
      case .reshape, .slice, .transpose, .concatenation, .pool(.max, _, _):
        for input in node.inputs.compactMap({ $0 }) where roles.roles[input] == roles.roles[node.outputs[0]] {
          let (a, b) = (root(input), root(node.outputs[0]))
          parents[max(a, b)] = min(a, b)
        }
      default: break
      }
    }
    groupOf = graph.tensors.indices.map(root)
    members = Dictionary(grouping: graph.tensors.indices.filter { !graph.tensors[$0].isConstant }) { [groupOf] in groupOf[$0] }
    largestScores = calibration.largestScores
  }

  func quantization(of id: Graph.TensorID) -> Quantization? {
    switch roles.roles[id] {
    case .unchanged, .accumulator: return nil
    case .curveGrid: return Quantization(scale: 0x1p-10, zeroPoint: 0)
    case .probability: return Quantization(scale: 1.0 / 256, zeroPoint: -128)
    case .symmetric(let bits): return Quantization(scale: symmetricScale(id, bits: bits), zeroPoint: 0)
    case .asymmetric: return asymmetric(id)
    case .heads(let heads, let bits): return headQuantization(id, heads, bits: bits)
    }
  }

  /// The int8 grid of a tensor that is stored with 16 bits.
  func narrow(_ id: Graph.TensorID) -> Quantization {
    id < graph.tensors.count
      ? Quantization(scale: symmetricScale(id, bits: 8), zeroPoint: 0) : Quantization(scale: 1, zeroPoint: 0)
  }

  private func group(_ id: Graph.TensorID) -> [Graph.TensorID] { members[groupOf[id]] ?? [id] }

  private func symmetricScale(_ id: Graph.TensorID, bits: Int) -> Double {
    let isOutput = graph.outputs.contains(id) && !roles.residual.contains(id)
    let headroom = bits == 16 ? (isOutput ? max(options.headroom, 1.5) : options.headroom) : 1
    return group(id).map { headroom * calibration[$0].symmetricScale(bits: bits, bits == 8 ? options.range : .minMax) }
      .max() ?? 1
  }

  private func asymmetric(_ id: Graph.TensorID) -> Quantization {
    let group = group(id)
    if group.count == 1 {
      let (scale, zeroPoint) = calibration[id].asymmetric(options.range)
      return Quantization(scale: scale, zeroPoint: zeroPoint)
    }
    var union = calibration[group[0]]
    for member in group.dropFirst() { union.extendRange(by: calibration[member]) }
    let (scale, zeroPoint) = union.asymmetric(.minMax)
    return Quantization(scale: scale, zeroPoint: zeroPoint)
  }

  private func headQuantization(_ id: Graph.TensorID, _ heads: Int, bits: Int) -> Quantization {
    let channels = graph.tensors[id].shape.last ?? 1
    let width = channels / heads
    let headroom = bits == 16 ? options.headroom : 1
    let method = bits == 8 ? options.range : .minMax
    let scales = (0..<heads).flatMap { head in
      let scale = headroom
        * calibration[id].symmetricScale(bits: bits, method, channels: head * width..<(head + 1) * width)
      return Array(repeating: scale, count: width)
    }
    return Quantization(scales: scales, zeroPoints: scales.map { _ in 0 }, axis: graph.tensors[id].shape.count - 1)
  }
}

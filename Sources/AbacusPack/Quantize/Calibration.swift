/// What the tensors of a float graph look like while it works on samples.
public struct Calibration: Sendable {
  private var statistics: [Graph.TensorID: TensorStatistics] = [:]
  /// For the output of each attention, the largest magnitude of its scaled scores, where asked for.
  public private(set) var largestScores: [Graph.TensorID: Double] = [:]
  /// What was looked at, for who wants to look again; nothing where ranges were known.
  private(set) var samples: Samples?

  /// Samples of a graph's inputs.
  struct Samples: Sendable {
    let count: Int
    /// The inputs of sample i; may be called several at a time.
    let sample: @Sendable (Int) throws -> [FloatTensor]
  }

  /// Evaluates samples on all cores. The result does not depend on how many there are: statistics of
  /// samples are merged in the samples' order.
  ///
  /// - Parameters:
  ///   - samples: the inputs of sample i; called for each i below `count`, several at a time.
  ///   - progress: advanced to the number of samples that are done.
  ///   - channelGroups: tensors that need percentile or mean-squared-error ranges for groups of
  ///     channels (attention heads), and how many equal groups the last dimension divides into.
  ///   - observesScores: whether the scores of attentions are wanted; they cost a second product.
  ///   - threads: samples in work at a time; all cores by default.
  public init(
    _ graph: Graph, samples: @escaping @Sendable (Int) throws -> [FloatTensor], count: Int,
    progress: ProgressLine? = nil, channelGroups: [Graph.TensorID: Int] = [:], observesScores: Bool = false,
    threads: Int? = nil
  ) throws {
    guard count > 0 else { throw PackError(.file, "there are no samples to calibrate with") }
    for (id, groups) in channelGroups {
      let channels = graph.tensors[id].shape.last ?? 1
      guard groups > 0, channels % groups == 0, channels <= TensorStatistics.maximumChannels else {
        throw PackError(
          .malformed,
          "tensor \"\(graph.tensors[id].name)\": \(channels) channels do not divide into \(groups) groups")
      }
    }
    let evaluator = try FloatEvaluator(graph)
    var merged: [Graph.TensorID: TensorStatistics] = [:]
    var largest: [Graph.TensorID: Double] = [:]
    try OrderedWork.run(count: count, threads: threads) { sample in
      var seen: [Graph.TensorID: TensorStatistics] = [:]
      var scores = ScoreObserver(observesScores ? graph : Graph())
      _ = try evaluator.evaluate(try samples(sample)) { id, tensor in
        seen[id, default: TensorStatistics(groups: channelGroups[id] ?? 1)].add(tensor)
        scores.add(id, tensor)
      }
      return (seen, scores.largest)
    } consume: { sample, observed in
      for (id, statistics) in observed.0 {
        merged[id, default: TensorStatistics(groups: channelGroups[id] ?? 1)].merge(statistics)
      }
      largest.merge(observed.1, uniquingKeysWith: max)
      progress?.advance(to: sample + 1)
    }
    progress?.finish()
    statistics = merged
    largestScores = largest
    self.samples = Samples(count: count, sample: samples)
  }

  /// Ranges that are known without looking.
  init(_ statistics: [Graph.TensorID: TensorStatistics]) { self.statistics = statistics }

  /// Something better is known of a tensor than what was seen.
  mutating func replace(_ id: Graph.TensorID, by known: TensorStatistics) { statistics[id] = known }

  /// What was seen of an input or of a node's output; nothing for constants.
  public subscript(id: Graph.TensorID) -> TensorStatistics {
    statistics[id] ?? TensorStatistics()
  }
}

/// Computes the scores of attentions again from the queries and keys that go by.
private struct ScoreObserver {
  private var attentions: [Graph.TensorID: (query: Graph.TensorID, key: Graph.TensorID, AttentionAttributes)] = [:]
  private var kept: [Graph.TensorID: FloatTensor] = [:]
  private var wanted: Set<Graph.TensorID> = []
  private(set) var largest: [Graph.TensorID: Double] = [:]

  init(_ graph: Graph) {
    for node in graph.nodes {
      guard case .attention(let attributes) = node.operation, let query = node.inputs[0], let key = node.inputs[1]
      else { continue }
      attentions[node.outputs[0]] = (query, key, attributes)
      wanted.formUnion([query, key])
    }
  }

  mutating func add(_ id: Graph.TensorID, _ tensor: FloatTensor) {
    if wanted.contains(id) { kept[id] = tensor }
    guard let (query, key, attributes) = attentions[id], let q = kept[query], let k = kept[key] else { return }
    let (widthQ, widthK) = (q.shape.last ?? 1, k.shape.last ?? 1)
    let depth = widthQ / attributes.heads
    var most: Float = 0
    for row in stride(from: 0, to: q.values.count, by: widthQ) {
      for other in stride(from: 0, to: k.values.count, by: widthK) {
        for head in 0..<attributes.heads {
          let group = head / (attributes.heads / attributes.keyValueHeads)
          var score: Float = 0
          for d in 0..<depth { score += q.values[row + head * depth + d] * k.values[other + group * depth + d] }
          most = max(most, score.magnitude)
        }
      }
    }
    largest[id] = Double(most) * attributes.scale.magnitude
  }
}

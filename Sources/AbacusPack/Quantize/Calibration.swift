/// What the tensors of a float graph look like while it works on samples.
public struct Calibration: Sendable {
  private var statistics: [Graph.TensorID: TensorStatistics] = [:]

  /// Evaluates samples on all cores. The result does not depend on how many there are: statistics of
  /// samples are merged in the samples' order.
  ///
  /// - Parameters:
  ///   - samples: the inputs of sample i; called for each i below `count`, several at a time.
  ///   - progress: advanced to the number of samples that are done.
  ///   - channelGroups: tensors that need percentile or mean-squared-error ranges for groups of
  ///     channels (attention heads), and how many equal groups the last dimension divides into.
  ///   - threads: samples in work at a time; all cores by default.
  public init(
    _ graph: Graph, samples: @Sendable (Int) throws -> [FloatTensor], count: Int,
    progress: ProgressLine? = nil, channelGroups: [Graph.TensorID: Int] = [:], threads: Int? = nil
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
    try OrderedWork.run(count: count, threads: threads) { sample in
      var seen: [Graph.TensorID: TensorStatistics] = [:]
      _ = try evaluator.evaluate(try samples(sample)) { id, tensor in
        seen[id, default: TensorStatistics(groups: channelGroups[id] ?? 1)].add(tensor)
      }
      return seen
    } consume: { sample, seen in
      for (id, statistics) in seen {
        merged[id, default: TensorStatistics(groups: channelGroups[id] ?? 1)].merge(statistics)
      }
      progress?.advance(to: sample + 1)
    }
    progress?.finish()
    statistics = merged
  }

  /// What was seen of an input or of a node's output; nothing for constants.
  public subscript(id: Graph.TensorID) -> TensorStatistics {
    statistics[id] ?? TensorStatistics()
  }
}

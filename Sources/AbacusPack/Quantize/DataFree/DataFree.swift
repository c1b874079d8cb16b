/// Calibration without data.
extension PostTraining {
  /// What was done in place of looking at data, for people.
  public struct DataFreeNote: Sendable {
    /// What the samples were.
    public let samples: String
    public let count: Int
    /// Tensors whose ranges come from the model's own batch normalisations.
    public let knownTensors: Int
  }

  /// Calibrates a graph with nothing but itself: ranges follow from its batch normalisations where it has them (ZeroQ, arXiv
  /// 2001.00281), and elsewhere from samples that are made up.
  ///
  /// - Parameter count: of samples; what is usual for their kind unless given.
  public func calibrateWithoutData(
    _ graph: Graph, count: Int? = nil
  ) throws -> (graph: Graph, calibration: Calibration, note: DataFreeNote) {
    let distributions = graph.namedDistributions()
    let prepared = try prepare(graph)
    let samples = try SyntheticSamples(prepared, takesPixels: pixels != nil)
    let count = count ?? sampleLimit ?? samples.usualCount
    var (even, calibration) = try calibrate(prepared, count: count, samples: samples.sample)
    var known = 0
    // Equalisation has given channels other ranges than training found.
    if quantize.equalization == nil {
      for (id, tensor) in even.tensors.enumerated() {
        guard !tensor.isConstant, let distribution = distributions[tensor.name],
          tensor.shape.last == distribution.means.count
        else { continue }
        calibration.replace(id, by: TensorStatistics(distribution))
        known += 1
      }
    }
    return (even, calibration, DataFreeNote(samples: samples.description, count: count, knownTensors: known))
  }
}

extension TensorStatistics {
  /// What values of these distributions look like.
  init(_ distribution: ChannelDistribution) {
    let channels = distribution.means.indices
    let ranges = channels.map(distribution.range)
    self.init(
      minima: ranges.map { Float($0.lowerBound) }, maxima: ranges.map { Float($0.upperBound) },
      means: channels.map(distribution.mean))
  }
}

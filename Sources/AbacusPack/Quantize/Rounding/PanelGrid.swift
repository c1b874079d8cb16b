/// The values that the weights of sixteen channels may have: with scales as they are stored, and 0 alone where pruned.
struct PanelGrid: Sendable {
  let format: WeightFormat
  /// Sixteen.
  let channels: [ChannelScales]
  /// The same as real numbers, one a group.
  let scales: GroupScales
  /// 1 for weights that are kept, 0 for pruned ones; nil where all are kept.
  let kept: [Lanes]?
  private let groupSize: Int

  init(_ scales: GroupScales, kept: [Lanes]?, depth: Int, floor: Double, _ format: WeightFormat) {
    self.format = format
    self.kept = kept
    groupSize = format.groupSize(depth: depth)
    let channels = (0..<Lanes.scalarCount).map { lane in
      ChannelScales(steps: scales.steps.map { $0[lane] }, zeros: scales.zeros.map { $0[lane] }, floor: floor, format)
    }
    var stored = scales
    for group in scales.steps.indices {
      for (lane, channel) in channels.enumerated() {
        stored.steps[group][lane] = channel.step(group)
        stored.zeros[group][lane] = channel.zero(group)
      }
    }
    self.channels = channels
    self.scales = stored
  }

  /// The codes of weights k that lie nearest to these values.
  @inline(__always)
  func code(_ values: Lanes, _ k: Int) -> Lanes {
    let group = k / groupSize
    let codes = format.nearest((values - scales.zeros[group]) / scales.steps[group])
    return if let kept { codes * kept[k] } else { codes }
  }

  /// The weights k that codes stand for.
  @inline(__always)
  func value(_ codes: Lanes, _ k: Int) -> Lanes {
    let group = k / groupSize
    return codes * scales.steps[group] + scales.zeros[group]
  }

  /// Weights less what codes stand for.
  func difference(_ weights: [Lanes], _ codes: [Lanes]) -> [Lanes] {
    weights.indices.map { weights[$0] - value(codes[$0], $0) }
  }
}

/// How weights become codes.
public enum RoundingMethod: String, Sendable, CaseIterable {
  /// Each to the nearest, the largest of each group on the last value of the grid.
  case nearest
  /// Scales by a search, errors made up for by the weights that follow: GPTQ (arXiv 2210.17323).
  case compensated
  /// The same, then scales and codes solved for in turn: decoupleQ (arXiv 2404.12759).
  case alternating
  /// The same, layer after layer, each with the inputs that rounding has left it.
  case sequential
}

extension RoundedWeights {
  /// Each weight on the nearest value of its grid, the largest of each group or channel on the last.
  ///
  /// - Parameter weights: row-major [channels, depth].
  ///
  /// Groups and channels that are all but zero get a thousandth of the largest step, or their int32 bias would overflow.
  static func nearest(_ weights: [Double], channels: Int, _ format: WeightFormat) -> RoundedWeights {
    let panels = (0..<ChannelPanel.count(channels: channels)).map {
      ChannelPanel.lanes($0, of: weights, channels: channels)
    }
    let scales = panels.map { GroupScales(spanning: $0, format) }
    let floor = smallestStep(scales)
    let rounded = zip(panels, scales).map { lanes, scales in
      let grid = PanelGrid(scales, kept: nil, depth: lanes.count, floor: floor, format)
      return RoundedPanel(codes: lanes.indices.map { grid.code(lanes[$0], $0) }, channels: grid.channels)
    }
    return RoundedWeights(rounded, channels: channels, depth: weights.count / channels, format)
  }

  /// Weights rounded so that the outputs of their layer change least.
  ///
  /// - Parameters:
  ///   - weights: row-major [channels, depth].
  ///   - moments: of the layer's inputs [depth].
  ///   - mask: what to keep; the others get the code 0, also on the grid `odd` that has none. The kept weights make up for
  ///     them unless the method is `nearest`.
  ///   - rounds: of the method `alternating`.
  ///   - threads: panels of sixteen channels in work at a time; all cores by default. The result does not depend on it.
  ///   - name: of the layer, for messages.
  static func rounding(
    _ weights: [Double], channels: Int, _ format: WeightFormat, _ method: RoundingMethod, _ moments: DampedMoments,
    mask: PruningMask? = nil, rounds: Int = 6, threads: Int? = nil, name: String
  ) throws -> RoundedWeights {
    let depth = weights.count / max(channels, 1)
    guard channels > 0, weights.count == channels * depth, moments.matrix.count == depth,
      mask == nil || mask?.channels == channels && mask?.depth == depth
    else {
      throw PackError(
        .malformed,
        "\(name): \(weights.count) weights of \(channels) channels, but moments of \(moments.matrix.count) inputs, or a mask of other weights")
    }
    guard format.grid != .offset || format.groupSize != nil && mask == nil else {
      throw PackError(.unsupported, "\(name): zero points of weights are for groups of weights that are not pruned")
    }
    var target = weights
    if let mask {
      target = method == .nearest ? mask.applied(to: weights) : try mask.compensated(weights, moments, threads: threads)
    }
    let work = PanelRounding(
      weights: target, kept: mask.map { $0.keeps.map { $0 ? 1 : 0 } }, channels: channels, format: format, method: method,
      moments: moments, rounds: rounds)
    let panels = ChannelPanel.count(channels: channels)
    var scales: [GroupScales] = []
    try OrderedWork.run(count: panels, threads: threads) { work.scales($0) } consume: { scales.append($1) }
    let floor = smallestStep(scales)
    var rounded: [RoundedPanel] = []
    try OrderedWork.run(count: panels, threads: threads) { [scales] panel in
      work.round(panel, scales[panel], floor: floor)
    } consume: { rounded.append($1) }
    return RoundedWeights(rounded, channels: channels, depth: depth, format)
  }

  /// A thousandth of the largest step.
  private static func smallestStep(_ scales: [GroupScales]) -> Double {
    let most = scales.reduce(0) { $1.steps.reduce($0) { max($0, $1.max()) } }
    return most > 1e-30 ? most * 1e-3 : 1
  }

  private init(_ panels: [RoundedPanel], channels: Int, depth: Int, _ format: WeightFormat) {
    self.init(
      format: format, channels: channels, depth: depth, codes: [Int8](repeating: 0, count: channels * depth), scales: [],
      relativeScales: [], zeros: [], lift: format.lift)
    for (index, panel) in panels.enumerated() {
      for (lane, channel) in ChannelPanel.channels(index, of: channels).enumerated() {
        for k in 0..<depth { codes[channel * depth + k] = Int8(panel.codes[k][lane]) }
        scales.append(panel.channels[lane].scale)
        relativeScales += panel.channels[lane].relative
        zeros += panel.channels[lane].zeros
      }
    }
  }
}

/// Sixteen channels, rounded.
private struct RoundedPanel: Sendable {
  /// [depth]
  let codes: [Lanes]
  /// Sixteen.
  let channels: [ChannelScales]
}

/// Rounding of the panels of one matrix.
private struct PanelRounding: Sendable {
  let weights: [Double]
  /// 1 for weights that are kept, 0 for others; nil for all.
  let kept: [Double]?
  let channels: Int
  let format: WeightFormat
  let method: RoundingMethod
  let moments: DampedMoments
  let rounds: Int

  private func lanes(_ panel: Int) -> [Lanes] { ChannelPanel.lanes(panel, of: weights, channels: channels) }

  private func keptLanes(_ panel: Int) -> [Lanes]? {
    kept.map { ChannelPanel.lanes(panel, of: $0, channels: channels) }
  }

  func scales(_ panel: Int) -> GroupScales {
    if method == .nearest { return GroupScales(spanning: lanes(panel), format) }
    var importance = moments.matrix.diagonal.map { Lanes(repeating: $0 - moments.damping) }
    if let kept = keptLanes(panel) { importance = zip(importance, kept).map { $0 * $1 } }
    return GroupScales(searching: lanes(panel), importance: importance, format)
  }

  func round(_ panel: Int, _ scales: GroupScales, floor: Double) -> RoundedPanel {
    let weights = lanes(panel)
    let grid = PanelGrid(scales, kept: keptLanes(panel), depth: weights.count, floor: floor, format)
    if method == .nearest {
      return RoundedPanel(codes: weights.indices.map { grid.code(weights[$0], $0) }, channels: grid.channels)
    }
    let codes = ErrorCompensation.codes(weights, on: grid, moments)
    guard method != .compensated else { return RoundedPanel(codes: codes, channels: grid.channels) }
    var alternating = AlternatingRounding(weights, codes: codes, on: grid, moments)
    alternating.run(from: grid, rounds: rounds, floor: floor)
    return RoundedPanel(codes: alternating.codes, channels: alternating.channels)
  }
}

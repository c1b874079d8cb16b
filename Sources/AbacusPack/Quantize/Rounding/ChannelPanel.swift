/// The rows of a matrix [rows, depth] in panels of sixteen: element k of a panel holds column k of its rows, zeros where
/// there are no more rows.
enum ChannelPanel {
  static func count(channels: Int) -> Int { (channels + Lanes.scalarCount - 1) / Lanes.scalarCount }

  /// The rows of a panel.
  static func channels(_ panel: Int, of channels: Int) -> Range<Int> {
    panel * Lanes.scalarCount..<min((panel + 1) * Lanes.scalarCount, channels)
  }

  static func lanes(_ panel: Int, of values: [Double], channels: Int) -> [Lanes] {
    let depth = values.count / channels
    var lanes = [Lanes](repeating: .zero, count: depth)
    for (lane, channel) in Self.channels(panel, of: channels).enumerated() {
      for k in 0..<depth { lanes[k][lane] = values[channel * depth + k] }
    }
    return lanes
  }

  /// A matrix [channels, depth] from what `transform` makes of its panels, several at a time on all cores.
  static func map(
    channels: Int, depth: Int, threads: Int?, _ transform: @Sendable (Int) throws -> [Lanes]
  ) throws -> [Double] {
    var result = [Double](repeating: 0, count: channels * depth)
    try OrderedWork.run(count: count(channels: channels), threads: threads, produce: transform) { panel, lanes in
      for (lane, channel) in Self.channels(panel, of: channels).enumerated() {
        for k in 0..<depth { result[channel * depth + k] = lanes[k][lane] }
      }
    }
    return result
  }
}

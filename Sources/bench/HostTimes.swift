/// How long one inference takes on this machine, by us and by others, in microseconds.
struct HostTimes: Sendable {
  /// Of many runs.
  struct Percentiles: Sendable, Equatable {
    var p50: Double
    var p90: Double

    /// - Returns: nil where there are no runs.
    init?(_ runs: [Double]) {
      guard !runs.isEmpty else { return nil }
      let sorted = runs.sorted()
      p50 = sorted[(sorted.count - 1) / 2]
      p90 = sorted[(sorted.count - 1) * 9 / 10]
    }
  }

  var ours: Percentiles
  var liteRT: Percentiles?
  var onnxruntime: Percentiles?

  var liteRTRatio: Double? { liteRT.map { ours.p50 / $0.p50 } }
  var onnxruntimeRatio: Double? { onnxruntime.map { ours.p50 / $0.p50 } }
}

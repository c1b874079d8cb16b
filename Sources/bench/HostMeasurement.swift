import AbacusPack
import AbacusRuntime
import ToolSupport

/// Measures models on this machine, beside other runtimes: all take turns, so that whatever else the
/// machine does disturbs all alike.
struct HostMeasurement {
  /// What runs a model some times and says how long each run took, in microseconds.
  private typealias Runner = (_ count: Int) throws -> [Double]

  private static let warmups = 20
  private static let rounds = 50
  /// How long one runtime runs before the next does.
  private static let roundMicroseconds = 4000.0
  private static let runsInRound = 1.0...200

  func add(_ model: BenchModel, _ packed: PackedModel, to report: Report) throws {
    var row = Row(model.name, Row.host, packed)
    let liteRT = peer(.liteRT, model.tflite, model, report)
    let onnxruntime = peer(.onnxruntime, model.onnx, model, report)
    let runs = try takeTurns([try runner(model, packed), liteRT?.run, onnxruntime?.run])
    row.times = HostTimes.Percentiles(runs[0]).map {
      HostTimes(ours: $0, liteRT: HostTimes.Percentiles(runs[1]), onnxruntime: HostTimes.Percentiles(runs[2]))
    }
    report.add(row)
  }

  /// Another runtime with its form of the model; nil where one of them is missing.
  private func peer(_ runtime: PeerProcess.Runtime, _ file: String?, _ model: BenchModel, _ report: Report) -> PeerProcess? {
    guard let file else { return nil }
    do {
      return try PeerProcess(runtime, model: file)
    } catch {
      report.skip("\(model.name) in \(runtime.rawValue)", "\(error)")
      return nil
    }
  }

  private func takeTurns(_ runners: [Runner?]) throws -> [[Double]] {
    let counts = try runners.map { runner in
      guard let warm = try runner?(Self.warmups), let typical = HostTimes.Percentiles(warm) else { return 0 }
      let fitting = (Self.roundMicroseconds / max(typical.p50, 0.1)).rounded(.down)
      return Int(min(max(fitting, Self.runsInRound.lowerBound), Self.runsInRound.upperBound))
    }
    var runs = runners.map { _ in [Double]() }
    for _ in 0..<Self.rounds {
      for (index, runner) in runners.enumerated() where counts[index] > 0 {
        runs[index] += try runner?(counts[index]) ?? []
      }
    }
    return runs
  }

  private func runner(_ model: BenchModel, _ packed: PackedModel) throws -> Runner {
    let host = try Model(packed.blob)
    let samples = try model.samples(for: host.inputs)
    var next = 0
    return { count in
      try (0..<count).map { _ in
        if next == samples.count {
          try host.reset()
          next = 0
        }
        for (index, bytes) in samples[next].enumerated() { try host.setInput(index, bytes) }
        next += 1
        let start = ContinuousClock.now
        try host.run()
        return (ContinuousClock.now - start) / .microseconds(1)
      }
    }
  }
}

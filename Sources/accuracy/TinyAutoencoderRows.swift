import AbacusPack

/// MLPerf Tiny AD: an autoencoder of machine sounds. How badly it reconstructs a clip says how abnormal
/// that is; so what counts is whether integers rank clips as float does.
///
/// The recordings (ToyADMOS) are not to be had: the sounds are synthetic, which says nothing about the
/// detection of real faults, only about what quantisation changes.
struct TinyAutoencoderRows {
  let bench: Bench
  private static let model = "mlperf-tiny AD"
  private static let (float, twin) = ("ad01_fp32", "ad01_int8")
  /// Rows of the spectrogram in one input.
  private static let rows = 5

  private struct Clip {
    var rattles: Bool
    var inputs: [[Float]]
  }

  func measure() throws {
    try bench.needing(Self.model, TinyTwins.path(Self.float), TinyTwins.path(Self.twin)) {
      let clips = clips(bench.limited(100), seed: 1)
      // Like the recordings that the detector is trained with, these are of sound machines.
      let calibration = self.clips(32, seed: 2).filter { !$0.rattles }.flatMap(\.inputs)
      let samples = TinyTwins.Samples(
        dataset: "synthetic machine sounds, every other one with a rattle",
        calibration: stride(from: 0, to: calibration.count, by: 3).map { calibration[$0] },
        test: clips.flatMap(\.inputs))
      let twins = try TinyTwins(bench, float: Self.float, twin: Self.twin, samples)
      let exact = errors(twins.float, clips)
      for (variant, form) in twins.forms {
        addRows(variant, samples.dataset, clips, form, errors(form.outputs, clips), exact, float: twins.float)
      }
      add(
        "TFLite float", samples.dataset, clips.count, "rank correlation of errors with the INT8 twin's", twins.ours,
        Statistics.rankCorrelation(errors(twins.ours.outputs, clips), errors(twins.twin.outputs, clips)),
        Statistics.rankCorrelation(exact, errors(twins.twin.outputs, clips)))
    }
  }

  private func clips(_ count: Int, seed: UInt64) -> [Clip] {
    let spectrogram = MelSpectrogram()
    var sounds = MachineSounds(seed: seed)
    return (0..<count).map { number in
      let rows = spectrogram(sounds.clip(seconds: 2, rattles: number % 2 == 1))
      let inputs = (0...rows.count - Self.rows).map { rows[$0..<$0 + Self.rows].flatMap { $0 } }
      return Clip(rattles: number % 2 == 1, inputs: inputs)
    }
  }

  /// Mean squared error of the reconstruction of each clip.
  private func errors(_ outputs: [[Float]], _ clips: [Clip]) -> [Double] {
    var rest = outputs[...]
    return clips.map { clip in
      defer { rest = rest.dropFirst(clip.inputs.count) }
      let squares = zip(clip.inputs, rest).reduce(0.0) { sum, pair in
        zip(pair.0, pair.1).reduce(sum) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      }
      return squares / Double(clip.inputs.reduce(0) { $0 + $1.count })
    }
  }

  private func addRows(
    _ variant: String, _ dataset: String, _ clips: [Clip], _ form: TinyTwins.Integers, _ errors: [Double],
    _ exact: [Double], float: [[Float]]
  ) {
    let difference = zip(errors, exact).reduce(0) { $0 + ($1.0 - $1.1).magnitude / $1.1 } / Double(errors.count)
    let decibels = Statistics.decibels(float, form.outputs)
    add(variant, dataset, clips.count, "reconstruction error, difference to float, %", form, 100 * difference, nil, decibels)
    add(
      variant, dataset, clips.count, "rank correlation of errors with float's", form,
      Statistics.rankCorrelation(errors, exact), nil, decibels)
    let rattles = clips.map(\.rattles)
    guard let area = Statistics.areaUnderCurve(errors, rattles), let exactArea = Statistics.areaUnderCurve(exact, rattles)
    else { return }
    add(
      variant, dataset, clips.count, "area under the curve (rattle or not), %", form, 100 * area, 100 * exactArea,
      decibels)
  }

  private func add(
    _ variant: String, _ dataset: String, _ samples: Int, _ metric: String, _ form: TinyTwins.Integers,
    _ value: Double, _ floatValue: Double?, _ decibels: Double? = nil
  ) {
    bench.report.add(
      Row(
        model: Self.model, variant: variant, dataset: dataset, samples: samples, metric: metric, value: value,
        floatValue: floatValue, decibels: decibels, blobBytes: form.packed.blob.count,
        arenaBytes: form.packed.planned.plan.arenaBytes))
  }
}

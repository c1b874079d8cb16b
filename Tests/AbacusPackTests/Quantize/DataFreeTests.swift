import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// Calibration with nothing but the model itself.
@Suite struct DataFreeTests {
  // MARK: Batch normalisation

  private static let distribution = ChannelDistribution(means: [-1, 0.5, 3, 2], deviations: [1, 2, 0.5, 0])

  /// Mean and deviation in closed form are those of many values that are cut off one by one.
  @Test(arguments: [UnaryFunction.relu, .relu6, .reluN1To1, .clip(low: 0.25, high: 2.5)])
  func momentsBehindActivations(_ function: UnaryFunction) throws {
    let behind = try #require(Self.distribution.behind(function))
    var random = SplitMix(state: 7)
    for channel in 0..<4 {
      let values = (0..<40_000).map { _ in
        let value = Self.distribution.means[channel] + Self.distribution.deviations[channel] * random.nextNormal()
        return min(max(value, behind.low), behind.high)
      }
      let mean = values.reduce(0, +) / 40_000
      let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 40_000).squareRoot()
      let moments = behind.moments(channel)
      #expect(abs(moments.mean - mean) < 0.03 && abs(moments.deviation - deviation) < 0.03, "channel \(channel)")
      // Of 40,000 values two or three lie beyond four deviations.
      let range = behind.range(channel)
      #expect(values.count { !range.contains($0) } < 12)
    }
  }

  @Test func rangesAreCutOff() throws {
    let relu6 = try #require(Self.distribution.behind(.relu6))
    #expect((0..<4).map(relu6.range) == [0...3, 0...6, 1...5, 2...2])
    #expect(Self.distribution.range(1) == -7.5...8.5)
    #expect(Self.distribution.behind(.tanh) == nil)
    // Everything is below: nothing but zeros is left.
    let dead = try #require(ChannelDistribution(means: [-9], deviations: [1]).behind(.relu))
    #expect(dead.range(0) == 0...0)
  }

  /// A convolution, a batch normalisation and an activation become one node, and its output's range is the one that
  /// training has seen, whatever the samples are.
  @Test func rangesComeFromBatchNormalization() throws {
    var writer = ONNXModelWriter(name: "normalised")
    writer.input("x", [1, 1, 8, 8])
    writer.constant(ONNXModelWriter.floats("w", [2, 1, 3, 3], (0..<18).map { Float($0 % 5) - 2 }))
    for (name, values) in [("scale", [2, 0.5]), ("bias", [1, -1]), ("mean", [0.25, 0]), ("variance", [4, 9])] as [(String, [Float])] {
      writer.constant(ONNXModelWriter.floats(name, [2], values))
    }
    writer.node("Conv", ["x", "w"], ["c"], [("kernel_shape", .ints([3, 3]))])
    writer.node("BatchNormalization", ["c", "scale", "bias", "mean", "variance"], ["n"], [])
    writer.node("Relu", ["n"], ["y"], [])
    writer.output("y")
    let training = PostTraining()
    let (graph, calibration, note) = try training.calibrateWithoutData(try writer.load(), count: 2)
    #expect(note.knownTensors == 1 && note.count == 2)
    let product = try #require(graph.nodes.first { if case .convolution = $0.operation { true } else { false } })
    let statistics = calibration[product.outputs[0]]
    // Means 1 and -1, deviations 2 and 0.5.
    #expect(statistics.channelMinimum == [0, 0] && statistics.channelMaximum == [9, 1])
    #expect(abs(statistics.channelMean[0] - 1.396) < 1e-3 && abs(statistics.channelMean[1] - 0.004) < 1e-3)
    // Without statistics the samples decide.
    let seen = try training.calibrate(graph, count: 2, samples: SyntheticSamples(graph, takesPixels: false).sample)
    #expect(seen.calibration[product.outputs[0]].channelMaximum != [9, 1])
  }

  // MARK: Samples

  @Test func picturesAreOfPixelsAndRepeat() {
    let image = SyntheticImage(height: 20, width: 30, channels: 3)
    let pictures = (0..<24).map { image.pixels(seed: $0) }
    #expect(pictures.allSatisfy { $0.count == 1_800 && $0.allSatisfy { (0...255).contains($0) && $0 == $0.rounded() } })
    #expect(image.pixels(seed: 3) == pictures[3])
    #expect(Set(pictures).count == 24)
    // Surfaces: neighbours are mostly alike, and yet no picture is of one colour.
    let steps = pictures.map(Self.averageStep)
    #expect(steps.allSatisfy { $0 > 0 && $0 < 40 }, "\(steps)")
  }

  /// The mean difference of neighbours in a row of a picture [20, 30, 3], first channel.
  private static func averageStep(_ pixels: [Float]) -> Float {
    var sum: Float = 0
    for y in 0..<20 {
      for x in 0..<29 { sum += (pixels[(y * 30 + x) * 3] - pixels[(y * 30 + x + 1) * 3]).magnitude }
    }
    return sum / (20 * 29)
  }

  @Test func tokensAreThoseOfTheTable() throws {
    var build = FloatGraph()
    let tokens = build.input([1, 40], type: .int32)
    let mask = build.input([1, 40], type: .int32)
    let table = build.constant([11, 4])
    build.graph.outputs = [build.add(.gather(axis: 0, batchDimensions: 0), [table, tokens], [1, 40, 4])]
    let samples = try SyntheticSamples(build.graph, takesPixels: false)
    let first = try samples.sample(0)
    #expect(build.graph.rowsPicked(by: tokens) == 11 && build.graph.rowsPicked(by: mask) == nil)
    #expect(Set(first[0].values).isSubset(of: Set((0..<11).map(Float.init))) && Set(first[0].values).count > 5)
    #expect(first[1].values == [Float](repeating: 1, count: 40))
    #expect(try samples.sample(0) == first && samples.sample(1) != first)
    #expect(samples.description == "masks that hide nothing, random tokens")
  }

  /// A text that the language model writes is one that it finds likely, and random tokens are not.
  @Test func modelsWriteTheirOwnTexts() throws {
    let graph = try PostTraining().prepare(
      try ModelFile.load(TestFolder.golden("models/shakespeare-llama"), overrides: ["tokens": "40"]))
    let samples = try SyntheticSamples(graph, takesPixels: false)
    #expect(samples.description == "texts that the model makes up")
    let written = try samples.sample(0)
    let evaluator = try FloatEvaluator(graph)
    let vocabulary = try #require(graph.rowsPicked(by: graph.inputs[0]))
    /// Nats for each token but the first, by what is before it.
    func surprise(_ tokens: FloatTensor) throws -> Double {
      let logits = try evaluator.evaluate([tokens])[0].values.map(Double.init)
      let following = tokens.values.dropFirst().map { Int($0) }
      let nats = following.enumerated().map { position, token in
        let row = logits[position * vocabulary..<(position + 1) * vocabulary]
        let largest = row.max() ?? 0
        return log(row.reduce(0) { $0 + exp($1 - largest) }) + largest - row[row.startIndex + token]
      }
      return nats.reduce(0, +) / Double(nats.count)
    }
    var random = SplitMix(state: 1)
    let noise = FloatTensor(shape: written[0].shape, values: written[0].values.map { _ in Float(random.next(below: vocabulary)) })
    let (likely, unlikely) = (try surprise(written[0]), try surprise(noise))
    #expect(likely < 3 && unlikely > 6, "\(likely), \(unlikely) nats")
  }

  /// Our vision transformer says on real images what it says when it was calibrated on them.
  @Test func picturesOfNothingCalibrateTheTransformer() throws {
    var training = PostTraining()
    training.pixels = PixelNormalization(mean: [0.286], deviation: [0.353])
    let source = try ModelFile.load(TestFolder.golden("models/fmnist-vit"))
    let (graph, calibration, note) = try training.calibrateWithoutData(source, count: 16)
    #expect(note.samples == "pictures of random shapes" && note.knownTensors == 0)
    let integers = try training.integers(graph, calibration)
    let report = try training.report(graph, integers, samples: TestFolder.golden("fmnist-samples"), count: 10)
    #expect(report.sameTop == report.samples && report.samples == 10)
  }
}

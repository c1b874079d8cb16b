import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Our vision transformer and language model from float to blobs.
@Suite struct PostTrainingTests {
  private static let samples = TestFolder.golden("fmnist-samples")

  private static func training() -> PostTraining {
    var training = PostTraining()
    training.pixels = PixelNormalization(mean: [0.286], deviation: [0.353])
    return training
  }

  private static func transformer() throws -> Graph { try ModelFile.load(TestFolder.golden("models/fmnist-vit")) }

  /// Pixels of the sample images, as the blob takes them.
  private static func images() throws -> [[UInt8]] {
    let graph = try training().prepare(try transformer())
    let reader = try SampleReader(samples, inputs: graph.inputs.map { graph.tensors[$0] })
    return try (0..<reader.count).map { try reader.sample($0)[0].map { UInt8(bitPattern: Int8(Int($0) - 128)) } }
  }

  /// However many rows go through a loop at a time, and where no loop is formed at all, the integers are
  /// the same; fewer rows take less memory.
  @Test func loopsOfAnySizeComputeTheSame() throws {
    var training = Self.training()
    let (graph, calibration) = try training.calibrate(try Self.transformer(), samples: Self.samples)
    let integers = try training.integers(graph, calibration)
    let images = try Self.images().prefix(2)
    var arenas: [Int] = []
    var wanted: [[[UInt8]]]?
    for rows in [50, 7, 3, 2, 1] {
      training.pack.rowsInLoop = rows
      let packed = try training.pack(integers)
      let model = try Model(packed.blob)
      let results = try images.map { try model([$0]) }
      #expect(results == wanted ?? results, "\(rows) rows")
      wanted = results
      #expect(model.guardsAreIntact)
      arenas.append(packed.planned.plan.arenaBytes)
      let certificate = BoundsCertificate(try BlobDescription(packed.blob, name: "vit"))
      #expect(certificate.holds)
    }
    #expect(arenas == arenas.sorted(by: >) && Set(arenas).count == arenas.count, "\(arenas)")
    // Residual stream, keys and values, and a few rows: nothing grows with the square of the tokens.
    #expect(arenas[4] < 2 * 6_400 + 800)
    let lowered = try Lowering.lower(integers.normalized(), options: training.pack)
    #expect(lowered.steps.allSatisfy { $0.loop == nil })
    let plain = try Model(try BlobWriter.write(PlannedProgram(lowered), options: training.pack, metadata: []))
    let results = try images.map { try plain([$0]) }
    #expect(results == wanted)
  }

  /// Moving scales between layers changes no result of the float network, and makes channels even.
  @Test(arguments: [0.0, 0.5, 1.0])
  func equalizationKeepsTheNetwork(balance: Double) throws {
    let training = Self.training()
    let (graph, calibration) = try training.calibrate(try Self.transformer(), samples: Self.samples)
    let even = try Equalization.apply(graph, calibration, balance: balance)
    let reader = try SampleReader(Self.samples, inputs: graph.inputs.map { graph.tensors[$0] })
    let input = FloatTensor(shape: graph.tensors[graph.inputs[0]].shape, values: try reader.sample(3)[0])
    let before = try FloatEvaluator(graph).evaluate([input])[0].values
    let after = try FloatEvaluator(even).evaluate([input])[0].values
    for (a, b) in zip(before, after) { #expect(abs(a - b) < 1e-3) }
    let changed = graph.nodes.indices.count { graph.nodes[$0].inputs != even.nodes[$0].inputs }
    #expect(changed > 8)
  }

  /// With all of the unevenness in the weights, every channel of a normalisation reaches equally far.
  @Test func equalizationEvensChannels() throws {
    var training = Self.training()
    training.quantize.equalization = 1
    let (graph, calibration) = try training.calibrate(try Self.transformer(), samples: Self.samples)
    let norm = try #require(graph.nodes.first { $0.operation.isNormalization })
    let statistics = calibration[norm.outputs[0]]
    let reaches = zip(statistics.channelMinimum, statistics.channelMaximum).map { max(-$0, $1) }
    #expect(reaches.max()! / reaches.min()! < 1.01)
  }

  @Test(arguments: [8, 16])
  func paperArithmeticPacks(bits: Int) throws {
    var training = Self.training()
    training.quantize.arithmetic = .paper(quotientBits: bits)
    let packed = try training.pack(try Self.transformer(), samples: Self.samples)
    let blob = try BlobDescription(packed.blob, name: "vit")
    let forms = blob.operators.indices.map(blob.form)
    for (opcode, word) in [(Opcode.attention, "Shiftmax"), (.activation, "ShiftGELU"), (.normalize, "I-LayerNorm")] {
      let own = blob.operators.indices.filter { blob.opcode($0) == opcode }
      #expect(!own.isEmpty && own.allSatisfy { forms[$0].contains(word) && forms[$0].contains("paper") })
    }
    #expect(forms.contains { $0.contains("two roundings") })
    let model = try Model(packed.blob)
    let outputs = try Self.images().map { try model([$0])[0] }
    #expect(Set(outputs).count == outputs.count)
  }

  /// The report sees integers and floats side by side; a residual of 8 bits shows in it.
  @Test func reportTellsWhatIsLost() throws {
    func worst(_ bits: Int) throws -> Double {
      var training = Self.training()
      training.quantize.residualBits = bits
      let (graph, calibration) = try training.calibrate(try Self.transformer(), samples: Self.samples)
      let integers = try training.integers(graph, calibration)
      let report = try training.report(graph, integers, samples: Self.samples, count: 3)
      #expect(report.samples == 3 && report.rows.count > 40)
      #expect(report.rows.contains { $0.operation.hasPrefix("attention") })
      return report.rows.last!.signalToNoise
    }
    let (wide, narrow) = (try worst(16), try worst(8))
    #expect(wide > 30 && narrow < wide - 2)
  }

  /// A decoder's keys and values are states; whole sequences and single tokens have the same weights.
  @Test func decodersKeepTheirCaches() throws {
    var training = PostTraining()
    training.context = 32
    training.sampleLimit = 4
    let folder = TestFolder.golden("models/shakespeare-llama")
    training.tokenizer = try TokenizerFile.read(folder)
    let packed = try training.pack(try ModelFile.load(folder), samples: "\(folder)/calibration.txt")
    let blob = try BlobDescription(packed.blob, name: "llama")
    let states = blob.tensors.filter { $0.placement == Placement.state.rawValue }
    #expect(states.count == 2 * 5 + 1)
    #expect(blob.header.positionLimit == 32 && blob.header.positionTensor > 0)
    let model = try Model(packed.blob)
    for _ in 0..<32 { _ = try model([[1, 0, 0, 0]]) }
    #expect(throws: Status.lengthLimit) { _ = try model([[1, 0, 0, 0]]) }
    try model.reset()
    _ = try model([[1, 0, 0, 0]])
  }

  @Test func pixelsMustBeNormalised() throws {
    let error = #expect(throws: PackError.self) {
      try PostTraining().pack(try Self.transformer(), samples: Self.samples)
    }
    #expect(error?.description.contains("--mean") == true)
  }
}

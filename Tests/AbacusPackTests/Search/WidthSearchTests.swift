import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// The search for the width of each layer, on a small network.
@Suite struct WidthSearchTests {
  /// Four layers: a wide one that hardly matters, and narrow ones that do.
  private struct Network {
    var float = FloatGraph(seed: 9)
    let samples: [[FloatTensor]]

    init() {
      var x = float.input([1, 3, 32])
      for (index, widths) in [(32, 64), (64, 32), (32, 32), (32, 10)].enumerated() {
        let weights = float.constant([widths.1, widths.0], float.values(widths.0 * widths.1).map { $0 * (index == 1 ? 0.3 : 1) })
        x = float.add(.fullyConnected(index < 3 ? .relu : .none), [x, weights, float.constant([widths.1])], [1, 3, widths.1])
      }
      float.graph.outputs = [x]
      var samples: [[FloatTensor]] = []
      for _ in 0..<40 {
        let causes = float.values(12)
        samples.append([FloatTensor(shape: [1, 3, 32], values: (0..<96).map { causes[$0 % 12] + 0.4 * causes[$0 / 9 % 12] })])
      }
      self.samples = samples
    }

    func search(
      points: [SearchPoint] = [], keep: @escaping ([SearchPoint]) throws -> Void = { _ in }
    ) throws -> WidthSearch {
      let training = PostTraining()
      let (graph, calibration) = try training.calibrate(try training.prepare(float.graph), count: 30) { [samples] in samples[$0] }
      return try WidthSearch(
        training, graph, calibration, samples: Array(samples[30...]), points: points, keep: keep)
    }
  }

  @Test func layersHaveTheirChoices() throws {
    let search = try Network().search()
    #expect(search.layers.count == 4 && Set(search.layers.map(\.name)).count == 4)
    for layer in search.layers {
      let bits = layer.choices.map(\.format.bits)
      #expect(bits == bits.sorted(by: >) && bits.first == 8)
      // Fewer bits take less flash and lose more.
      let per = { (bits: Int) in layer.choices.first { $0.format.bits == bits }! }
      #expect(per(8).bytes > per(4).bytes && per(4).bytes > per(2).bytes)
      #expect(per(8).noise < per(4).noise && per(4).noise < per(2).noise, "\(layer)")
    }
    // 64 channels of 32 weights: a word for eight codes of 4 bits.
    #expect(search.layers[0].choices.map(\.bytes).prefix(2) == [2_048, 1_024])
    #expect(search.layers[1].choices[1].noise < search.layers[0].choices[1].noise * 4)
  }

  /// Effects of single layers add up: what was predicted is near to what is measured, and the front is one.
  @Test func frontIsMeasured() throws {
    var search = try Network().search()
    try search.run(budgets: 6, limits: SearchLimits())
    let front = search.points.front()
    #expect(front.count >= 6)
    #expect(front.map(\.blobBytes) == front.map(\.blobBytes).sorted())
    #expect(front.map(\.decibels) == front.map(\.decibels).sorted())
    for point in search.points {
      guard let predicted = point.predictedDecibels else { continue }
      #expect(abs(predicted - point.decibels) < 6, "\(point)")
    }
    // A point is what it says: packed again it has the same size.
    let training = search.training(of: front[0], like: PostTraining())
    let network = Network()
    let (graph, calibration) = try training.calibrate(try training.prepare(network.float.graph), count: 30) { network.samples[$0] }
    #expect(try training.pack(try training.integers(graph, calibration)).blob.count == front[0].blobBytes)
  }

  /// Under a limit the best model that was found is as near to it as the choices allow, and never over it.
  @Test func limitsAreApproached() throws {
    var search = try Network().search()
    try search.run(budgets: 3, limits: SearchLimits())
    let sizes = search.points.map(\.blobBytes)
    var limits = SearchLimits()
    limits.flash = (sizes.min()! + sizes.max()!) / 2
    var limited = try Network().search()
    try limited.run(budgets: 3, limits: limits)
    let (best, other) = (try #require(limits.best(limited.points)), try #require(limits.best(search.points)))
    #expect(best.blobBytes <= limits.flash! && best.decibels >= other.decibels)
    #expect(limited.points.count > search.points.count)
  }

  /// What was measured is kept and not measured again.
  @Test func goesOnWhereItWasStopped() throws {
    struct Stopped: Error {}
    var kept: [SearchPoint] = []
    var search = try Network().search(keep: { points in
      kept = points
      if points.count == 4 { throw Stopped() }
    })
    #expect(throws: Stopped.self) { try search.run(budgets: 4, limits: SearchLimits()) }
    var measured = 0
    var resumed = try Network().search(points: kept, keep: { _ in measured += 1 })
    try resumed.run(budgets: 4, limits: SearchLimits())
    var whole = try Network().search()
    try whole.run(budgets: 4, limits: SearchLimits())
    #expect(resumed.points == whole.points && measured == whole.points.count - 4)
  }

  // MARK: Limits and files

  private static func point(_ flash: Int, _ decibels: Double, agreement: Double = 90, instructions: Int? = nil) -> SearchPoint {
    SearchPoint(
      choices: [flash], activationBits: 8, agreement: agreement, decibels: decibels, accuracy: nil, predictedDecibels: nil,
      blobBytes: flash, arenaBytes: 100, stackBytes: 20, instructions: instructions)
  }

  @Test func beatenPointsAreNotOnTheFront() {
    let points = [Self.point(10, 5), Self.point(20, 4), Self.point(30, 9), Self.point(31, 9), Self.point(10, 5)]
    #expect(points.front().map(\.blobBytes) == [10, 30])
    // Dearer in flash, but cheaper in time.
    let timed = [Self.point(10, 5, instructions: 9), Self.point(20, 4, instructions: 3)]
    #expect(timed.front().count == 2)
  }

  @Test func limitsChoose() {
    let points = [Self.point(10, 5, agreement: 91), Self.point(20, 8, agreement: 95), Self.point(30, 9, agreement: 99)]
    var limits = SearchLimits()
    #expect(limits.best(points) == points[2])
    limits.flash = 25
    #expect(limits.best(points) == points[1])
    limits.agreement = 96
    #expect(limits.best(points) == nil)
    limits = SearchLimits()
    limits.agreement = 94
    // The smallest that is good enough.
    #expect(limits.best(points) == points[1])
    limits.agreement = nil
    limits.ram = 119
    #expect(limits.best(points) == nil)
  }

  @Test func stateIsOfOneModel() throws {
    try TemporaryFolder.with { folder in
      let path = folder.appending(path: "state.json").path
      let graph = Network().float.graph
      let points = [Self.point(10, 5.25, instructions: 7)]
      let state = try SearchState(path, graph, setting: "a")
      #expect(state.points.isEmpty)
      try state.keep(points)
      #expect(try SearchState(path, graph, setting: "a").points == points)
      #expect(throws: PackError.self) { try SearchState(path, graph, setting: "b") }
      var other = graph
      other.tensors[graph.nodes[0].inputs[1]!].data![0] ^= 1
      #expect(throws: PackError.self) { try SearchState(path, other, setting: "a") }
      try AtomicFile.write("{}", to: path)
      let error = #expect(throws: PackError.self) { try SearchState(path, graph, setting: "a") }
      #expect(error?.description.contains("no state of a search") == true)
    }
  }

  @Test func picturesAreWellFormed() throws {
    let points = [Self.point(10, 5, instructions: 9), Self.point(20, 8, instructions: 12), Self.point(25, 7, instructions: 13)]
    let svg = FrontPicture(points, front: points.front(), title: "a < b & c").svg
    let parser = XMLCounter()
    #expect(parser.elements(of: svg)?["circle"] == 6)
    #expect(svg.contains("a &lt; b &amp; c"))
  }
}

/// Counts the elements of a document; nil where it is not well-formed.
private struct XMLCounter {
  func elements(of text: String) -> [String: Int]? {
    var open: [Substring] = []
    var counts: [String: Int] = [:]
    for match in text.matches(of: /<(\/?)([a-z]+)[^<>]*?(\/?)>/) {
      let (closes, name, isEmpty) = (!match.1.isEmpty, match.2, !match.3.isEmpty)
      if closes {
        guard open.popLast() == name else { return nil }
      } else {
        counts[String(name), default: 0] += 1
        if !isEmpty { open.append(name) }
      }
    }
    return open.isEmpty ? counts : nil
  }
}

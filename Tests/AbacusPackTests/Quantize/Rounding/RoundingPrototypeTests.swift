import Testing

@testable import AbacusPack

/// Against the prototype in numpy, with `Tests/Golden/rounding/rounding.json`.
@Suite struct RoundingPrototypeTests {
  private struct Golden: Decodable {
    struct Case: Decodable {
      let bits: Int
      let group: Int
      let grid: String
      let method: String
      let masked: Bool
      let integers: [Int]
      let units: [Double]
    }
    let weights: [Double]
    let x: [Float]
    let y: [Float]
    let kept: String
    let target: [Double]
    let biasCorrection: [Double]
    let cases: [Case]
  }

  private let golden: Golden
  private let moments: DampedMoments
  private let cross: SecondMoments

  init() throws {
    let name = TestFolder.golden("rounding/rounding.json")
    golden = try JSONValue.decode(Golden.self, from: try readFile(name), name: name)
    let (x, y) = (golden.x.map { $0 / 8 }, golden.y.map { $0 / 8 })
    var second = SecondMoments(depth: 32)
    try second.add(y)
    var cross = SecondMoments(depth: 32, isCross: true)
    try cross.add(y, x)
    moments = try DampedMoments(second, isCentred: true, name: "layer")
    self.cross = cross
  }

  private var mask: PruningMask {
    PruningMask(ofNonzero: golden.kept.map { $0 == "1" ? 1 : 0 }, channels: 8)
  }

  private func rounded(_ expected: Golden.Case) throws -> RoundedWeights {
    let format = WeightFormat(
      bits: expected.bits, grid: try #require(WeightFormat.Grid(rawValue: expected.grid)),
      groupSize: expected.group == 0 ? nil : expected.group)
    var rounded = try RoundedWeights.rounding(
      golden.weights, channels: 8, format, try #require(RoundingMethod(rawValue: expected.method)), moments,
      mask: expected.masked ? mask : nil, name: "layer")
    // The prototype has no such scale.
    if rounded.format.groupSize == nil {
      #expect(rounded.lift == format.lift)
      rounded.lift = 1
    }
    return rounded
  }

  @Test func sameIntegers() throws {
    #expect(golden.cases.count == 14)
    for expected in golden.cases {
      let rounded = try rounded(expected)
      let integers = (0..<8 * 32).map { rounded.integer($0 / 32, $0 % 32) }
      let name = "\(expected.bits) bits, \(expected.grid), group \(expected.group), \(expected.method), masked \(expected.masked)"
      #expect(integers == expected.integers, "\(name)")
      for (channel, unit) in expected.units.enumerated() {
        #expect(abs(rounded.unit(channel) / unit - 1) < 1e-9, "\(name), channel \(channel)")
      }
    }
  }

  @Test func sameMask() {
    let squares = moments.matrix.diagonal.map { $0 - moments.damping }
    #expect(PruningMask(.twoOfFour, weights: golden.weights, channels: 8, inputSquares: squares) == mask)
  }

  @Test func sameTargetAndBias() throws {
    let target = try SequentialTarget.weights(golden.weights, channels: 8, cross: cross, moments, isCentred: true)
    for (value, expected) in zip(target, golden.target) { #expect(abs(value - expected) < 1e-9) }
    let correction = SequentialTarget.biasCorrection(
      golden.weights, try rounded(try #require(golden.cases.last)), mean: cross.otherMean, roundedMean: cross.mean)
    #expect(golden.biasCorrection.count == 8)
    for (value, expected) in zip(correction, golden.biasCorrection) { #expect(abs(value - expected) < 1e-9) }
  }
}

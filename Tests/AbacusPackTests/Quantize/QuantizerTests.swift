import Testing

@testable import AbacusPack

/// What has no place in integers is refused by name.
@Suite struct QuantizerTests {
  @Test(arguments: [-Float.infinity, .infinity, .nan], ["sum", "weights", "bias", "scale"])
  func refusesConstantsThatAreNotFinite(_ odd: Float, _ place: String) throws {
    func values(_ count: Int, _ name: String) -> [Float] {
      (0..<count).map { name == place && $0 == count / 2 ? odd : Float($0 % 3) }
    }
    var float = FloatGraph()
    let x = float.input([1, 4, 8])
    let sum = float.binary(.add, x, float.constant([8], values(8, "sum")))
    let scaled = float.add(
      .layerNormalization(epsilon: 1e-6), [sum, float.constant([8], values(8, "scale")), nil], [1, 4, 8])
    let product = float.add(
      .fullyConnected(.none), [scaled, float.constant([6, 8], values(48, "weights")), float.constant([6], values(6, "bias"))],
      [1, 4, 6])
    float.graph.outputs = [product]
    let calibration = try Calibration(
      float.graph, samples: { _ in [FloatTensor(shape: [1, 4, 8], values: (0..<32).map { Float($0) })] }, count: 1)
    let error = #expect(throws: PackError.self) { try Quantizer.quantize(float.graph, calibration) }
    #expect(error?.kind == .unsupported && error?.description.contains("no integer stands for it") == true)
    #expect(error?.description.contains("\(odd)") == true)
  }
}

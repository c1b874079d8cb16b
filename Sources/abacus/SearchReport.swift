import AbacusPack
import Foundation

/// What a search has found, as tables and as JSON.
struct SearchReport: Encodable {
  private struct Layer: Encodable {
    var name: String
    var choices: [Choice]
  }

  private struct Choice: Encodable {
    var format: String
    var noise: Double
    var bytes: Int
    var instructions: Int?
  }

  private let layers: [Layer]
  private let points: [SearchPoint]
  private let front: [SearchPoint]
  private let chosen: SearchPoint
  /// By the name of the layer's weights.
  private let assignment: [String: String]

  init(_ search: WidthSearch, front: [SearchPoint], chosen: SearchPoint) {
    let hasBoard = chosen.instructions != nil
    layers = search.layers.map { layer in
      Layer(
        name: layer.name,
        choices: layer.choices.map {
          Choice(format: $0.format.summary, noise: $0.noise, bytes: $0.bytes, instructions: hasBoard ? $0.instructions : nil)
        })
    }
    points = search.points
    self.front = front
    self.chosen = chosen
    assignment = Dictionary(
      zip(search.layers, chosen.choices).map { ($0.name, $0.choices[$1].format.summary) }, uniquingKeysWith: { first, _ in first })
  }

  /// The models that no other beats, by rising flash.
  static func table(_ front: [SearchPoint], chosen: SearchPoint) -> Table {
    var table = Table([
      .init("", .right), .init("flash", .right), .init("RAM", .right), .init("instructions", .right),
      .init("same as float %", .right), .init("dB", .right), .init("predicted", .right), .init("accuracy %", .right),
      .init("activations", .right), .init(""),
    ])
    for (index, point) in front.enumerated() {
      func decimals(_ value: Double?, _ digits: Int) -> String { value.map { String(format: "%.\(digits)f", $0) } ?? "" }
      table.add(
        "\(index + 1)", NumberText.grouped(point.blobBytes), NumberText.grouped(point.ramBytes),
        point.instructions.map { NumberText.grouped($0) } ?? "", decimals(point.agreement, 2), decimals(point.decibels, 1),
        decimals(point.predictedDecibels, 1), decimals(point.accuracy, 2), "\(point.activationBits) bits",
        point == chosen ? "taken" : "")
    }
    return table
  }

  /// The format of each layer of a model.
  static func assignment(_ layers: [SearchedLayer], _ point: SearchPoint) -> Table {
    var table = Table([.init("weights"), .init("format"), .init("bytes", .right), .init("noise alone, dB", .right)])
    for (layer, index) in zip(layers, point.choices) {
      let choice = layer.choices[index]
      table.add(
        layer.name, choice.format.summary, NumberText.grouped(choice.bytes),
        choice.noise > 0 ? String(format: "%.1f", -10 * log10(choice.noise)) : "")
    }
    return table
  }
}

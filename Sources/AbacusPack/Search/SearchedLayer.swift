/// A layer whose weights the search may store in several ways.
public struct SearchedLayer: Sendable {
  /// One of the ways.
  public struct Choice: Sendable {
    public var format: WeightFormat
    /// What it does to the model's outputs when all other layers are as they were: power of the difference over power of
    /// the outputs.
    public var noise: Double
    /// Flash for codes, scales and zero points.
    public var bytes: Int
    /// Of one inference on the board, where there is one.
    public var instructions: Int
  }

  /// Of its weights.
  public var name: String
  /// Its weights in the graph.
  var id: Graph.TensorID
  public var choices: [Choice]
}

extension WeightFormat {
  /// As tables and files have it: "int8", "int4", "int2/32 odd", "int2/16 offset".
  public var summary: String {
    if bits == 8 { return "int8" }
    let usual = bits == 2 ? Grid.odd : .symmetric
    return "int\(bits)" + (groupSize.map { "/\($0)" } ?? "") + (grid == usual ? "" : " \(grid.rawValue)")
  }
}

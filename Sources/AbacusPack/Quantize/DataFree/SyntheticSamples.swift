import Foundation

/// Inputs for a model of whose data nothing is at hand.
///
/// Images become ``SyntheticImage``s, tokens what the model itself would go on with where it continues texts (arXiv
/// 2305.17888) and random ones where it does not, and other numbers come from the standard normal distribution, to which
/// inputs are mostly normalised.
struct SyntheticSamples: Sendable {
  private let inputs: [Source]
  private let generator: TextGenerator?

  private enum Source: Sendable {
    case pixels(shape: [Int])
    case normalizedPixels(shape: [Int])
    case normal(shape: [Int])
    case tokens(shape: [Int], vocabulary: Int)
    /// Masks that hide nothing.
    case ones(shape: [Int])
  }

  /// - Parameters:
  ///   - graph: in the form that is calibrated.
  ///   - takesPixels: its images are of 0...255; otherwise each is normalised.
  init(_ graph: Graph, takesPixels: Bool) throws {
    inputs = graph.inputs.map { id in
      let (shape, type) = (graph.tensors[id].shape, graph.tensors[id].type)
      if type != .float32 {
        return graph.rowsPicked(by: id).map { .tokens(shape: shape, vocabulary: $0) } ?? .ones(shape: shape)
      }
      let isImage = shape.count == 4 && shape[0] == 1 && (shape[3] == 1 || shape[3] == 3) && min(shape[1], shape[2]) > 1
      if !isImage { return .normal(shape: shape) }
      return takesPixels ? .pixels(shape: shape) : .normalizedPixels(shape: shape)
    }
    generator = try TextGenerator(graph)
  }

  /// How many are enough, unless the user says otherwise: a text is many tokens, and takes many runs.
  var usualCount: Int { generator == nil ? 128 : 32 }

  /// What the samples are, for people.
  var description: String {
    if generator != nil { return "texts that the model makes up" }
    let kinds = inputs.map { source in
      switch source {
      case .pixels: "pictures of random shapes"
      case .normalizedPixels: "pictures of random shapes, of mean 0 and deviation 1"
      case .normal: "normally distributed numbers"
      case .tokens: "random tokens"
      case .ones: "masks that hide nothing"
      }
    }
    return Set(kinds).sorted().joined(separator: ", ")
  }

  /// The inputs of sample `index`: the same on every machine.
  @Sendable func sample(_ index: Int) throws -> [FloatTensor] {
    var random = SplitMix(state: 0xDA7A_F4EE &+ UInt64(index) &* 0x9E37_79B9)
    let values = inputs.map { Self.values($0, &random) }
    return try generator?.written(values, &random) ?? values
  }

  private static func values(_ source: Source, _ random: inout SplitMix) -> FloatTensor {
    switch source {
    case .pixels(let shape): return FloatTensor(shape: shape, values: picture(shape, random.next()))
    case .normalizedPixels(let shape): return FloatTensor(shape: shape, values: normalized(picture(shape, random.next())))
    case .normal(let shape): return filled(shape) { random.nextNormal() }
    case .tokens(let shape, let vocabulary): return filled(shape) { Double(random.next(below: vocabulary)) }
    case .ones(let shape): return filled(shape) { 1 }
    }
  }

  private static func filled(_ shape: [Int], _ value: () -> Double) -> FloatTensor {
    FloatTensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float(value()) })
  }

  private static func picture(_ shape: [Int], _ seed: UInt64) -> [Float] {
    SyntheticImage(height: shape[1], width: shape[2], channels: shape[3]).pixels(seed: seed)
  }

  private static func normalized(_ pixels: [Float]) -> [Float] {
    let mean = pixels.reduce(0, +) / Float(pixels.count)
    let variance = pixels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(pixels.count)
    return pixels.map { ($0 - mean) / max(variance, 1).squareRoot() }
  }
}

extension SplitMix {
  /// Of the standard normal distribution (Box and Muller).
  mutating func nextNormal() -> Double {
    let radius = (-2 * log(1 - nextFraction())).squareRoot()
    return radius * cos(2 * Double.pi * nextFraction())
  }
}

extension Graph {
  /// Rows of the table that an input of whole numbers picks from; nil where it picks from none.
  func rowsPicked(by input: TensorID) -> Int? {
    var same: Set = [input]
    for node in nodes {
      switch node.operation {
      case .reshape, .requantize, .slice:
        if let source = node.inputs[0], same.contains(source) { same.formUnion(node.outputs) }
      case .gather(let axis, _):
        if let table = node.inputs[0], let indices = node.inputs[1], same.contains(indices) { return tensors[table].shape[axis] }
      default: continue
      }
    }
    return nil
  }
}

import AbacusFormat
import AbacusRuntime
import Foundation

/// Looks for the formats of all layers with which a model is nearest to float under a device's limits.
///
/// What each layer's format does to the outputs is measured layer by layer and adds up; what it costs is read from packed models and
/// counted on the emulated board. A knapsack chooses for a row of budgets; what it chooses is rounded, packed and measured, which
/// corrects the prediction for another round (SimQ-NAS, arXiv 2312.13301, measures and predicts in turn alike).
public struct WidthSearch {
  public let layers: [SearchedLayer]
  /// What has been measured so far.
  public private(set) var points: [SearchPoint]

  private let training: PostTraining
  private let graph: Graph
  private let calibration: Calibration
  private let emulator: Emulator?
  private let measurement: OutputMeasurement
  /// Called with all points whenever one is new.
  private let keep: ([SearchPoint]) throws -> Void

  /// Formats that are tried where a layer takes them.
  public static let formats: [WeightFormat] = [
    .int8, WeightFormat(bits: 4, grid: .symmetric), WeightFormat(bits: 4, grid: .symmetric, groupSize: 32),
    WeightFormat(bits: 2, grid: .odd, groupSize: 32), WeightFormat(bits: 2, grid: .offset, groupSize: 16),
  ]

  /// - Parameters:
  ///   - graph: as `PostTraining.calibrate` returns it, with the calibration.
  ///   - samples: others than those of the calibration; `labels` has one for each, or none.
  ///   - points: what an earlier search has measured of the same model.
  ///   - keep: called with all points whenever one is new, so that nothing is lost.
  public init(
    _ training: PostTraining, _ graph: Graph, _ calibration: Calibration, samples: [[FloatTensor]], labels: [Int] = [],
    board: Board? = nil, points: [SearchPoint] = [], keep: @escaping ([SearchPoint]) throws -> Void = { _ in }
  ) throws {
    var training = training
    // The search looks at whole sequences, whatever the model is packed for, and names say which layer is which.
    training.context = nil
    training.pack.strip = false
    self.training = training
    self.graph = graph
    self.calibration = calibration
    self.points = points
    self.keep = keep
    emulator = try board.map { try Emulator(board: $0) }
    measurement = try OutputMeasurement(graph, samples: samples, labels: labels)
    layers = try Self.layers(training, graph, calibration, emulator)
    for point in points {
      guard [8, 16].contains(point.activationBits), point.choices.count == layers.count,
        zip(layers, point.choices).allSatisfy({ $0.choices.indices.contains($1) })
      else { throw PackError(.file, "a point of the state names formats that the model's layers do not have") }
    }
  }

  // MARK: Search

  /// Finds and measures models from the smallest to the largest.
  ///
  /// - Parameters:
  ///   - budgets: how many budgets there are between the smallest model and the largest, for flash and for instructions.
  ///   - limits: of the device; models just below them are measured, too.
  ///   - progress: advanced to the number of models that are measured.
  public mutating func run(budgets: Int = 14, limits: SearchLimits, progress: (Int, Int) -> Void = { _, _ in }) throws {
    let whole = [Int](repeating: 0, count: layers.count)
    // Two rounds: the second knows how far off the prediction of the first was.
    let total = budgets * (emulator == nil ? 2 : 3) + 2 * Self.formats.count
    func report(_ search: WidthSearch) { progress(min(search.points.count, total), total) }
    report(self)
    try measure(whole, activationBits: 8)
    do {
      try measure(whole, activationBits: 16)
    } catch let error as PackError where error.kind == .doesNotFit {
      // Activations of 16 bits take more RAM; those of 8 may fit.
    }
    report(self)
    // Errors of all layers at once are more than the sum of single ones, so some models are not left to prediction.
    for choices in uniformChoices() {
      try measure(choices, activationBits: 8)
      report(self)
    }
    for round in 0..<2 {
      let factors = round == 0 ? Self.formats.map { _ in 1 } : corrections()
      for choices in plannedChoices(budgets, factors) {
        try measure(choices, activationBits: 8)
        report(self)
      }
      try approach(limits, factors)
    }
  }

  /// One format in all layers that take it, and the same with 8 bits at the ends of the network.
  private func uniformChoices() -> [[Int]] {
    let ends = graph.weightsAtEnds
    return Self.formats.dropFirst().flatMap { format in
      [false, true].map { keepsEnds in
        layers.map { layer in
          keepsEnds && ends.contains(layer.id) ? 0 : layer.choices.firstIndex { $0.format == format } ?? 0
        }
      }
    }
  }

  /// What the knapsack finds best for each budget.
  ///
  /// - Parameter factors: what the noise of each format is multiplied by.
  private func plannedChoices(_ budgets: Int, _ factors: [Double]) -> [[Int]] {
    var found: [[Int]] = []
    for cost in emulator == nil ? [0] : [0, 1] {
      let choices = knapsackChoices(costs: [cost], factors)
      let least = choices.reduce(0) { $0 + $1.map { $0.costs[0] }.min()! }
      let most = choices.reduce(0) { $0 + $1.map { $0.costs[0] }.max()! }
      for step in 0..<budgets {
        // Closer together where models are small and each byte counts.
        let share = pow(Double(step) / Double(max(budgets - 1, 1)), 1.5)
        let solution = Knapsack.solve(choices, limits: [least + Int(share * Double(most - least))])
        if let solution, !found.contains(solution) { found.append(solution) }
      }
    }
    return found
  }

  /// What the knapsack chooses from.
  ///
  /// - Parameter costs: which: 0 for flash, 1 for instructions.
  private func knapsackChoices(costs: [Int], _ factors: [Double]) -> [[Knapsack.Choice]] {
    layers.map { layer in
      layer.choices.map { choice in
        let all = [choice.bytes, choice.instructions]
        return Knapsack.Choice(
          loss: choice.noise * factors[Self.formats.firstIndex(of: choice.format)!], costs: costs.map { all[$0] })
      }
    }
  }

  /// Tries with which the limits are approached.
  private static let approaches = 5

  /// Measures what the knapsack finds best within the limits, with less room as long as the packed model is over them: what
  /// layers have beside their weights differs a little from format to format.
  private mutating func approach(_ limits: SearchLimits, _ factors: [Double]) throws {
    var room = roomForWeights(limits)
    for _ in 0..<Self.approaches where !room.isEmpty {
      let choices = knapsackChoices(costs: room.map(\.cost), factors)
      guard let solution = Knapsack.solve(choices, limits: room.map(\.limit)) else { return }
      let point = try measure(solution, activationBits: 8)
      let excess = [point.blobBytes - (limits.flash ?? .max), (point.instructions ?? 0) - (limits.instructions ?? .max)]
      if excess.allSatisfy({ $0 <= 0 }) { return }
      room = room.map { ($0.cost, $0.limit - max(excess[$0.cost], 0)) }
    }
  }

  /// For each limit of flash (cost 0) and instructions (cost 1) that there is: itself less what the model takes beside the weights
  /// of the searched layers.
  private func roomForWeights(_ limits: SearchLimits) -> [(cost: Int, limit: Int)] {
    guard let whole = int8Point else { return [] }
    var room: [(cost: Int, limit: Int)] = []
    if let flash = limits.flash {
      room.append((0, flash - whole.blobBytes + layers.reduce(0) { $0 + $1.choices[0].bytes }))
    }
    if let instructions = limits.instructions, let taken = whole.instructions {
      room.append((1, instructions - taken + layers.reduce(0) { $0 + $1.choices[0].instructions }))
    }
    return room.allSatisfy { $0.limit > 0 } ? room : []
  }

  /// The model with 8 bits in all layers.
  private var int8Point: SearchPoint? { points.first { $0.activationBits == 8 && $0.choices.allSatisfy { $0 == 0 } } }

  /// What the noise of each format is to be multiplied by, so that sums come nearest to what was measured: by ridge regression
  /// towards 1 over relative errors, and never below a tenth.
  private func corrections() -> [Double] {
    let count = Self.formats.count
    let strength = 0.5
    var matrix = SymmetricMatrix(count: count, values: [Double](repeating: 0, count: count * count))
    var right = [Double](repeating: strength, count: count)
    for index in 0..<count { matrix.values[index * (count + 1)] = strength }
    guard let floor = int8Point else { return right.map { _ in 1 } }
    for point in points where point.activationBits == 8 && point.choices != floor.choices {
      let measured = max(pow(10, -point.decibels / 10) - pow(10, -floor.decibels / 10), 1e-9)
      var parts = [Double](repeating: 0, count: count)
      for (layer, choice) in zip(layers, point.choices) {
        parts[Self.formats.firstIndex(of: layer.choices[choice].format)!] += layer.choices[choice].noise / measured
      }
      for i in 0..<count {
        right[i] += parts[i]
        for j in 0..<count { matrix.values[i * count + j] += parts[i] * parts[j] }
      }
    }
    return (CholeskyFactor(matrix)?.solve(right) ?? right.map { _ in 1 }).map { max($0, 0.1) }
  }

  // MARK: Measuring

  /// Decibels that the sum of single effects comes to, beside what activations of 8 bits take.
  private func predicted(_ choices: [Int]) -> Double? {
    guard let floor = int8Point else { return nil }
    let factors = corrections()
    let noise = zip(layers, choices).reduce(pow(10, -floor.decibels / 10)) { sum, pair in
      let choice = pair.0.choices[pair.1]
      return sum + (pair.1 == 0 ? 0 : choice.noise * factors[Self.formats.firstIndex(of: choice.format)!])
    }
    return -10 * log10(noise)
  }

  /// Rounds, packs and measures a model, unless that was done before.
  @discardableResult
  private mutating func measure(_ choices: [Int], activationBits: Int) throws -> SearchPoint {
    if let known = points.first(where: { $0.choices == choices && $0.activationBits == activationBits }) { return known }
    let training = training(choices, activationBits: activationBits)
    let integers = try training.integers(graph, calibration)
    let packed = try training.pack(integers)
    let result = try measurement.measure(packed.blob, integers)
    let instructions = try emulator.map { try $0.run(blob: packed.blob, samples: [try Model(packed.blob).zeroSample]).runInstructions[0] }
    let point = SearchPoint(
      choices: choices, activationBits: activationBits, agreement: result.agreement, decibels: result.decibels,
      accuracy: result.accuracy, predictedDecibels: activationBits == 8 ? predicted(choices) : nil, blobBytes: packed.blob.count,
      arenaBytes: packed.planned.plan.arenaBytes, stackBytes: packed.planned.stackBytes, instructions: instructions)
    points.append(point)
    try keep(points)
    return point
  }

  private func training(_ choices: [Int], activationBits: Int) -> PostTraining {
    var result = training
    if activationBits == 16 { result.quantize.wideBelow = 1_000 }
    for (layer, choice) in zip(layers, choices) { result.quantize.weightFormats[layer.name] = layer.choices[choice].format }
    return result
  }

  /// The options with which a point is packed, for the decoder or the whole sequence as the user asked.
  public func training(of point: SearchPoint, like user: PostTraining) -> PostTraining {
    var result = training(point.choices, activationBits: point.activationBits)
    result.context = user.context
    result.pack.strip = user.pack.strip
    return result
  }
}

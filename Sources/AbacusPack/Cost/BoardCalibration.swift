import AbacusRuntime

/// Measures models of one operator on a board and makes a table of costs of them.
public struct BoardCalibration {
  private let board: Board
  private let emulator: Emulator

  /// What one operator took.
  private struct Sample {
    var kind: String
    var features: [String: Double]
    var measured: Double
  }

  public init(_ board: Board) throws(PackError) {
    self.board = board
    emulator = try Emulator(board: board)
  }

  /// - Parameters:
  ///   - count: shapes of each kind.
  ///   - progress: called with how many models of how many are measured.
  public func table(shapesPerKind count: Int = 40, progress: (Int, Int) -> Void = { _, _ in }) throws -> CostTable {
    var samples: [Sample] = []
    let graphs = CalibrationModels(perKind: count).graphs
    for (index, graph) in graphs.enumerated() {
      samples += try measure(graph, isSliced: index % 3 == 0)
      progress(index + 1, graphs.count)
    }
    let kinds = Dictionary(grouping: samples, by: \.kind).filter { $0.value.count >= Self.fewestSamples }
    return CostTable(board: board.name, kinds: kinds.mapValues(Self.fit))
  }

  /// A kind that only a few shapes have happened to become is left out.
  private static let fewestSamples = 6

  /// - Parameter isSliced: takes the operator in slices, which tells what a call costs.
  private func measure(_ graph: Graph, isSliced: Bool) throws -> [Sample] {
    var options = PackOptions()
    options.strip = true
    options.weightOrder = board.weightOrder
    options.multiplyAccumulatesPerStep = isSliced ? 20_000 : .max
    let blob = try Packer.pack(graph, options: options).blob
    let measured = try emulator.operatorInstructions(of: blob)
    return try OperatorWork.all(of: blob, isStepwise: true).enumerated().map { index, work in
      Sample(kind: work.kind, features: work.features, measured: Double(max(measured[index], 1)))
    }
  }

  /// The fit of all samples of a kind; its errors are those of two fits of halves on the other halves.
  private static func fit(_ samples: [Sample]) -> CostTable.Kind {
    func kind(_ samples: [Sample]) -> CostTable.Kind {
      let fitted = NonNegativeFit.fit(samples.map { ($0.features, $0.measured) })
      return CostTable.Kind(samples: samples.count, medianError: 0, largestError: 0, instructions: fitted.mapValues(rounded))
    }
    let halves = (0..<2).map { half in samples.enumerated().filter { $0.offset % 2 == half }.map(\.element) }
    let errors = (0..<2).flatMap { half in
      let other = kind(halves[1 - half])
      return halves[half].map { abs(other.instructions(of: $0.features) / $0.measured - 1) * 100 }
    }.sorted()
    var result = kind(samples)
    result.medianError = (errors[errors.count / 2] * 100).rounded() / 100
    result.largestError = (errors[errors.count - 1] * 100).rounded() / 100
    return result
  }

  /// Five digits, which is more than the fit is worth.
  private static func rounded(_ value: Double) -> Double {
    var scale = 1.0
    while value * scale < 10_000 && scale < 1e9 { scale *= 10 }
    return (value * scale).rounded() / scale
  }
}

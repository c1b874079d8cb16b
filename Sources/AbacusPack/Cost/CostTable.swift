import Foundation

/// What operators take on a board, found by measuring it (OHQ, arXiv 2309.01945): for each kind of operator, instructions for
/// each feature of its shape. `abacus calibrate-board` writes it as `Targets/BOARD/costs.json`.
///
/// ```
/// let table = try CostTable(board: board)
/// let perOperator = try table.instructions(of: packed.blob)   // one figure for each operator of the blob
/// ```
///
/// Bytes and RAM need no prediction: they stand in the blob and its plan.
public struct CostTable: Codable, Sendable {
  /// Operators that run the same loops.
  public struct Kind: Codable, Sendable {
    /// Shapes that were measured.
    public var samples: Int
    /// Errors of the fit on samples that it was not made from, in percent: half of them are below, and the largest.
    public var medianError: Double
    public var largestError: Double
    /// By feature; products of counts, as "rows/3 depth/4": thirds of the rows times quarters of the depth.
    public var instructions: [String: Double]
  }

  public var board: String
  public var kinds: [String: Kind]

  public init(board: String, kinds: [String: Kind]) {
    self.board = board
    self.kinds = kinds
  }

  /// Reads the table of a board.
  public init(board: Board) throws(PackError) {
    let file = try Self.file(of: board)
    guard let data = FileManager.default.contents(atPath: file) else {
      throw PackError(.file, "\(file) cannot be read; abacus calibrate-board \(board.name) makes it")
    }
    do {
      self = try JSONDecoder().decode(CostTable.self, from: data)
    } catch {
      throw PackError(.malformed, "\(file) is not a table of costs (\(error)); abacus calibrate-board \(board.name) makes it anew")
    }
  }

  /// Where the table of a board lies.
  public static func file(of board: Board) throws(PackError) -> String {
    try Project.located().targets.appending(path: "\(board.name)/costs.json").path
  }

  /// What each operator of a blob takes in one run.
  ///
  /// - Throws: `PackError` of kind `unsupported` where an operator is of a kind that was not measured.
  public func instructions(of blob: [UInt8]) throws -> [Double] {
    try predictions(of: blob, isStepwise: false).map(\.instructions)
  }

  /// The kind of each operator of a blob, and what it takes.
  ///
  /// - Parameter isStepwise: in calls of `abacus_step`, not of `abacus_run`.
  public func predictions(of blob: [UInt8], isStepwise: Bool) throws -> [(kind: String, instructions: Double)] {
    try OperatorWork.all(of: blob, isStepwise: isStepwise).enumerated().map { index, work in
      guard let kind = kinds[work.kind] else {
        throw PackError(.unsupported, "operator \(index): the costs of \(board) have no \"\(work.kind)\"")
      }
      return (work.kind, kind.instructions(of: work.features))
    }
  }

  /// The table as it is kept: the same bytes for the same figures.
  public var json: [UInt8] {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try Array(encoder.encode(self)) + [UInt8(ascii: "\n")]
    }
  }
}

extension CostTable.Kind {
  func instructions(of features: [String: Double]) -> Double {
    // In one order, so that sums are the same everywhere.
    instructions.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value * (features[$1.key] ?? 0) }
  }
}

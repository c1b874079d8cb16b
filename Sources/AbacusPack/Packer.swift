import AbacusFormat
import AbacusRuntime

/// What a packer may decide differently.
public struct PackOptions: Sendable {
  /// Leave out names and metadata.
  public var strip = false
  /// Blocks of the weight layout, rows and columns; 1 and 1 is row-major.
  public var blockRows = 1
  public var blockColumns = 1
  /// Weights in pairs of channels, where an operator takes them: fastest on cores without vectors, slow
  /// elsewhere.
  public var pairsChannels = false
  /// What fully connected layers leave out of their weights, where these have the zeros.
  public var sparsity: Sparsity?
  /// Work of one `abacus_step`, in multiply-accumulates.
  public var multiplyAccumulatesPerStep = 250_000
  /// Rows that pass through a loop of operators at a time: more rows are faster and take more memory.
  /// Unless it is said, as many as the product's loops take at once.
  public var rowsInLoop: Int?
  /// Bytes of RAM that arena and stack may take together. Unless it is said, the arena is as small as can be at
  /// next to no cost in instructions.
  public var ramLimit: Int?
  /// Arithmetic of softmax, GELU, LayerNorm and residual additions.
  public var arithmetic = Arithmetic()
  /// Names of the classes of a classifier, stored with the model.
  public var labels: [String] = []
  /// Names of tensors of the quantised graph that become outputs in addition, to look inside a model.
  public var exposed: [String] = []

  public init() {}
}

extension PackOptions {
  /// Zeros of weights that a device skips.
  public enum Sparsity: String, CaseIterable, Sendable {
    /// Whole groups of 16 consecutive weights of a channel.
    case groups

    /// Kept groups, of all, up to which a layer is stored without the others. For size: at a half, Cortex-M4 takes about as
    /// many instructions as for all of them in pairs.
    static let largestKeptShare = 0.5
  }

  /// How weights lie in memory.
  public enum WeightOrder: String, CaseIterable, Sendable {
    /// Row by row, for any CPU.
    case rows
    /// In pairs of channels, for cores without vectors.
    case pairs
    /// In blocks of 16 channels by 4 columns, for x86-64 and AArch64.
    case quads
  }

  /// The order that the options for blocks and pairs amount to.
  public var weightOrder: WeightOrder {
    get {
      if pairsChannels { return .pairs }
      return blockRows == Int(QuadLayout.rows) && blockColumns == Int(QuadLayout.columns) ? .quads : .rows
    }
    set {
      pairsChannels = newValue == .pairs
      blockRows = newValue == .quads ? Int(QuadLayout.rows) : 1
      blockColumns = newValue == .quads ? Int(QuadLayout.columns) : 1
    }
  }

  /// Rows in a loop of operators: what is asked for, or as many as the product's loops take at once.
  var unitsInLoop: Int {
    if let rowsInLoop { return rowsInLoop }
    return switch weightOrder {
    case .rows: 2
    case .pairs: 3
    case .quads: 8
    }
  }
}

/// A model ready for devices, with the plan it was written from.
public struct PackedModel {
  public let blob: [UInt8]
  public let planned: PlannedProgram
  /// Plans that there are, where patches were looked for.
  public var alternatives: [PlanAlternative] = []
}

/// From a quantised graph to a blob.
public enum Packer {
  /// Lowers, plans and writes a graph, and has the runtime check the result.
  ///
  /// - Throws: `PackError` naming the node that cannot be expressed and what would be right.
  public static func pack(_ graph: Graph, options: PackOptions = PackOptions()) throws -> PackedModel {
    let lowered = try Lowering.lower(graph.normalized().exposing(options.exposed), options: options)
    let program = LoopFormation.form(lowered, unitsInLoop: options.unitsInLoop)
    guard program.inputs.count + program.outputs.count <= Int(Limits.maximumBoundaryTensors) else {
      throw PackError(.unsupported, "the model has too many inputs and outputs")
    }
    let plans = try Planner.plan(program, ramLimit: options.ramLimit)
    var metadata = [(key: "name", value: graph.name)].filter { !$0.value.isEmpty }
    if !options.labels.isEmpty {
      metadata.append((key: "labels", value: options.labels.joined(separator: "\n")))
    }
    func write(_ planned: PlannedProgram) throws -> [UInt8] {
      try BlobWriter.write(planned, options: options, metadata: metadata)
    }
    let blob = try write(plans.taken)
    do {
      _ = try Model.requirements(of: blob)
    } catch {
      throw PackError(.malformed, "internal error: the runtime refuses the packed blob (\(error))")
    }
    var alternatives = try plans.alternatives.map { PlanAlternative($0, blobBytes: try write($0).count) }
    if !alternatives.isEmpty {
      alternatives.append(PlanAlternative(plans.taken, blobBytes: blob.count, isTaken: true))
    }
    return PackedModel(blob: blob, planned: plans.taken, alternatives: alternatives)
  }
}

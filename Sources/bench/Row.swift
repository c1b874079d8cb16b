import AbacusPack

/// What one model takes on one board, or on this machine. What does not apply is nil, and null in JSON.
struct Row: Encodable, Sendable {
  /// The board's name for this machine.
  static let host = "host"

  var model: String
  var board: String
  /// How the Swift code of the firmware was optimised.
  var build: String?
  /// Of one inference; of several (the tokens of a language model) the median.
  var instructions: Int?
  /// Of abacus_open.
  var openInstructions: Int?
  var macs: Int
  var arenaBytes: Int
  var stackBytes: Int?
  /// Code and constants of a firmware with the model's kernels only, without the model.
  var codeBytes: Int?
  var ramBytes: Int?
  var blobBytes: Int
  var peer: Peer.Figures?
  var operators: [OperatorRow]?
  var times: HostTimes?

  init(_ model: String, _ board: String, _ packed: PackedModel) {
    self.model = model
    self.board = board
    macs = Int(packed.planned.program.multiplyAccumulates)
    arenaBytes = packed.planned.plan.arenaBytes
    blobBytes = packed.blob.count
  }

  var instructionsPerMAC: Double? { instructions.flatMap { ratio($0, macs) } }
  var openShare: Double? { openInstructions.flatMap { open in instructions.flatMap { ratio(open, $0) } } }
  var peerShare: Double? { share(instructions, peer?.instructions) }
  var peerArenaShare: Double? { share(arenaBytes, peer?.arenaBytes) }
  var peerCodeShare: Double? { share(codeBytes, peer?.codeBytes) }

  private func share(_ ours: Int?, _ theirs: Int?) -> Double? {
    ours.flatMap { ours in theirs.flatMap { ratio(ours, $0) } }
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case model, board, build, instructions, macs, operators
    case openInstructions = "open_instructions"
    case instructionsPerMAC = "instructions_per_mac"
    case arenaBytes = "arena_bytes"
    case stackBytes = "stack_bytes"
    case codeBytes = "code_bytes"
    case ramBytes = "ram_bytes"
    case blobBytes = "blob_bytes"
    case peerInstructions = "peer_instructions"
    case peerShare = "peer_share"
    case peerArenaBytes = "peer_arena_bytes"
    case peerCodeBytes = "peer_code_bytes"
    case peerStackBytes = "peer_stack_bytes"
    case peerOpenInstructions = "peer_open_instructions"
    case p50 = "p50_microseconds"
    case p90 = "p90_microseconds"
    case liteRTP50 = "litert_p50_microseconds"
    case liteRTP90 = "litert_p90_microseconds"
    case liteRTRatio = "litert_ratio"
    case onnxruntimeP50 = "onnxruntime_p50_microseconds"
    case onnxruntimeP90 = "onnxruntime_p90_microseconds"
    case onnxruntimeRatio = "onnxruntime_ratio"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(model, forKey: .model)
    try container.encode(board, forKey: .board)
    try container.encode(build, forKey: .build)
    try container.encode(instructions, forKey: .instructions)
    try container.encode(openInstructions, forKey: .openInstructions)
    try container.encode(macs, forKey: .macs)
    try container.encode(instructionsPerMAC, forKey: .instructionsPerMAC)
    try container.encode(arenaBytes, forKey: .arenaBytes)
    try container.encode(stackBytes, forKey: .stackBytes)
    try container.encode(codeBytes, forKey: .codeBytes)
    try container.encode(ramBytes, forKey: .ramBytes)
    try container.encode(blobBytes, forKey: .blobBytes)
    try container.encode(peer?.instructions, forKey: .peerInstructions)
    try container.encode(peerShare, forKey: .peerShare)
    try container.encode(peer?.arenaBytes, forKey: .peerArenaBytes)
    try container.encode(peer?.codeBytes, forKey: .peerCodeBytes)
    try container.encode(peer?.stackBytes, forKey: .peerStackBytes)
    try container.encode(peer?.openInstructions, forKey: .peerOpenInstructions)
    try container.encode(operators, forKey: .operators)
    try container.encode(times?.ours.p50, forKey: .p50)
    try container.encode(times?.ours.p90, forKey: .p90)
    try container.encode(times?.liteRT?.p50, forKey: .liteRTP50)
    try container.encode(times?.liteRT?.p90, forKey: .liteRTP90)
    try container.encode(times?.liteRTRatio, forKey: .liteRTRatio)
    try container.encode(times?.onnxruntime?.p50, forKey: .onnxruntimeP50)
    try container.encode(times?.onnxruntime?.p90, forKey: .onnxruntimeP90)
    try container.encode(times?.onnxruntimeRatio, forKey: .onnxruntimeRatio)
  }
}

/// How many times `whole` is in `part`; nil where there is nothing to divide by.
func ratio(_ part: Int, _ whole: Int) -> Double? { whole > 0 ? Double(part) / Double(whole) : nil }

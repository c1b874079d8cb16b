/// What ``Graph/canonical(_:)`` may do differently.
public struct CanonicalOptions: Sendable {
  /// Images at the model's boundary become channels-last: an input or output [1, c, h, w] that is
  /// only there to be transposed becomes [1, h, w, c].
  public var channelsLastBoundary = true
  /// Scale and bias of a normalisation that only fully connected layers read become part of those,
  /// as some converters have done already before we see the model.
  public var foldsNormalizationScale = true

  public init() {}
}

extension Graph {
  /// The graph in one canonical form, whatever it was imported from: the same network has the same
  /// nodes in the same order, with weights equal up to rounding.
  ///
  /// Only nodes on float tensors are rewritten; those on quantised tensors stay. The result
  /// computes what the graph computes, up to the rounding of float arithmetic.
  ///
  /// - Throws: `PackError` where a node on constants cannot be evaluated.
  public func canonical(_ options: CanonicalOptions = CanonicalOptions()) throws -> Graph {
    let editor = GraphEditor(self)
    var rules = GraphEditor.local
    try editor.apply(rules)
    editor.tieTables()
    // Attention collects factors that would otherwise become part of weights.
    rules += GraphEditor.blocks
    try editor.apply(rules)
    rules += GraphEditor.folding
    try editor.apply(rules)
    rules += GraphEditor.selection
    try editor.apply(rules)
    if options.foldsNormalizationScale { try editor.apply([{ $0.foldNormalizationScale }]) }
    if options.channelsLastBoundary {
      try editor.layBoundaryChannelsLast()
      try editor.apply(rules)
    }
    editor.orderOperands()
    editor.narrowInputs()
    return editor.finished()
  }
}

extension GraphEditor {
  /// Rules about single operations and small groups of them.
  static let local: [Rule] = [
    { $0.widenConstants }, { $0.foldConstants }, { $0.removeIdentity }, { $0.simplifySlice },
    { $0.mergeReductionShape }, { $0.simplifyConstantOperand }, { $0.mergeConstants },
    { $0.simplifyFunction }, { $0.mergeDuplicates }, { $0.mergeRelayouts }, { $0.recognizeFullyConnected },
    { $0.absorbBias }, { $0.liftRows }, { $0.sinkReshape }, { $0.sinkTranspose }, { $0.recognizeClamp },
    { $0.recognizeNormalization }, { $0.recognizeBatchForm }, { $0.absorbNormalizationScale },
    { $0.recognizeGate }, { $0.recognizeSoftmax },
  ]

  /// Rules about the parts of an attention.
  static let blocks: [Rule] = [{ $0.recognizeRotary }, { $0.recognizeAttention }, { $0.selectChannels }]

  /// Rules that put constants and clamps into the layers before and after.
  static let folding: [Rule] = [
    { $0.absorbScale }, { $0.absorbInputScale }, { $0.absorbChannelOrder }, { $0.fuseActivation },
  ]

  /// Rules about what is computed of a sequence.
  static let selection: [Rule] = [{ $0.splitAddition }, { $0.hoistSlice }]
}

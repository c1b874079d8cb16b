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
  /// Only nodes on float tensors are rewritten; those on quantised tensors stay.
  public func canonical(_ options: CanonicalOptions = CanonicalOptions()) throws -> Graph {
    let editor = GraphEditor(self)
    try editor.apply(GraphEditor.local)
    return editor.finished()
  }
}

extension GraphEditor {
  /// Rules about single operations and small groups of them.
  static let local: [Rule] = [
    foldConstants, removeIdentity, simplifySlice, mergeReductionShape, simplifyConstantOperand,
    mergeConstants, simplifyFunction, mergeDuplicates, mergeRelayouts, recognizeFullyConnected, absorbBias,
    liftRows, sinkReshape, sinkTranspose, recognizeClamp, recognizeNormalization, recognizeBatchForm,
    absorbNormalizationScale, recognizeGate, recognizeSoftmax,
  ]
}

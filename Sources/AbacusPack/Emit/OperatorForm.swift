import AbacusFormat

extension BlobDescription {
  /// Which of an operator's forms this one is, in words; empty for operators with a single form.
  ///
  /// Forms with I-ViT's arithmetic (arXiv 2207.01405) say "paper", all others of normalisation,
  /// activation, attention and softmax are refined.
  public func form(_ index: Int) -> String {
    let variant = operators[index].variant
    switch opcode(index) {
    case .project, .codedProject, .sparseProject:
      switch ProjectVariant(rawValue: variant) {
      case .residual: return "residual"
      case .paperResidual: return "residual, paper"
      default: return ""
      }
    case .normalize:
      switch NormalizeVariant(rawValue: variant) {
      case .rootMeanSquare: return "root mean square, refined"
      case .paper: return "I-LayerNorm, paper"
      default: return "layer, refined"
      }
    case .activation:
      let p = parameters(index, ActivationParameters.self)
      return ActivationVariant(rawValue: variant) == .paper ? "ShiftGELU, paper \(text(p.exponent))" : "curve, refined"
    case .attention:
      let p = parameters(index, AttentionParameters.self)
      switch AttentionVariant(rawValue: variant) {
      case .paper: return "Shiftmax, paper \(text(p.exponent))"
      case .online: return "online, refined"
      default: return "deferred, refined"
      }
    case .softmaxWide:
      let p = parameters(index, SoftmaxWideParameters.self)
      return SoftmaxVariant(rawValue: variant) == .paper ? "Shiftmax, paper \(text(p.exponent))" : "refined"
    case .softmax: return "refined"
    case .addWide: return AddWideVariant(rawValue: variant) == .paper ? "two roundings, paper" : ""
    case .reduce:
      return ReduceVariant(rawValue: variant).map { "\($0)" } ?? ""
    default: return ""
    }
  }

  private func text(_ exponent: ShiftExponentParameters) -> String {
    "I0 \(exponent.unit) N \(exponent.octaves) k \(exponent.quotientBits)"
  }
}

import AbacusFormat

extension BoundsCertificate {
  /// Largest magnitude before the last shift of a normalisation: what the runtime keeps in 32 bits and
  /// constants can make too large.
  static func normalizationBound(_ blob: BlobDescription, _ index: Int) -> Int64? {
    guard let channels = blob.operand(index, Operands.channels) else { return nil }
    let p = blob.parameters(index, NormalizeParameters.self)
    let constants = blob.constant(channels, Int32.self).map { Int64($0.magnitude) }
    let pairs = stride(from: 0, to: constants.count, by: 2).map { (constants[$0], constants[$0 + 1]) }
    if blob.operators[index].variant == NormalizeVariant.paper.rawValue {
      // |x - mean| * floor((2^31 - 1) / deviation) / 2, and the bias.
      return pairs.map { bias, _ in bias + 1 << 30 }.max()
    }
    // |z| <= sqrt(n) * 2^22, of whose product with the gain the high word counts.
    let normalized = Int64((Double(p.rowLength).squareRoot() * 0x1p22).rounded(.up)) + 1
    let rounding = Int64(1) << Int64(p.stage.shift - 33)
    return pairs.map { gain, offset in (normalized * gain) >> 32 + 1 + offset + rounding }.max()
  }
}

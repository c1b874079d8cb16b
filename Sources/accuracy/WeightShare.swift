import AbacusFormat
import AbacusPack

extension PackedModel {
  /// Bytes of the layers' weights, with scales and zero points of their groups, in percent of what they take with 8 bits
  /// each; nil for models without layers.
  func weightShare() throws -> Double? {
    let description = try BlobDescription(blob, name: "model")
    var (bytes, elements) = (0, 0)
    var seen: Set<Int> = []
    for index in description.operators.indices {
      guard let opcode = description.opcode(index), opcode.isLayer,
        let weights = description.operand(index, Operands.weights), seen.insert(weights).inserted
      else { continue }
      let record = description.tensors[weights]
      elements += (0..<Int(record.rank)).reduce(1) { $0 * Int(record.dims[$1]) }
      bytes += [weights, description.operand(index, Operands.groupScales), description.operand(index, Operands.groupZeros)]
        .compactMap { $0 }.reduce(0) { $0 + Int(description.tensors[$1].byteCount) }
    }
    return elements == 0 ? nil : 100 * Double(bytes) / Double(elements)
  }
}

extension Opcode {
  /// Whether the operator multiplies by constant weights.
  fileprivate var isLayer: Bool {
    switch self {
    case .fullyConnected, .convolution, .depthwiseConvolution, .project, .codedProject, .codedConvolution: true
    default: false
    }
  }
}

import AbacusFormat
import AbacusPack

/// What one operator of a model takes in one inference.
struct OperatorRow: Encodable, Sendable {
  var index: Int
  /// As `abacus inspect` names it.
  var `operator`: String
  var form: String
  var shape: String
  var instructions: Int
  var macs: Int
  /// Of the output.
  var elements: Int
  /// Of the instructions of all operators.
  var share: Double

  var instructionsPerMAC: Double? { ratio(instructions, macs) }
  var instructionsPerElement: Double? { ratio(instructions, elements) }

  /// - Parameters:
  ///   - packed: the model.
  ///   - steps: what each step of a run took.
  static func rows(_ packed: PackedModel, _ steps: [Int]) throws -> [OperatorRow] {
    let blob = try BlobDescription(packed.blob, name: "blob")
    let owners = blob.operatorOfEachStep
    let program = packed.planned.program
    guard owners.count == steps.count, program.steps.count == blob.operators.count else {
      throw PackError(.mismatch, "the board took \(steps.count) steps, the blob has \(owners.count)")
    }
    var instructions = blob.operators.map { _ in 0 }
    for (owner, step) in zip(owners, steps) { instructions[owner] += step }
    let total = max(instructions.reduce(0, +), 1)
    return program.steps.enumerated().map { index, step in
      let output = step.operands[Operands.output].map { program.tensors[$0] }
      return OperatorRow(
        index: index, operator: "\(step.opcode.symbol)", form: blob.form(index),
        shape: output?.shape.map(String.init).joined(separator: "x") ?? "", instructions: instructions[index],
        macs: Int(step.multiplyAccumulates), elements: output?.elementCount ?? 0,
        share: Double(instructions[index]) / Double(total))
    }
  }

  /// All operators of one kind and form together, the dearest first.
  static func kinds(_ rows: [OperatorRow]) -> [(count: Int, sum: OperatorRow)] {
    var sums: [String: (count: Int, sum: OperatorRow)] = [:]
    for row in rows {
      let key = "\(row.operator) \(row.form)"
      guard var known = sums[key] else {
        sums[key] = (1, row)
        continue
      }
      known.count += 1
      known.sum.instructions += row.instructions
      known.sum.macs += row.macs
      known.sum.elements += row.elements
      known.sum.share += row.share
      sums[key] = known
    }
    return sums.values.sorted { ($0.sum.instructions, $1.sum.index) > ($1.sum.instructions, $0.sum.index) }
  }

  private enum CodingKeys: String, CodingKey {
    case index, `operator`, form, shape, instructions, macs, elements, share
    case instructionsPerMAC = "instructions_per_mac"
    case instructionsPerElement = "instructions_per_element"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(index, forKey: .index)
    try container.encode(self.operator, forKey: .operator)
    try container.encode(form, forKey: .form)
    try container.encode(shape, forKey: .shape)
    try container.encode(instructions, forKey: .instructions)
    try container.encode(macs, forKey: .macs)
    try container.encode(instructionsPerMAC, forKey: .instructionsPerMAC)
    try container.encode(elements, forKey: .elements)
    try container.encode(instructionsPerElement, forKey: .instructionsPerElement)
    try container.encode(share, forKey: .share)
  }
}

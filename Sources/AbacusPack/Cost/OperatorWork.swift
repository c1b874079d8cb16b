import AbacusFormat
import AbacusRuntime

/// What an operator of a blob is to a cost table: the kind of its loops, and how much of each there is to do.
struct OperatorWork {
  /// Operators of one kind run the same loops: opcode, form of the kernel, types, and which operands there are.
  let kind: String
  let features: [String: Double]

  /// Of each operator of a blob.
  ///
  /// - Parameter isStepwise: the calls of `abacus_step`, not those of `abacus_run`.
  static func all(of blob: [UInt8], isStepwise: Bool) throws -> [OperatorWork] {
    let description = try BlobDescription(blob, name: "blob")
    let forms = try Model.kernelForms(of: blob)
    return try description.operators.indices.map {
      try OperatorWork(description, $0, form: forms[$0], isStepwise: isStepwise)
    }
  }

  /// - Parameter form: as `Model.kernelForms` has it.
  private init(_ blob: BlobDescription, _ index: Int, form: UInt32, isStepwise: Bool) throws {
    guard let opcode = blob.opcode(index) else {
      throw PackError(.malformed, "operator \(index) is none that the runtime has")
    }
    let shapes = OperatorShapes(blob, index, opcode)
    kind = Self.kind(blob, index, opcode, form: form, isPointwise: shapes.isPointwise)
    var sums: [String: Double] = [:]
    for (units, times) in Self.calls(blob, index, isStepwise: isStepwise) {
      var features = CostFeatures()
      shapes.addFeatures(units: units, to: &features)
      sums.merge(features.values.mapValues { $0 * Double(times) }, uniquingKeysWith: +)
    }
    features = sums
  }

  private static func kind(
    _ blob: BlobDescription, _ index: Int, _ opcode: Opcode, form: UInt32, isPointwise: Bool
  ) -> String {
    var words = ["\(opcode.symbol)"]
    if let forms = KernelForms.of(opcode) { words.append(forms.names[Int(form)]) }
    if opcode == .reduce || opcode == .project || opcode == .codedProject, !blob.form(index).isEmpty {
      words.append(blob.form(index))
    }
    let types = [Operands.input, Operands.weights, Operands.output].filter { blob.operand(index, $0) != nil }
    words.append(types.map { "\(blob.type(index, $0))" }.joined(separator: "-"))
    if isPointwise { words.append("pointwise") }
    let slots = [(Operands.shifts, "shifts"), (Operands.groupScales, "groups"), (Operands.groupZeros, "zeros"), (Operands.scratch, "scratch")]
    words += slots.filter { blob.operand(index, $0.0) != nil }.map(\.1)
    return words.joined(separator: " ")
  }

  /// How many units the calls of the kernel have in one run, and how often.
  private static func calls(_ blob: BlobDescription, _ index: Int, isStepwise: Bool) -> [(units: Int, times: Int)] {
    func continues(_ place: Int) -> Bool {
      place < blob.operators.count && blob.operators[place].flags & OperatorRecord.Flags.continuesLoop != 0
    }
    let record = blob.operators[index]
    let isAlone = !continues(index) && !continues(index + 1)
    let isWhole = isAlone && !isStepwise && record.flags & OperatorRecord.Flags.descends == 0
    let units = Int(record.units), step = isWhole ? units : Int(record.unitsPerStep)
    // In a loop the units that a delay puts off come later, in calls of the same size but for the first.
    let first = isAlone ? 0 : (step - Int(record.delay) % step) % step
    var counts: [Int: Int] = [:]
    if first > 0 { counts[min(first, units), default: 0] += 1 }
    let rest = max(units - first, 0)
    if rest >= step { counts[step, default: 0] += rest / step }
    if rest % step > 0 { counts[rest % step, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}

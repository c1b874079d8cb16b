import AbacusFormat
import CAbacus

/// Rows of a quantised table, picked by int32 indices; an index outside reads the nearest entry. A unit
/// is one index.
@c(abacus_run_embed)
public func runEmbed(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe embed(Invocation(call))
}

private func embed(_ call: Invocation) {
  let p = call.parameters(EmbedParameters.self)
  let indices: Elements<Int32> = call.elements(Operands.input)
  let table: Elements<Int8> = call.elements(Operands.weights)
  let multipliers: Elements<Int32> = call.elements(Operands.channels)
  let output = WideOutput(call)
  let last = Int32(bitPattern: p.entries) &- 1
  let length = Int(truncatingIfNeeded: p.rowLength)

  for unit in call.units {
    let index = Int(
      truncatingIfNeeded: min(max(indices[unit &- call.origin(Operands.input)], 0), last))
    let row = table.dropping(index &* length)
    let target = (unit &- call.origin(Operands.output)) &* length
    for i in 0..<length {
      output.store(p.stage.apply(Int32(row[i]), multiplier: multipliers[index]), at: target &+ i)
    }
  }
}

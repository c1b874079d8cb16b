import AbacusFormat
import CAbacus

/// Scaled dot-product attention, one query row and head at a time, so that no more than the scores of
/// one row are ever in memory. A unit is one query row.
@c(abacus_run_attention)
public func runAttention(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.tensor(Operands.input).elementType == ElementType.int16.rawValue {
    attend(call, Int16.self)
  } else {
    attend(call, Int8.self)
  }
}

/// Not inlined: the frames of both forms would add up.
@inline(never)
private func attend<Query: ProductElement>(_ call: Invocation, _: Query.Type) {
  let p = call.parameters(AttentionParameters.self)
  let queries: Elements<Query> = call.elements(Operands.input)
  let keys = AttentionKeys(call, p)
  let values = AttentionValues(call, p)
  let scales: Elements<Int32> = call.elements(Operands.channels)
  let row = ScoreRow(call)
  let variant = AttentionVariant(rawValue: call.record.variant)
  let depth = Int(truncatingIfNeeded: p.depth)
  let heads = Int(truncatingIfNeeded: p.heads)
  let block = min(Int(truncatingIfNeeded: p.block), keys.count)
  // Heads that share their keys and values.
  let sharing = heads / Int(truncatingIfNeeded: p.keyValueHeads)

  for unit in call.units {
    let visible = keys.visible(toRow: unit)
    var query = queries.dropping((unit &- call.origin(Operands.input)) &* heads &* depth)
    var target = (unit &- call.origin(Operands.output)) &* heads &* values.depth
    var (keyValueHead, member) = (0, 0)
    for head in 0..<heads {
      let scale = HeadScale(scales, head: head)
      if variant == .online {
        var online = OnlineRow(row, block: block)
        online.attend(
          query, keys, values, head: keyValueHead, visible: visible, scale, at: target)
      } else {
        let greatest = keys.scores(of: query, head: keyValueHead, 0..<visible, to: row.scores)
        var value = scale.value
        if variant == .paper {
          shiftmax(row, visible, greatest: greatest, scale.score, p.exponent)
        } else {
          let sum = exponentials(row, visible, greatest: greatest, scale.score)
          value = scale.value(over: sum)
        }
        values.writeSums(row.weights.readOnly, visible, head: keyValueHead, value, at: target)
      }
      query = query.dropping(depth)
      target = target &+ values.depth
      member = member &+ 1
      if member == sharing { (keyValueHead, member) = (keyValueHead &+ 1, 0) }
    }
  }
}

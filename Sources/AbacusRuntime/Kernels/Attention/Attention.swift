import AbacusFormat
import CAbacus

// Scaled dot-product attention, one query row and head at a time, so that no more than the scores of
// one row are ever in memory. A unit is one query row.

/// The variant and, on top, 3 where queries are of int16; 6, or 7 for int16, where three rows go at a time.
@c(abacus_form_attention)
public func attentionForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let isWide = call.tensor(Operands.input).elementType == ElementType.int16.rawValue
  if call.takesThreeRows { return isWide ? 7 : 6 }
  return UInt32(truncatingIfNeeded: call.record.variant) &+ (isWide ? 3 : 0)
}

@c(abacus_run_attention)
public func runAttention(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe attentionForm(call) {
  case 0: unsafe attentionDeferredInt8(call)
  case 1: unsafe attentionOnlineInt8(call)
  case 2: unsafe attentionPaperInt8(call)
  case 3: unsafe attentionDeferredInt16(call)
  case 4: unsafe attentionOnlineInt16(call)
  case 5: unsafe attentionPaperInt16(call)
  case 6: unsafe attentionRowsInt8(call)
  default: unsafe attentionRowsInt16(call)
  }
}

// Not inlined: their frames would add up.

@inline(never)
@c(abacus_run_attention_deferred_int8)
public func attentionDeferredInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int8.self, .deferred)
}

@inline(never)
@c(abacus_run_attention_online_int8)
public func attentionOnlineInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int8.self, .online)
}

@inline(never)
@c(abacus_run_attention_paper_int8)
public func attentionPaperInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int8.self, .paper)
}

@inline(never)
@c(abacus_run_attention_deferred_int16)
public func attentionDeferredInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int16.self, .deferred)
}

@inline(never)
@c(abacus_run_attention_online_int16)
public func attentionOnlineInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int16.self, .online)
}

@inline(never)
@c(abacus_run_attention_paper_int16)
public func attentionPaperInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe attend(Invocation(call), Int16.self, .paper)
}

@inline(never)
@c(abacus_run_attention_rows_int8)
public func attentionRowsInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe attendThreeRows(Invocation(call), Int8.self)
  #else
  unsafe attentionDeferredInt8(call)
  #endif
}

@inline(never)
@c(abacus_run_attention_rows_int16)
public func attentionRowsInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe attendThreeRows(Invocation(call), Int16.self)
  #else
  unsafe attentionDeferredInt16(call)
  #endif
}

@inline(__always)
private func attend<Query: ProductElement>(_ call: Invocation, _: Query.Type, _ variant: AttentionVariant) {
  let p = call.parameters(AttentionParameters.self)
  let queries: Elements<Query> = call.elements(Operands.input)
  let keys = AttentionKeys(call, p)
  let values = AttentionValues(call, p)
  let scales: Elements<Int32> = call.elements(Operands.channels)
  let row = ScoreRow(call)
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

import CAbacus

/// Average of a window, a vector of channels at a time.
@inlinable @inline(__always)
public func average<Set: VectorSet>(_ p: UnsafePointer<abacus_pool_window>, _: Set.Type) {
  let stage = unsafe VectorStage<Set>(
    shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
  let multiplier = unsafe Set.splat(p.pointee.multiplier)
  let start = unsafe Set.splat(0 &- p.pointee.offset)
  unsafe pool(p, Set.self, start, { Set.add($0, $1) }, { stage.apply($0, multiplier) })
}

/// The greatest elements of a window.
@inlinable @inline(__always)
public func greatest<Set: VectorSet>(_ p: UnsafePointer<abacus_pool_window>, _: Set.Type) {
  let (low, high) = unsafe (Set.splat(p.pointee.low), Set.splat(p.pointee.high))
  unsafe pool(p, Set.self, low, { Set.maximum($0, $1) }, { Set.minimum($0, high) })
}

@inlinable @inline(__always)
func pool<Set: VectorSet>(
  _ p: UnsafePointer<abacus_pool_window>, _: Set.Type, _ start: Set.Words,
  _ combine: (Set.Words, Set.Words) -> Set.Words, _ finish: (Set.Words) -> Set.Words
) {
  let channelCount = unsafe p.pointee.channel_count
  var channel = 0
  while channel < channelCount {
    let count = min(channelCount &- channel, Set.lanes)
    var result = start
    var row = unsafe p.pointee.pixels + channel
    var rows = unsafe p.pointee.height
    while rows > 0 {
      var pixel = unsafe row
      var pixels = unsafe p.pointee.width
      while pixels > 0 {
        result = unsafe combine(result, Set.widened(pixel, count))
        unsafe pixel = pixel + channelCount
        pixels = pixels &- 1
      }
      unsafe row = row + p.pointee.row_stride
      rows = rows &- 1
    }
    unsafe Set.store(finish(result), p.pointee.output + channel, count)
    channel = channel &+ Set.lanes
  }
}

import CAbacus

/// Average of a window, a vector of channels at a time.
@inlinable @inline(__always)
public func average<Set: VectorSet>(_ p: UnsafePointer<abacus_pool_window>, _: Set.Type) {
  let stage = unsafe VectorStage<Set>(
    shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
  let channelCount = unsafe p.pointee.channel_count
  var channel = 0
  while channel < channelCount {
    let count = min(channelCount &- channel, Set.lanes)
    var sums = unsafe Set.splat(0 &- p.pointee.offset)
    var row = unsafe p.pointee.pixels + channel
    var rows = unsafe p.pointee.height
    while rows > 0 {
      var pixel = unsafe row
      var pixels = unsafe p.pointee.width
      while pixels > 0 {
        sums = unsafe Set.add(sums, Set.widened(pixel, count))
        unsafe pixel = pixel + channelCount
        pixels = pixels &- 1
      }
      unsafe row = row + p.pointee.row_stride
      rows = rows &- 1
    }
    unsafe Set.store(stage.apply(sums, Set.splat(p.pointee.multiplier)), p.pointee.output + channel, count)
    channel = channel &+ Set.lanes
  }
}

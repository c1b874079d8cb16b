import CAbacus

/// Copies windows of an image into patches, a row of taps at a time where taps are neighbours.
@inlinable @inline(__always)
public func gather<Set: VectorSet>(_ p: UnsafePointer<abacus_window_gather>, _: Set.Type) {
  let windows = unsafe WindowGather<Set>(p)
  var pixel = 0
  while unsafe pixel < p.pointee.pixel_count {
    windows.gather(pixel)
    pixel = pixel &+ 1
  }
}

@usableFromInline
@safe
struct WindowGather<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_window_gather>

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_window_gather>) {
    unsafe self.p = p
  }

  @inlinable @inline(__always)
  func gather(_ pixel: Int) {
    let column = unsafe p.pointee.first_column &+ pixel &* p.pointee.pixel_step
    let channels = unsafe p.pointee.channel_count
    let width = unsafe p.pointee.width
    let rowLength = width &* channels
    // Dense rows of taps are one run, others a run for each tap.
    let runs = unsafe p.pointee.column_step == 1 ? 1 : width
    let taps = runs == 1 ? width : 1
    var to = unsafe p.pointee.patches + pixel &* p.pointee.patch_stride
    var row = unsafe p.pointee.first_row
    let imageHeight = unsafe UInt(bitPattern: p.pointee.image_height)
    var rows = unsafe p.pointee.height
    while rows > 0 {
      if UInt(bitPattern: row) >= imageHeight {
        unsafe fill(to, rowLength)
      } else {
        for run in 0..<runs {
          unsafe copy(row, column &+ run &* p.pointee.column_step, taps, to + run &* channels)
        }
      }
      unsafe to = to + rowLength
      row = unsafe row &+ p.pointee.row_step
      rows = rows &- 1
    }
  }

  /// Neighbouring taps of a row of the image; those beyond its ends are padding.
  @inlinable @inline(__always)
  func copy(_ row: Int, _ column: Int, _ taps: Int, _ to: UnsafeMutablePointer<Int8>) {
    let channels = unsafe p.pointee.channel_count
    let imageWidth = unsafe p.pointee.image_width
    let first = min(max(0 &- column, 0), taps)
    let end = max(min(imageWidth &- column, taps), first)
    if first > 0 { unsafe fill(to, first &* channels) }
    if end < taps { unsafe fill(to + end &* channels, (taps &- end) &* channels) }
    if end == first { return }
    let from = unsafe p.pointee.image + (row &* imageWidth &+ column &+ first) &* channels
    let start = first &* channels
    let count = end &* channels &- start
    var k = 0
    while k < count {
      unsafe Set.copy(from + k, to + (start &+ k), min(count &- k, Set.run))
      k = k &+ Set.run
    }
  }

  @inlinable @inline(__always)
  func fill(_ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    var k = 0
    while k < count {
      unsafe Set.fill(to + k, p.pointee.padding, min(count &- k, Set.run))
      k = k &+ Set.run
    }
  }
}

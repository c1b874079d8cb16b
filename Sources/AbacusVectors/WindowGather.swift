import CAbacus

/// Copies windows of an image into patches, a row of taps at a time where taps are neighbours.
@inlinable @inline(__always)
public func gather<Set: VectorSet>(_ p: UnsafePointer<abacus_window_gather>, _: Set.Type) {
  let windows = unsafe WindowGather<Set>(p)
  let pixels = unsafe p.pointee.pixel_count
  var pixel = 0
  while pixel < pixels {
    windows.gather(pixel)
    pixel = pixel &+ 1
  }
}

@usableFromInline
@safe
struct WindowGather<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_window_gather>
  /// Neighbouring taps that are copied at once, and how many such runs a row of taps has.
  @usableFromInline let taps: Int
  @usableFromInline let runs: Int
  @usableFromInline let channels: Int
  @usableFromInline let imageWidth: Int
  /// Elements of a line of the image.
  @usableFromInline let line: Int
  /// All rows of taps lie in the image, and one copy suffices for each.
  @usableFromInline let isShort: Bool

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_window_gather>) {
    unsafe self.p = p
    let isDense = unsafe p.pointee.column_step == 1
    taps = unsafe isDense ? p.pointee.width : 1
    runs = unsafe isDense ? 1 : p.pointee.width
    channels = unsafe p.pointee.channel_count
    imageWidth = unsafe p.pointee.image_width
    line = imageWidth &* channels
    let first = unsafe p.pointee.first_row
    let last = unsafe first &+ (p.pointee.height &- 1) &* p.pointee.row_step
    isShort = unsafe isDense && taps &* channels <= Set.run && first >= 0 && last < p.pointee.image_height
  }

  @inlinable @inline(__always)
  func gather(_ pixel: Int) {
    let column = unsafe p.pointee.first_column &+ pixel &* p.pointee.pixel_step
    if isShort && column >= 0 && column &+ taps <= imageWidth {
      gatherInside(pixel, column)
    } else {
      gatherClipped(pixel, column)
    }
  }

  /// A window that lies inside the image, of rows that one copy suffices for.
  @inlinable @inline(__always)
  func gatherInside(_ pixel: Int, _ column: Int) {
    var to = unsafe p.pointee.patches + pixel &* p.pointee.patch_stride
    var from = unsafe p.pointee.image + (p.pointee.first_row &* line &+ column &* channels)
    let step = unsafe p.pointee.row_step &* line
    var rows = unsafe p.pointee.height
    while rows > 0 {
      unsafe Set.copy(from, to, taps &* channels)
      unsafe from = from + step
      unsafe to = to + taps &* channels
      rows = rows &- 1
    }
  }

  @inlinable @inline(never)
  func gatherClipped(_ pixel: Int, _ column: Int) {
    let columnStep = unsafe p.pointee.column_step
    let rowStep = unsafe p.pointee.row_step
    let isInside = runs == 1 && column >= 0 && column &+ taps <= imageWidth
    let length = taps &* channels
    var to = unsafe p.pointee.patches + pixel &* p.pointee.patch_stride
    var row = unsafe p.pointee.first_row
    let imageHeight = unsafe UInt(bitPattern: p.pointee.image_height)
    let image = unsafe p.pointee.image
    var rows = unsafe p.pointee.height
    while rows > 0 {
      if UInt(bitPattern: row) >= imageHeight {
        unsafe fill(to, runs &* length)
        unsafe to = to + runs &* length
      } else if isInside {
        unsafe copy(image + (row &* line &+ column &* channels), to, length)
        unsafe to = to + length
      } else {
        var run = 0
        while run < runs {
          unsafe copyInside(image + row &* line, column &+ run &* columnStep, to)
          unsafe to = to + length
          run = run &+ 1
        }
      }
      row = row &+ rowStep
      rows = rows &- 1
    }
  }

  /// A run of taps of which some lie beyond the ends of the line.
  @inlinable @inline(__always)
  func copyInside(_ line: UnsafePointer<Int8>, _ column: Int, _ to: UnsafeMutablePointer<Int8>) {
    let first = min(max(0 &- column, 0), taps)
    let end = max(min(imageWidth &- column, taps), first)
    unsafe fill(to, first &* channels)
    unsafe fill(to + end &* channels, (taps &- end) &* channels)
    if end > first {
      unsafe copy(line + (column &+ first) &* channels, to + first &* channels, (end &- first) &* channels)
    }
  }

  @inlinable @inline(__always)
  func copy(_ from: UnsafePointer<Int8>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    var k = 0
    while k < count {
      unsafe Set.copy(from + k, to + k, min(count &- k, Set.run))
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

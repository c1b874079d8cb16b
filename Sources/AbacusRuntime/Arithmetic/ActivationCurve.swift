/// `f(x) = x * cdf(x)` as ReLU minus an even function (integer-semantics 5.3), for any cdf with
/// cdf(-x) = 1 - cdf(x): GELU, SiLU, QuickGELU. The even function comes from a table with steps of 1/32
/// and is 0 from the last entry on.
///
/// - Parameters:
///   - x: on grid 2^-10, within 32767.
///   - last: index of the last entry, 1...1024.
///   - entry: the entries of the table, on grid 2^-16.
/// - Returns: f(x) on grid 2^-16.
@inline(__always)
public func activationCurve(_ x: Int32, last: Int, _ entry: (Int) -> Int16) -> Int32 {
  let magnitude = Int32(bitPattern: x.magnitude)
  let index = Int(truncatingIfNeeded: magnitude &>> 5)
  let rectified = max(x, 0) &<< 6
  if index >= last { return rectified }
  let left = Int32(entry(index))
  let rise = (Int32(entry(index &+ 1)) &- left) &* (magnitude & 31)
  return rectified &- left &- ((rise &+ 16) &>> 5)
}

/// A code on grid 2^-10, as ``activationCurve(_:last:_:)`` wants it.
///
/// - Parameter shift: 0 where the code is on that grid already.
@inline(__always)
public func activationArgument(_ code: Int32, multiplier: Int32, shift: Int32) -> Int32 {
  min(max(shift == 0 ? code : requantize(code, multiplier, shift: shift), -32767), 32767)
}

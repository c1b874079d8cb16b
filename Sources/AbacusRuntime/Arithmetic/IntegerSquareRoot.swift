/// `floor(sqrt(value))` for values below 2^63 (integer-semantics section 6).
///
/// Digit by digit: shifts and subtractions only, so that cores without a divider are served as
/// well. The result is exact, hence the same as that of any other exact method.
public func integerSquareRoot(_ value: UInt64) -> UInt64 {
  var remainder = value
  var root: UInt64 = 0
  var bit: UInt64 = 1 &<< 62
  while bit > remainder { bit = bit &>> 2 }
  while bit != 0 {
    if remainder >= root &+ bit {
      remainder = remainder &- (root &+ bit)
      root = (root &>> 1) &+ bit
    } else {
      root = root &>> 1
    }
    bit = bit &>> 2
  }
  return root
}

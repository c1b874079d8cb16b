/// About 1.702 x, by shifts: x + x/2 + x/8 + x/16, as in ShiftGELU of I-ViT (arXiv 2207.01405;
/// integer-semantics 5.1).
@inline(__always)
public func sigmoidSlope(_ x: Int32) -> Int32 {
  x &+ (x &>> 1) &+ (x &>> 3) &+ (x &>> 4)
}

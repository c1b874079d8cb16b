#if ABACUS_THUMB
/// The high word of a product, on cores that multiply to 32 bits: four products of halves.
@inline(__always)
func highWord(_ a: Int32, _ b: Int32) -> Int32 {
  let (lowA, highA) = (a & 0xFFFF, a &>> 16)
  let (lowB, highB) = (b & 0xFFFF, b &>> 16)
  let low = Int32(bitPattern: UInt32(bitPattern: lowA &* lowB) &>> 16)
  let middle = highA &* lowB &+ low
  let other = lowA &* highB &+ middle & 0xFFFF
  return highA &* highB &+ middle &>> 16 &+ other &>> 16
}
#else
/// The high word of a product.
@inline(__always)
func highWord(_ a: Int32, _ b: Int32) -> Int32 { a.multipliedFullWidth(by: b).high }
#endif

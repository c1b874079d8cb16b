/// A loop of up to eight steps, written out: arrays whose indices are all known when this is compiled become
/// registers, and loops that are too long for the compiler to unroll would keep them in memory.
@inlinable @inline(__always)
func unrolled(_ count: Int, _ body: (Int) -> Void) {
  if count > 0 { body(0) }
  if count > 1 { body(1) }
  if count > 2 { body(2) }
  if count > 3 { body(3) }
  if count > 4 { body(4) }
  if count > 5 { body(5) }
  if count > 6 { body(6) }
  if count > 7 { body(7) }
}

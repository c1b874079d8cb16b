import CAbacus

/// A type of outputs.
protocol SaturatedElement: FixedWidthInteger, BitwiseCopyable {
  static func saturated(_ value: Int32) -> Self
}

extension Int8: SaturatedElement {
  @inline(__always)
  static func saturated(_ value: Int32) -> Int8 { Int8(truncatingIfNeeded: abacus_saturate_byte(value)) }
}

extension Int16: SaturatedElement {
  @inline(__always)
  static func saturated(_ value: Int32) -> Int16 { Int16(truncatingIfNeeded: abacus_saturate_half(value)) }
}

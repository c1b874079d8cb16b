import AbacusFormat

// Operands of several widths behind one type, for loops that do so much with each element that a
// branch on the width costs little. Loops of few instructions are generic over their elements.

/// Elements of 8, 16 or 32 bits that a kernel reads as 32 bits.
struct WideElements {
  private let bytes: Elements<Int8>
  private let halves: Elements<Int16>
  private let words: Elements<Int32>
  private let type: UInt8

  @inline(__always)
  init(_ call: Invocation, _ slot: Int) {
    bytes = call.elements(slot)
    halves = call.elements(slot)
    words = call.elements(slot)
    type = call.tensor(slot).elementType
  }

  @inline(__always)
  subscript(index: Int) -> Int32 {
    switch type {
    case ElementType.int32.rawValue: words[index]
    case ElementType.int16.rawValue: Int32(halves[index])
    default: Int32(bytes[index])
    }
  }
}

/// Elements of 8, 16 or 32 bits that a kernel writes.
struct WideOutput {
  private let bytes: MutableElements<Int8>
  private let halves: MutableElements<Int16>
  private let words: MutableElements<Int32>
  private let type: UInt8

  @inline(__always)
  init(_ call: Invocation, _ slot: Int = Operands.output) {
    bytes = call.mutableElements(slot)
    halves = call.mutableElements(slot)
    words = call.mutableElements(slot)
    type = call.tensor(slot).elementType
  }

  /// Elements of 8 bits.
  @inline(__always)
  var isNarrow: Bool { type == ElementType.int8.rawValue }

  /// - Parameter value: in the range of the elements.
  @inline(__always)
  func store(_ value: Int32, at index: Int) {
    switch type {
    case ElementType.int32.rawValue: words[index] = value
    case ElementType.int16.rawValue: halves[index] = Int16(truncatingIfNeeded: value)
    default: bytes[index] = Int8(truncatingIfNeeded: value)
    }
  }

  /// Where the elements are known to be of 8 bits.
  @inline(__always)
  func store(byte value: Int32, at index: Int) { bytes[index] = Int8(truncatingIfNeeded: value) }
}

import Board
import CAbacus

/// What a language model chooses: the token whose logit is the highest.
enum Choice {
  /// The index of the highest element of the first output; of equal ones the first.
  static func highest(of session: inout abacus_session) -> UInt32 {
    var output = unsafe abacus_tensor()
    guard unsafe abacus_output(&session, 0, &output) == ABACUS_OK, let data = unsafe output.data else { return 0 }
    let bytes = Int(bitPattern: UInt(unsafe output.bytes))
    let elements = unsafe UnsafeRawBufferPointer(start: data, count: bytes)
    switch unsafe output.dtype {
    case ABACUS_INT16: return unsafe highest(elements, Int16.self)
    case ABACUS_INT32: return unsafe highest(elements, Int32.self)
    case ABACUS_UINT8: return unsafe highest(elements, UInt8.self)
    default: return unsafe highest(elements, Int8.self)
    }
  }

  /// Whether nothing may follow a choice, wherever it occurs.
  static func isLast(_ choice: UInt32, _ parameters: board_parameters) -> Bool {
    guard let stops = unsafe UnsafePointer<UInt32>(bitPattern: UInt(parameters.stops)) else { return false }
    for index in 0..<parameters.stop_count {
      if unsafe stops[Int(bitPattern: UInt(index))] == choice { return true }
    }
    return false
  }

  /// Makes the first input, an int32, the choice.
  static func write(_ choice: UInt32, to session: inout abacus_session) {
    var input = unsafe abacus_tensor()
    guard unsafe abacus_input(&session, 0, &input) == ABACUS_OK, let data = unsafe input.data else { return }
    guard unsafe input.bytes >= 4 else { return }
    unsafe data.storeBytes(of: choice, as: UInt32.self)
  }

  private static func highest<Element: FixedWidthInteger & BitwiseCopyable>(
    _ elements: UnsafeRawBufferPointer, _: Element.Type
  ) -> UInt32 {
    var best: UInt32 = 0
    var highest = Element.min
    var index: UInt32 = 0
    for element in unsafe elements.assumingMemoryBound(to: Element.self) {
      if element > highest {
        highest = element
        best = index
      }
      index &+= 1
    }
    return best
  }
}

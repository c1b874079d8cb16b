import Board
import CAbacus

/// What a language model chooses: the token whose logit is the highest.
enum Choice {
  /// The index of the highest element of the first output; of equal ones the first.
  static func highest(of session: inout abacus_session) -> UInt32 {
    var output = unsafe abacus_tensor()
    guard unsafe abacus_output(&session, 0, &output) == ABACUS_OK, let data = unsafe output.data else { return 0 }
    var best: UInt32 = 0
    var highest = Int32.min
    let count = unsafe output.bytes / width(output.dtype)
    for index in 0..<count {
      let element = unsafe element(data, Int(bitPattern: UInt(index)), output.dtype)
      if element > highest { (best, highest) = (index, element) }
    }
    return best
  }

  private static func width(_ type: abacus_dtype) -> UInt32 {
    type == ABACUS_INT32 ? 4 : type == ABACUS_INT16 ? 2 : 1
  }

  private static func element(_ data: UnsafeMutableRawPointer, _ index: Int, _ type: abacus_dtype) -> Int32 {
    switch type {
    case ABACUS_INT16: unsafe Int32(data.assumingMemoryBound(to: Int16.self)[index])
    case ABACUS_INT32: unsafe data.assumingMemoryBound(to: Int32.self)[index]
    case ABACUS_UINT8: unsafe Int32(data.assumingMemoryBound(to: UInt8.self)[index])
    default: unsafe Int32(data.assumingMemoryBound(to: Int8.self)[index])
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
}

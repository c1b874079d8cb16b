import Board

/// Lines of text to the host: a word and the bytes of a value, in hexadecimal, as memory has them.
enum Console {
  static func line<Value: BitwiseCopyable>(_ name: StaticString, _ value: Value) {
    var value = value
    unsafe withUnsafeBytes(of: &value) { unsafe line(name, bytes: $0) }
  }

  static func line(_ name: StaticString, bytes: UnsafeRawBufferPointer) {
    text(name)
    text(" ")
    for unsafe byte in unsafe bytes {
      var digits = (digit(byte &>> 4), digit(byte & 15), CChar(0))
      unsafe withUnsafeBytes(of: &digits) {
        unsafe board_print($0.baseAddress!.assumingMemoryBound(to: CChar.self))
      }
    }
    text("\n")
  }

  /// A literal, which ends with a zero.
  static func text(_ string: StaticString) {
    unsafe board_print(UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self))
  }

  private static func digit(_ value: UInt8) -> CChar {
    CChar(truncatingIfNeeded: value &+ (value < 10 ? 0x30 : 0x57))
  }
}

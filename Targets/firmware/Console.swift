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
      unsafe withUnsafeBytes(of: &digits) { unsafe text($0) }
    }
    text("\n")
  }

  private static func text(_ string: StaticString) {
    string.withUTF8Buffer { unsafe text(UnsafeRawBufferPointer($0)) }
  }

  /// `bytes` end with a zero.
  private static func text(_ bytes: UnsafeRawBufferPointer) {
    unsafe board_print(bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
  }

  private static func digit(_ value: UInt8) -> CChar {
    CChar(truncatingIfNeeded: value &+ (value < 10 ? 0x30 : 0x57))
  }
}

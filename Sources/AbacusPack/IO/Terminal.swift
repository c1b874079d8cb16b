#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// What is known about the place where output goes.
public enum Terminal {
  /// Whether standard output (1) or standard error (2) is a terminal.
  public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Whether standard output may carry colours: a terminal, neither dumb nor with NO_COLOR set.
  public static var hasColour: Bool {
    isTerminal(1) && (variable("NO_COLOR") ?? "").isEmpty && variable("TERM") ?? "dumb" != "dumb"
  }

  /// `text` with control characters replaced by "?", so that a name out of a file cannot move the
  /// cursor or change colours.
  public static func harmless(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

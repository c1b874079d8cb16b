/// An error for people: what is wrong, where, and what would be right.
public struct PackError: Error, CustomStringConvertible, Equatable {
  /// Groups of errors that scripts may want to tell apart; the raw value is the exit code.
  public enum Kind: Int32, Sendable {
    /// A file is missing, unreadable, unwritable or of the wrong shape.
    case file = 3
    /// The model is damaged or says something impossible.
    case malformed = 4
    /// The model is sound but asks for what Abacus does not do.
    case unsupported = 5
    /// It does not fit the given memory.
    case doesNotFit = 6
    /// Something this tool calls (an emulator, a compiler) is missing or failed.
    case tool = 7
    /// Outputs differ from what was expected.
    case mismatch = 8
  }

  public var kind: Kind
  public var description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

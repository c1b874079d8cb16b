/// Why an operation of the runtime failed; the raw values are those of `abacus_status`.
public enum Status: UInt32, Error, Sendable {
  case notAModel = 1
  case unsupportedVersion = 2
  case corrupt = 3
  case unsupportedOperator = 4
  case misaligned = 5
  case arenaTooSmall = 6
  case badArgument = 7
  case notReady = 8
  /// No failure, and never thrown: here so that the codes have no gap, and no table.
  case inProgress = 9
  case lengthLimit = 10
}

/// What a tool could not measure, and why: named as it happens or at the end, and counted.
public struct Omissions {
  public private(set) var all: [(what: String, reason: String)] = []

  public init() {}

  public mutating func add(_ what: String, _ reason: String) { all.append((what, reason)) }

  /// On standard error, by name and count.
  public func report() {
    guard !all.isEmpty else { return }
    say("\(all.count) skipped:")
    for (what, reason) in all { say("  \(what): \(reason)") }
  }
}

/// One line on standard error that says how far a long piece of work has come.
///
/// It appears only on a terminal and only where the work lasts over a second, changes at most ten
/// times a second, and is wiped when the work ends, also where it ends with an error.
public final class ProgressLine {
  private let label: String
  private var total: Int
  private let showsTimeLeft: Bool
  private let isVisible: Bool
  private let now: () -> ContinuousClock.Instant
  private let write: (String) -> Void
  private let start: ContinuousClock.Instant
  private var nextUpdate: ContinuousClock.Instant
  private var isShown = false

  /// `total` is the number of steps; 0 where it is not known.
  ///
  /// - Parameter showsTimeLeft: also says how long the rest will take if it goes on as it went.
  public convenience init(_ label: String, total: Int, showsTimeLeft: Bool = false) {
    self.init(
      label, total: total, showsTimeLeft: showsTimeLeft, isVisible: Terminal.isTerminal(2), now: { ContinuousClock.now },
      // A terminal that went away is no reason to stop the work.
      write: { try? AtomicFile.writeAll(Array($0.utf8), to: 2, path: "standard error") })
  }

  init(
    _ label: String, total: Int, showsTimeLeft: Bool = false, isVisible: Bool, now: @escaping () -> ContinuousClock.Instant,
    write: @escaping (String) -> Void
  ) {
    self.label = Terminal.harmless(label)
    self.total = total
    self.showsTimeLeft = showsTimeLeft
    self.isVisible = isVisible
    self.now = now
    self.write = write
    start = now()
    nextUpdate = start + .seconds(1)
  }

  /// Says that `done` steps are finished, of as many as there now are to be.
  public func advance(to done: Int, of total: Int) {
    self.total = total
    advance(to: done)
  }

  /// Says that `done` steps are finished.
  public func advance(to done: Int) {
    guard isVisible else { return }
    let time = now()
    guard time >= nextUpdate else { return }
    nextUpdate = time + .milliseconds(100)
    isShown = true
    let count = NumberText.grouped(done)
    let whole = total > 0 ? " of \(NumberText.grouped(total)) (\(percent(done)) %)" : ""
    write("\r\u{1B}[K\(label): \(count)\(whole)\(timeLeft(done, time))")
  }

  /// Wipes the line; also happens when the object goes away.
  public func finish() {
    guard isShown else { return }
    isShown = false
    write("\r\u{1B}[K")
  }

  deinit { finish() }

  private func timeLeft(_ done: Int, _ time: ContinuousClock.Instant) -> String {
    guard showsTimeLeft, done > 0, total > done else { return "" }
    let seconds = (time - start) / .seconds(1) / Double(done) * Double(total - done)
    return seconds < 90 ? ", \(Int(seconds.rounded(.up))) s left" : ", \(Int((seconds / 60).rounded(.up))) min left"
  }

  private func percent(_ done: Int) -> Int {
    Int((Double(min(max(done, 0), total)) * 100 / Double(total)).rounded(.down))
  }
}

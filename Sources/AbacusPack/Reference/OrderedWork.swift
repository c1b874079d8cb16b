import Dispatch
import Foundation

/// Work on many samples at once whose results are taken one at a time, in the order of the samples:
/// what comes out does not depend on the number of threads.
public enum OrderedWork {
  /// - Parameters:
  ///   - threads: samples in work at a time; all cores by default.
  ///   - produce: called for every index below `count`, several at a time.
  ///   - consume: called for every index in ascending order, one at a time.
  ///
  /// Throws the error of the first index that fails; what comes after it is not consumed.
  public static func run<Result>(
    count: Int, threads: Int? = nil, produce: @Sendable (Int) throws -> Result,
    consume: (Int, Result) throws -> Void
  ) throws {
    let workers = min(max(threads ?? ProcessInfo.processInfo.activeProcessorCount, 1), count)
    guard workers > 1 else {
      for index in 0..<count { try consume(index, try produce(index)) }
      return
    }
    try withoutActuallyEscaping(consume) { consume in
      let queue = Queue(count: count, consume: consume)
      // The lowest index in work never waits for another, so this ends also where the system lends
      // fewer threads than asked for.
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        while let index = queue.next() {
          queue.deliver(index, Swift.Result { try produce(index) })
        }
      }
      if let error = queue.error { throw error }
    }
  }

  /// Hands out indices in order and takes their results in order.
  ///
  /// Unchecked: every access to what changes happens between `lock` and `unlock`, the calls of
  /// `consume` too; `run` reads `error` when all workers have ended.
  private final class Queue<Result>: @unchecked Sendable {
    private let turn = NSCondition()
    private let count: Int
    private let consume: (Int, Result) throws -> Void
    private var started = 0
    private var consumed = 0
    private(set) var error: (any Error)?

    init(count: Int, consume: @escaping (Int, Result) throws -> Void) {
      self.count = count
      self.consume = consume
    }

    /// The next index that nobody works on; nil at the end or after an error.
    func next() -> Int? {
      turn.lock()
      defer { turn.unlock() }
      guard started < count, error == nil else { return nil }
      started += 1
      return started - 1
    }

    /// Waits until all lower indices have been consumed, then consumes this one.
    func deliver(_ index: Int, _ result: Swift.Result<Result, any Error>) {
      turn.lock()
      defer { turn.unlock() }
      while consumed < index { turn.wait() }
      if error == nil {
        do {
          try consume(index, try result.get())
        } catch {
          self.error = error
        }
      }
      consumed += 1
      turn.broadcast()
    }
  }
}

/// Memory whose bytes know who wrote them: each holds a tag, and neighbours that hold consecutive tags are
/// kept as one run.
struct TaggedMemory {
  struct Run {
    var start: Int
    var end: Int
    /// Tag of the first byte.
    var tag: Int
  }

  /// In ascending order, without overlap. What lies between holds nothing.
  private(set) var runs: [Run] = []

  /// Index of the first run that ends behind an address.
  private func firstRun(endingAfter address: Int) -> Int {
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].end > address { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Writes consecutive tags.
  mutating func write(_ range: Range<Int>, tag: Int) {
    if range.isEmpty { return }
    let first = firstRun(endingAfter: range.lowerBound)
    var last = first
    var pieces: [Run] = []
    while last < runs.count, runs[last].start < range.upperBound {
      let run = runs[last]
      if run.start < range.lowerBound { pieces.append(Run(start: run.start, end: range.lowerBound, tag: run.tag)) }
      last += 1
    }
    pieces.append(Run(start: range.lowerBound, end: range.upperBound, tag: tag))
    if last > first, let run = runs[first..<last].last, run.end > range.upperBound {
      pieces.append(Run(start: range.upperBound, end: run.end, tag: run.tag + range.upperBound - run.start))
    }
    runs.replaceSubrange(first..<last, with: pieces)
    join(around: first...first + pieces.count)
  }

  /// Copies what a range holds to another place.
  mutating func move(_ range: Range<Int>, by distance: Int) {
    for run in runs where run.start < range.upperBound && run.end > range.lowerBound {
      let start = max(run.start, range.lowerBound)
      write(start + distance..<min(run.end, range.upperBound) + distance, tag: run.tag + start - run.start)
    }
  }

  /// Makes one run of neighbours that continue each other.
  private mutating func join(around range: ClosedRange<Int>) {
    var index = max(range.lowerBound, 1)
    var end = min(range.upperBound, runs.count - 1)
    while index <= end {
      let (before, run) = (runs[index - 1], runs[index])
      if before.end == run.start && before.tag + before.end - before.start == run.tag {
        runs[index - 1].end = run.end
        runs.remove(at: index)
        end -= 1
      } else {
        index += 1
      }
    }
  }

  /// The first byte of a range that holds another tag than the byte of another memory that lies `distance`
  /// lower; nil where all agree.
  func firstDifference(_ range: Range<Int>, from other: TaggedMemory, distance: Int) -> Int? {
    var address = range.lowerBound
    while address < range.upperBound {
      guard let mine = run(at: address), let others = other.run(at: address - distance) else { return address }
      if mine.tag + address - mine.start != others.tag + address - distance - others.start { return address }
      address = min(mine.end, others.end + distance)
    }
    return nil
  }

  private func run(at address: Int) -> Run? {
    let index = firstRun(endingAfter: address)
    return index < runs.count && runs[index].start <= address ? runs[index] : nil
  }
}

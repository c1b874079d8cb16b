// What the masks of an attention say: that queries see no later keys, and which keys count at all.

/// How scores are masked.
enum ScoreMask {
  /// By a summand: 0, or so low that nothing is left.
  case added(Graph.TensorID)
  /// By a condition in place of which a score is hidden, where it holds or where it does not.
  case selected(Graph.TensorID, hidesWhereTrue: Bool)
}

extension GraphEditor {
  /// The smallest amount that hides a key when it is subtracted from a score.
  static let hidingSummand: Float = 1e4

  /// True for a constant that hides every score in whose place it stands.
  func hidesScores(_ id: TensorID) -> Bool { uniform(id).map { $0 <= -Double(Self.hidingSummand) } ?? false }

  /// All masks together: nil where an attention cannot say it.
  func attentionMask(
    _ masks: [ScoreMask], _ queries: Int, _ keys: Int, _ origin: String
  ) throws -> (isCausal: Bool, keys: TensorID?)? {
    if masks.isEmpty { return (false, nil) }
    var trace = MaskTrace(self)
    guard let (sayings, count) = sayings(masks, queries, keys, &trace),
      let columns = columns(sayings, count, keys), let isCausal = isCausal(sayings, columns, queries, keys)
    else { return nil }
    if columns.allSatisfy({ $0 == .visible }) { return (isCausal, nil) }
    let name = masks.first.map { mask in
      switch mask {
      case .added(let id), .selected(let id, _): tensors[id].name
      }
    }
    if columns.allSatisfy({ $0 == .visible || $0 == .hidden }) {
      let flags = constant(columns.map { $0 == .hidden ? 0 : 1 }, shape: [1, keys], name: name ?? "mask")
      return (isCausal, flags)
    }
    guard let root = trace.flags, let flags = try keyFlags(root, columns, origin) else { return nil }
    return (isCausal, flags)
  }

  /// What is said about one score, or one key.
  private enum Saying: Equatable {
    case visible, hidden
    /// Where the flag at this place is 0, or where it is not.
    case hiddenWithout(Int), hiddenWith(Int)
  }

  /// About each score of [count / queries / keys, queries, keys].
  private func sayings(
    _ masks: [ScoreMask], _ queries: Int, _ keys: Int, _ trace: inout MaskTrace
  ) -> (sayings: [Saying], count: Int)? {
    var shape = [queries, keys]
    for case .added(let id) in masks { shape = (try? Shapes.broadcast(shape, self.shape(id))) ?? shape }
    for case .selected(let id, _) in masks { shape = (try? Shapes.broadcast(shape, self.shape(id))) ?? shape }
    guard let count = Shapes.elementCount(shape), count <= MaskTrace.maximumElements,
      Array(shape.suffix(2)) == [queries, keys]
    else { return nil }
    var sums = [MaskElement](repeating: MaskElement(0), count: count)
    for mask in masks {
      let summands: [MaskElement?]?
      switch mask {
      case .added(let id):
        summands = trace.elements(id, as: shape)
      case .selected(let id, let hidesWhereTrue):
        let (lowest, none) = (MaskElement(-.infinity), MaskElement(0))
        summands = trace.elements(id, as: shape)?.map {
          hidesWhereTrue ? $0.selecting(lowest, none) : $0.selecting(none, lowest)
        }
      }
      guard let summands else { return nil }
      for (index, summand) in summands.enumerated() {
        guard let sum = summand.flatMap({ sums[index].combined($0, by: .add) }) else { return nil }
        sums[index] = sum
      }
    }
    let isFlag = trace.flags.map { !countsSomething($0) } ?? true
    let sayings = sums.compactMap { Self.saying($0, isFlag: isFlag) }
    return sayings.count == count ? (sayings, count) : nil
  }

  /// True for integers that are more than flags: rows of a table.
  private func countsSomething(_ id: TensorID, depth: Int = 0) -> Bool {
    depth > 16 || readers(id).contains { reader in
      guard let node = plainNode(reader) else { return false }
      switch node.operation {
      case .gather: return node.inputs[1] == id
      case .reshape, .requantize: return countsSomething(node.outputs[0], depth: depth + 1)
      default: return false
      }
    }
  }

  /// Nil where an element neither hides a score nor leaves it as it is.
  private static func saying(_ element: MaskElement, isFlag: Bool) -> Saying? {
    func hides(_ lane: Int) -> Bool { element.values[lane] <= -Double(hidingSummand) }
    func keeps(_ lane: Int) -> Bool { element.values[lane] == 0 }
    guard let place = element.place else { return hides(0) ? .hidden : keeps(0) ? .visible : nil }
    // A flag is never more than 1; other numbers are as those that are 1.
    if hides(0), hides(1), isFlag || hides(2) { return .hidden }
    if keeps(0), keeps(1), isFlag || keeps(2) { return .visible }
    if hides(0), keeps(1), isFlag || keeps(2) { return .hiddenWithout(place) }
    if keeps(0), hides(1), isFlag || hides(2) { return .hiddenWith(place) }
    return nil
  }

  /// What is said about each key by all queries that may see it; nil where they differ.
  private func columns(_ sayings: [Saying], _ count: Int, _ keys: Int) -> [Saying]? {
    var result = [Saying](repeating: .hidden, count: keys)
    for index in 0..<count where sayings[index] != .hidden {
      let key = index % keys
      guard result[key] == .hidden || result[key] == sayings[index] else { return nil }
      result[key] = sayings[index]
    }
    return result
  }

  /// Whether keys that count are hidden from all queries before them and from no others; nil where it
  /// is neither so nor are they seen by all.
  private func isCausal(_ sayings: [Saying], _ columns: [Saying], _ queries: Int, _ keys: Int) -> Bool? {
    var (allSeen, allCausal) = (true, queries == keys)
    for (index, saying) in sayings.enumerated() where columns[index % keys] != .hidden {
      let isLater = index % keys > index / keys % queries
      if saying == .hidden { allSeen = false }
      if (saying == .hidden) != isLater { allCausal = false }
    }
    return allSeen ? false : allCausal ? true : nil
  }

  /// One flag for each key, not 0 where it is seen.
  private func keyFlags(_ root: TensorID, _ columns: [Saying], _ origin: String) throws -> TensorID? {
    var (places, isInverted) = ([Int](), [Bool]())
    for column in columns {
      switch column {
      case .hiddenWithout(let place):
        places.append(place)
        isInverted.append(false)
      case .hiddenWith(let place):
        places.append(place)
        isInverted.append(true)
      case .visible, .hidden: return nil
      }
    }
    let keys = columns.count
    guard Set(isInverted).count == 1, places == Array(places[0]..<places[0] + keys) else { return nil }
    let (name, type) = (tensors[root].name, tensors[root].type)
    let row = [1, tensors[root].elementCount]
    var flags = root
    if shape(root) != row {
      flags = try emit(.reshape, [flags], shape: row, name: name, origin: origin, type: type)
    }
    if row[1] != keys {
      flags = try emit(
        .slice(starts: [0, places[0]], strides: [1, 1]), [flags], shape: [1, keys], name: name, origin: origin,
        type: type)
    }
    guard isInverted[0] else { return flags }
    let table = constant(Tensor(name: "\(name), inverted", shape: [2], type: .int8, data: [1, 0]))
    return try emit(
      .gather(axis: 0, batchDimensions: 0), [table, flags], shape: [1, keys], name: "\(name), inverted",
      origin: origin, type: .int8)
  }
}

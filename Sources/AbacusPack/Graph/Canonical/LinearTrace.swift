/// One element of a tensor as a sum of at most two elements of another, each times a constant.
struct LinearElement {
  struct Term {
    var place: Int
    var factor: Float
  }

  private(set) var first: Term
  private(set) var second: Term?

  init(place: Int) { first = Term(place: place, factor: 1) }

  func times(_ factor: Float) -> LinearElement {
    var result = self
    result.first.factor *= factor
    result.second?.factor *= factor
    return result
  }

  /// Nil for more terms than two.
  func plus(_ other: LinearElement) -> LinearElement? {
    guard second == nil, other.second == nil else { return nil }
    var result = self
    if first.place == other.first.place {
      result.first.factor += other.first.factor
    } else {
      result.second = other.first
    }
    return result
  }
}

/// Writes a tensor's elements as sums of those of a root, through movement, constant factors and sums.
struct LinearTrace {
  typealias TensorID = Graph.TensorID

  /// How many nodes may lie between.
  private static let maximumNodes = 32
  private static let maximumElements = 1 << 22

  private let editor: GraphEditor
  private let root: TensorID
  private var known: [TensorID: [LinearElement]] = [:]

  private init(_ editor: GraphEditor, root: TensorID) {
    self.editor = editor
    self.root = root
  }

  /// The nearest tensor before `end`, which a tensor is or is moved from, of whose elements all elements
  /// of the tensor are such sums; and these.
  static func elements(
    _ id: TensorID, from end: TensorID, _ editor: GraphEditor
  ) -> (root: TensorID, elements: [LinearElement])? {
    var root = end
    for _ in 0..<maximumNodes {
      guard let next = editor.source(root).flatMap({ operands($0, editor)?.first }) else { return nil }
      root = next
      var passed: Set<TensorID> = []
      guard leads(end, to: root, editor, &passed) else { continue }
      var trace = LinearTrace(editor, root: root)
      return trace.elements(id).map { (root, $0) }
    }
    return nil
  }

  /// The run-time operands of a node that a trace can follow.
  private static func operands(_ node: Node, _ editor: GraphEditor) -> [TensorID]? {
    switch node.operation {
    case .reshape, .slice, .transpose, .unary(.negate): break
    case .binary(.add, .none), .binary(.subtract, .none), .concatenation(_, .none):
      guard node.inputs.allSatisfy({ $0.map { !editor.isConstant($0) } ?? false }) else { return nil }
    case .binary(.multiply, .none):
      guard node.inputs[1].map(editor.isConstant) == true else { return nil }
    case .gather(_, batchDimensions: 0):
      guard node.inputs[1].map(editor.isConstant) == true else { return nil }
    default: return nil
    }
    let operands = node.inputs.compactMap { $0 }.filter { !editor.isConstant($0) }
    return operands.isEmpty ? nil : operands
  }

  /// True where all paths back from a tensor pass through another.
  private static func leads(
    _ id: TensorID, to root: TensorID, _ editor: GraphEditor, _ passed: inout Set<TensorID>
  ) -> Bool {
    if id == root || !passed.insert(id).inserted { return true }
    guard passed.count < maximumNodes, let operands = editor.source(id).flatMap({ operands($0, editor) })
    else { return false }
    return operands.allSatisfy { leads($0, to: root, editor, &passed) }
  }

  private mutating func elements(_ id: TensorID) -> [LinearElement]? {
    guard editor.tensors[id].elementCount <= Self.maximumElements else { return nil }
    if id == root { return (0..<editor.tensors[id].elementCount).map(LinearElement.init(place:)) }
    if let found = known[id] { return found }
    guard let node = editor.source(id), let result = computed(node, editor.shape(id)) else { return nil }
    known[id] = result
    return result
  }

  private mutating func elements(_ id: TensorID?, as shape: [Int]) -> [LinearElement]? {
    guard let id, let own = elements(id) else { return nil }
    return Rearrangement.broadcast(.init(shape: editor.shape(id), elements: own), to: shape)
  }

  private mutating func computed(_ node: Node, _ shape: [Int]) -> [LinearElement]? {
    switch node.operation {
    case .unary(.negate):
      return elements(node.inputs[0], as: shape)?.map { $0.times(-1) }
    case .binary(.multiply, .none):
      guard let factor = node.inputs[1], let values = editor.tensors[factor].floats,
        let x = elements(node.inputs[0], as: shape)
      else { return nil }
      let factors = Rearrangement.broadcast(.init(shape: editor.shape(factor), elements: values), to: shape)
      return zip(x, factors).map { $0.times($1) }
    case .binary(let function, .none):
      guard let a = elements(node.inputs[0], as: shape), let b = elements(node.inputs[1], as: shape)
      else { return nil }
      let sums = zip(a, b).compactMap { $0.plus(function == .subtract ? $1.times(-1) : $1) }
      return sums.count == a.count ? sums : nil
    default:
      return moved(node, shape)
    }
  }

  private mutating func moved(_ node: Node, _ shape: [Int]) -> [LinearElement]? {
    var (inputs, places) = (node.inputs, [Int]())
    if case .gather = node.operation {
      guard let indices = inputs.removeLast().flatMap({ editor.tensors[$0].indexValues }) else { return nil }
      places = indices
    }
    var operands: [Rearrangement.Operand<LinearElement>] = []
    for input in inputs {
      guard let input, let elements = elements(input) else { return nil }
      operands.append(.init(shape: editor.shape(input), elements: elements))
    }
    return Rearrangement.apply(node.operation, operands, indices: places, shape: shape)
  }
}

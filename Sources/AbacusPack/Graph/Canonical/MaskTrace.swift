/// What a mask adds to one score, for each value of the flag that it depends on.
struct MaskElement {
  /// Which of the flags; nil for what is known before any run.
  var place: Int?
  /// For a flag of 0, of 1, and of more, where sources compare with 0 (token numbers, say).
  var values: SIMD3<Double>

  init(_ value: Double) { values = SIMD3(repeating: value) }

  init(flag place: Int) {
    self.place = place
    values = SIMD3(0, 1, 2)
  }

  /// A function of one element, or of two that depend on one flag at most.
  private func combined(_ other: MaskElement, _ function: (Double, Double) -> Double) -> MaskElement? {
    guard place == nil || other.place == nil || place == other.place else { return nil }
    var result = self
    result.place = place ?? other.place
    for lane in 0..<3 { result.values[lane] = function(values[lane], other.values[lane]) }
    return result
  }

  func combined(_ other: MaskElement, by function: BinaryFunction) -> MaskElement? {
    switch function {
    case .add: return combined(other, +)
    case .subtract: return combined(other, -)
    case .multiply: return combined(other, *)
    case .squaredDifference: return combined(other) { ($0 - $1) * ($0 - $1) }
    case .maximum, .minimum:
      guard combined(other, -)?.keepsSignBeyondOne == true else { return nil }
      return combined(other) { function == .maximum ? max($0, $1) : min($0, $1) }
    case .divide, .power: return nil
    }
  }

  func mapped(_ function: UnaryFunction) -> MaskElement? {
    guard function == .negate || keepsSignBeyondOne else { return nil }
    var result = self
    for lane in 0..<3 { result.values[lane] = function.evaluate(values[lane]) }
    return result
  }

  /// What it selects, where it is a condition.
  func selecting(_ first: MaskElement, _ second: MaskElement) -> MaskElement? {
    guard keepsSignBeyondOne, let chosen = combined(first, { $0 != 0 ? $1 : .nan }),
      let other = combined(second, { $0 != 0 ? .nan : $1 })
    else { return nil }
    return chosen.combined(other) { $0.isNaN ? $1 : $0 }
  }

  /// True where a linear function of the flag is 0 at no value but 0 and 1: what compares with
  /// another number tells more flags than two apart.
  private var keepsSignBeyondOne: Bool {
    let slope = values[1] - values[0]
    guard place != nil, slope != 0, slope.isFinite else { return true }
    return -values[0] / slope <= 1
  }
}

/// Follows masks back to the flags from which they are computed: whatever casts, compares, selects,
/// repeats and moves them, each element depends on one flag at most.
struct MaskTrace {
  typealias TensorID = Graph.TensorID

  /// Larger masks are not looked at, nor longer chains of nodes.
  static let maximumElements = 1 << 22
  private static let maximumDepth = 128

  private let editor: GraphEditor
  /// What all run-time elements come from: an input of the model.
  private(set) var flags: TensorID?
  private var known: [TensorID: [MaskElement]] = [:]
  private var depth = 0

  init(_ editor: GraphEditor) { self.editor = editor }

  /// Row-major; nil where there is no such form.
  mutating func elements(_ id: TensorID) -> [MaskElement]? {
    if let found = known[id] { return found }
    guard (1...Self.maximumElements).contains(editor.tensors[id].elementCount), depth < Self.maximumDepth
    else { return nil }
    depth += 1
    defer { depth -= 1 }
    let before = flags
    var result = computed(id)
    if result == nil {
      flags = before
      result = root(id)
    }
    if let result { known[id] = result }
    return result
  }

  /// The same for another shape that the tensor broadcasts to.
  mutating func elements(_ id: TensorID, as shape: [Int]) -> [MaskElement]? {
    elements(id).map { Rearrangement.broadcast(.init(shape: editor.shape(id), elements: $0), to: shape) }
  }

  /// Integers that the model takes as the flags themselves.
  private mutating func root(_ id: TensorID) -> [MaskElement]? {
    let tensor = editor.tensors[id]
    guard [.bool, .int8, .uint8, .int32, .int64].contains(tensor.type), tensor.quantization == nil,
      !tensor.isConstant, editor.writer(id) == nil, flags == nil || flags == id
    else { return nil }
    flags = id
    return (0..<tensor.elementCount).map(MaskElement.init(flag:))
  }

  private mutating func computed(_ id: TensorID) -> [MaskElement]? {
    if editor.isConstant(id) { return editor.tensors[id].knownReals?.map(MaskElement.init) }
    guard let node = editor.writer(id).flatMap(editor.plainNode), let x = node.inputs[0] else { return nil }
    let shape = editor.shape(id)
    switch node.operation {
    case .requantize:
      guard let operand = elements(x) else { return nil }
      guard editor.tensors[id].type == .bool else { return operand }
      return allOrNone(operand.lazy.map { $0.selecting(MaskElement(1), MaskElement(0)) })
    case .unary(let function):
      return elements(x).flatMap { allOrNone($0.lazy.map { $0.mapped(function) }) }
    case .binary(let function, .none):
      guard let y = node.inputs[1], let a = elements(x, as: shape), let b = elements(y, as: shape) else { return nil }
      return allOrNone(zip(a, b).lazy.map { $0.combined($1, by: function) })
    case .select:
      guard let first = node.inputs[1], let second = node.inputs[2], let condition = elements(x, as: shape),
        let a = elements(first, as: shape), let b = elements(second, as: shape)
      else { return nil }
      return allOrNone(condition.indices.lazy.map { condition[$0].selecting(a[$0], b[$0]) })
    case .reshape, .slice, .transpose, .concatenation, .gather:
      return moved(node, shape)
    default:
      return nil
    }
  }

  private mutating func moved(_ node: Node, _ shape: [Int]) -> [MaskElement]? {
    var (inputs, places) = (node.inputs, [Int]())
    if case .gather = node.operation {
      guard let indices = inputs.removeLast().flatMap({ editor.tensors[$0].indexValues }) else { return nil }
      places = indices
    }
    var operands: [Rearrangement.Operand<MaskElement>] = []
    for input in inputs {
      guard let input, let elements = elements(input) else { return nil }
      operands.append(.init(shape: editor.shape(input), elements: elements))
    }
    return Rearrangement.apply(node.operation, operands, indices: places, shape: shape)
  }

  private func allOrNone(_ elements: some Sequence<MaskElement?>) -> [MaskElement]? {
    var result: [MaskElement] = []
    for element in elements {
      guard let element else { return nil }
      result.append(element)
    }
    return result
  }
}

import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Models that count their tokens: the count grows with each run, up to its limit.
@Suite struct PositionTests {
  /// Two inputs: a row for the cache, which is the second output, and a row that is copied to the first.
  private func cache(capacity: Int, limit: Int) throws -> [UInt8] {
    var hand = HandProgram()
    let row = hand.input([1, 2])
    let inner = hand.intermediate([1, 2])
    let copy = hand.output([1, 2])
    let state = hand.output([capacity, 2])
    let position = hand.position(0)
    hand.program.states.append(state)
    hand.program.position = (position, limit)
    for (from, to) in [(row, inner), (inner, copy)] {
      hand.step(
        .requantize, [Operands.input: from, Operands.output: to],
        RequantizeParameters(inputZeroPoint: 0, multiplier: 2, stage: OutputStage(.int8)), units: 2)
    }
    hand.step(
      .append, [Operands.input: inner, Operands.output: state, Operands.position: position],
      AppendParameters(rowLength: 2), units: 1)
    var editor = BlobEditor(try hand.blob())
    for index in 0..<3 { editor.step(index) { $0.unitsPerStep = 1 } }
    return editor.sealed()
  }

  private func state(_ model: Model) throws -> [Int] { ElementType.int8.codes(of: try model.output(1)) }

  private func token(_ number: Int) -> [UInt8] { ElementType.int8.bytes(of: [number, -number]) }

  /// One token after the other, until the cache is full; a reset starts anew.
  @Test(arguments: [false, true])
  func fillsTheCache(bySteps: Bool) throws {
    let model = try Model(try cache(capacity: 4, limit: 3))
    func run() throws {
      if bySteps {
        while try model.step() {}
      } else {
        try model.run()
      }
    }
    for round in 0..<3 {
      var wanted = [0, 0, 0, 0, 0, 0, 0, 0]
      for token in 1...3 {
        try model.setInput(0, self.token(token))
        try run()
        wanted.replaceSubrange(2 * token - 2..<2 * token, with: [token, -token])
        #expect(try state(model) == wanted, "round \(round), token \(token)")
      }
      try model.setInput(0, token(9))
      let before = try (0..<2).map { try model.output($0) }
      for _ in 0..<2 {
        #expect(throws: Status.lengthLimit) { try run() }
        #expect(throws: Status.lengthLimit) { try model.step() }
        #expect(try (0..<2).map { try model.output($0) } == before)
      }
      try model.reset()
      #expect(try state(model) == Array(repeating: 0, count: 8))
    }
    #expect(model.guardsAreIntact)
  }

  /// A run that has begun is not refused; the count grows at its end.
  @Test func stepsWithinTheLastRun() throws {
    let model = try Model(try cache(capacity: 2, limit: 1))
    try model.setInput(0, token(5))
    for _ in 0..<4 { #expect(try model.step()) }
    #expect(try state(model) == [0, 0, 0, 0])
    #expect(try !model.step())
    #expect(try state(model) == [5, -5, 0, 0])
    #expect(throws: Status.lengthLimit) { try model.step() }
  }

  /// A reset in the middle of a run forgets it and the tokens before.
  @Test func resetInTheMiddleOfARun() throws {
    let model = try Model(try cache(capacity: 3, limit: 3))
    try model.setInput(0, token(1))
    try model.run()
    try model.setInput(0, token(2))
    #expect(try model.step())
    try model.reset()
    try model.setInput(0, token(3))
    try model.run()
    #expect(try state(model) == [3, -3, 0, 0, 0, 0])
  }

  @Test func sessionsCountForThemselves() throws {
    let blob = try cache(capacity: 3, limit: 2)
    let (first, second) = (try Model(blob), try Model(blob))
    for model in [first, second, first] {
      try model.setInput(0, token(7))
      try model.run()
    }
    #expect(throws: Status.lengthLimit) { try first.run() }
    try second.setInput(0, token(8))
    try second.run()
    #expect(try state(first) == [7, -7, 7, -7, 0, 0] && state(second) == [7, -7, 8, -8, 0, 0])
  }

  /// No run fits where one takes more tokens than there may be.
  @Test func longRuns() throws {
    var editor = BlobEditor(try cache(capacity: 8, limit: 5))
    editor.header.positionStep = 2
    let model = try Model(editor.sealed())
    for token in 1...2 {
      try model.setInput(0, self.token(token))
      try model.run()
    }
    #expect(throws: Status.lengthLimit) { try model.run() }
    #expect(try Array(state(model).prefix(6)) == [1, -1, 0, 0, 2, -2])
    editor.header.positionStep = 6
    #expect(throws: Status.lengthLimit) { try Model(editor.sealed()).run() }
  }

  @Test func refusals() throws {
    let sound = try cache(capacity: 4, limit: 3)
    let position = Int(BlobEditor(sound).header.positionTensor) - 1
    let changes: [(String, (inout BlobEditor) -> Void)] = [
      ("no step", { $0.header.positionStep = 0 }),
      ("a step without a position", { $0.header.positionTensor = 0 }),
      ("a tensor that is not there", { $0.header.positionTensor = 5000 }),
      ("a tensor that is no state", { $0.header.positionTensor = 1 }),
      ("limit", { $0.header.positionLimit = .max }),
      ("position of 16 bits", { $0.tensor(position) { ($0.elementType, $0.dims[0]) = (3, 2) } }),
      ("position in the arena", { $0.tensor(position) { $0.placement = Placement.arena.rawValue } }),
    ]
    for (name, change) in changes {
      var editor = BlobEditor(sound)
      change(&editor)
      #expect(throws: (any Error).self, "\(name)") { try Model.requirements(of: editor.sealed()) }
    }
  }
}

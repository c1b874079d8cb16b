import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Tensors that keep their bytes from run to run. No importer makes them yet, so these plans are put
/// together by hand.
@Suite struct StateTests {
  /// y = x + state; state = y. The constant [5, -6, 7, 8] is there to start from.
  private func accumulator(initial: Bool, zeroPoint: Int16 = 0) throws -> [UInt8] {
    var hand = HandProgram()
    let x = hand.input([4])
    let state = hand.input([4])
    let sum = hand.output([4])
    hand.program.outputs.append(state)
    let unused = hand.output([4])
    let start = hand.constant([4], .int8, [5, 250, 7, 8])
    var add = BinaryParameters(stage: OutputStage(shift: 1, zeroPoint: 0, low: -128, high: 127))
    add.dims[5] = 4
    add.strideA[5] = 1
    add.strideB[5] = 1
    add.multiplierA = 2
    add.multiplierB = 2
    hand.step(.add, [Operands.input: x, Operands.second: state, Operands.output: sum], add, units: 1)
    hand.step(.add, [Operands.input: x, Operands.second: start, Operands.output: unused], add, units: 1)
    hand.step(.copy, [Operands.input: sum, Operands.output: state], wholeCopy(4), units: 1)
    var editor = BlobEditor(try hand.blob())
    let constant = constantIndex(editor)
    editor.tensor(editor.operand(.copy, Operands.output)) {
      $0.placement = Placement.state.rawValue
      $0.zeroPoint = zeroPoint
      $0.auxiliary = initial ? UInt16(constant) : TensorRecord.none
    }
    return editor.sealed()
  }

  private func wholeCopy(_ count: Int) -> CopyParameters {
    var copy = CopyParameters()
    copy.dims[5] = UInt32(count)
    copy.sourceStrides[5] = 1
    copy.destinationStrides[5] = 1
    return copy
  }

  private func constantIndex(_ editor: BlobEditor) -> Int {
    (0..<Int(editor.header.tensorCount)).first {
      editor.load(editor.start(.tensors) + $0 * TensorRecord.bytes, TensorRecord.self).placement
        == Placement.constant.rawValue
    }!
  }

  private func codes(_ model: Model, _ output: Int) throws -> [Int] {
    model.outputs[output].type.codes(of: try model.output(output))
  }

  @Test(arguments: [true, false])
  func accumulates(initial: Bool) throws {
    let model = try Model(try accumulator(initial: initial))
    var wanted = initial ? [5, -6, 7, 8] : [0, 0, 0, 0]
    let begin = wanted
    #expect(try codes(model, 1) == begin)
    for round in 0..<3 {
      for _ in 0..<4 {
        try model.setInput(0, ElementType.int8.bytes(of: [1, 2, -3, 10]))
        try model.run()
        wanted = zip(wanted, [1, 2, -3, 10]).map { $0 + $1 }
        #expect(try codes(model, 0) == wanted && codes(model, 1) == wanted, "round \(round)")
      }
      try model.reset()
      wanted = begin
      #expect(try codes(model, 1) == begin)
    }
    #expect(model.guardsAreIntact)
  }

  @Test func resetInTheMiddleOfARun() throws {
    let model = try Model(try accumulator(initial: true))
    try model.setInput(0, [1, 1, 1, 1])
    #expect(try model.step())
    try model.reset()
    #expect(try codes(model, 1) == [5, -6, 7, 8])
    try model.setInput(0, [1, 1, 1, 1])
    try model.run()
    #expect(try codes(model, 1) == [6, -5, 8, 9])
  }

  @Test func zeroPointsOfInt8() throws {
    let model = try Model(try accumulator(initial: false, zeroPoint: -77))
    #expect(try codes(model, 1) == [-77, -77, -77, -77])
  }

  /// Without an initial value a state starts from its zero point, in its own width.
  @Test(arguments: [ElementType.int8, .int16, .int32], [Int16(0), 1, -1, 100, -128])
  func zeroPointsOfEveryWidth(type: ElementType, zeroPoint: Int16) throws {
    var hand = HandProgram()
    let x = hand.input([3], type)
    let state = hand.output([3], type)
    hand.step(.copy, [Operands.input: x, Operands.output: state], wholeCopy(3), units: 1)
    var editor = BlobEditor(try hand.blob())
    editor.tensor(editor.operand(.copy, Operands.output)) {
      $0.placement = Placement.state.rawValue
      $0.zeroPoint = zeroPoint
    }
    let model = try Model(editor.sealed())
    let zeros = [Int](repeating: Int(zeroPoint), count: 3)
    #expect(try codes(model, 0) == zeros)
    try model.setInput(0, type.bytes(of: [1, -2, 3]))
    try model.run()
    #expect(try codes(model, 0) == [1, -2, 3])
    try model.reset()
    #expect(try codes(model, 0) == zeros)
  }

  @Test func wideZeroPoint() throws {
    var hand = HandProgram()
    let x = hand.input([2], .int16)
    let state = hand.output([2], .int16)
    hand.step(.copy, [Operands.input: x, Operands.output: state], wholeCopy(2), units: 1)
    var editor = BlobEditor(try hand.blob())
    editor.tensor(editor.operand(.copy, Operands.output)) {
      $0.placement = Placement.state.rawValue
      $0.zeroPoint = -300
    }
    #expect(try codes(try Model(editor.sealed()), 0) == [-300, -300])
  }

  @Test func initialValuesAreChecked() throws {
    let sound = try accumulator(initial: true)
    let index = BlobEditor(sound).operand(.copy, Operands.output)
    for change in [
      { $0.auxiliary = 5000 }, { $0.auxiliary = UInt16(index) }, { $0.auxiliary = 0xFFFE },
    ] as [(inout TensorRecord) -> Void] {
      var editor = BlobEditor(sound)
      editor.tensor(index, change)
      #expect(throws: Status.corrupt) { try Model(editor.sealed()) }
    }
    var editor = BlobEditor(sound)
    editor.tensor(constantIndex(editor)) {
      $0.dims[0] = 2
      $0.byteCount = 2
    }
    #expect(throws: Status.corrupt) { try Model(editor.sealed()) }
  }
}

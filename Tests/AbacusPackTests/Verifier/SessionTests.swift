import AbacusFormat
import AbacusRuntime
import CAbacus
import Testing

@testable import AbacusPack

/// Steps, runs and resets in any sequence, and several sessions on one blob.
@Suite struct SessionTests {
  /// Both samples in the smallest steps, with inputs and the outputs of an undisturbed run.
  private func samples() throws -> [(blob: [UInt8], inputs: [[UInt8]], outputs: [[UInt8]], steps: Int)] {
    try SampleBlobs.all().enumerated().map { seed, packed in
      var editor = BlobEditor(packed.blob)
      var steps = 0
      if packed.planned.program.tensors.contains(where: { $0.lines != nil }) {
        // As many rows as the lines are made for.
        steps = try BlobDescription(packed.blob, name: "lines").operatorOfEachStep.count
      } else {
        for index in 0..<Int(editor.header.operatorCount) {
          editor.step(index) { $0.unitsPerStep = 1 }
          steps += Int(editor.record(index).units)
        }
      }
      let blob = editor.sealed()
      let model = try Model(blob)
      var generator = SeededGenerator(state: UInt64(seed))
      let inputs = model.inputs.map { input in
        (0..<input.byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      }
      return (blob, inputs, try model(inputs), steps)
    }
  }

  private func outputs(_ model: Model) throws -> [[UInt8]] {
    try model.outputs.indices.map { try model.output($0) }
  }

  private func setInputs(_ model: Model, _ inputs: [[UInt8]]) throws {
    for (index, input) in inputs.enumerated() { try model.setInput(index, input) }
  }

  /// One step for each unit; then the next run starts by itself.
  @Test func stepsAddUpToARun() throws {
    for (blob, inputs, wanted, steps) in try samples() {
      let model = try Model(blob)
      for _ in 0..<3 {
        try setInputs(model, inputs)
        var count = 1
        while try model.step() { count += 1 }
        #expect(count == steps && steps > 12)
        #expect(try outputs(model) == wanted)
      }
      #expect(model.guardsAreIntact)
    }
  }

  /// What each step works on is known beforehand: as often as a step succeeds, and in order.
  @Test func theOperatorOfEachStepIsKnown() throws {
    for (blob, _, _, steps) in try samples() {
      let description = try BlobDescription(blob, name: "blob")
      let owners = description.operatorOfEachStep
      #expect(owners.count == steps)
      var steps = 0
      for (index, record) in description.operators.enumerated().reversed() {
        // In a loop its last operator says how many rounds there are.
        let isLast = index + 1 == description.operators.count || description.operators[index + 1].flags != OperatorRecord.Flags.continuesLoop
        if isLast { steps = Int((record.units + record.delay + record.unitsPerStep - 1) / record.unitsPerStep) }
        #expect(owners.count { $0 == index } == steps)
      }
    }
  }

  /// Operators of a loop take turns, block by block.
  @Test(arguments: 1...7) func operatorsOfALoopTakeTurns(unitsInLoop: Int) throws {
    let chain = RowChain(rows: 7, unitsInLoop: unitsInLoop)
    let blob = try chain.program.hand.blob()
    let description = try BlobDescription(blob, name: "chain")
    let blocks = (7 + unitsInLoop - 1) / unitsInLoop
    #expect(description.operatorOfEachStep == (0..<blocks).flatMap { _ in Array(description.operators.indices) })
    let model = try Model(blob)
    for (index, bytes) in chain.program.sample.enumerated() { try model.setInput(index, bytes) }
    var count = 1
    while try model.step() { count += 1 }
    #expect(count == description.operatorOfEachStep.count)
  }

  /// A run after some steps finishes the run that has begun.
  @Test func runsContinueWhatStepsBegan() throws {
    for (blob, inputs, wanted, steps) in try samples() {
      let model = try Model(blob)
      for begun in 0..<steps {
        try setInputs(model, inputs)
        for _ in 0..<begun { #expect(try model.step()) }
        try model.run()
        #expect(try outputs(model) == wanted)
      }
    }
  }

  /// A reset forgets a run that has begun.
  @Test func resetsStartOver() throws {
    for (blob, inputs, wanted, steps) in try samples() {
      let model = try Model(blob)
      for begun in 0..<steps {
        try setInputs(model, inputs)
        for _ in 0..<begun { #expect(try model.step()) }
        try model.reset()
        try setInputs(model, inputs)
        var count = 1
        while try model.step() { count += 1 }
        #expect(count == steps)
        #expect(try outputs(model) == wanted)
      }
    }
  }

  /// Two sessions share the bytes of one blob, and take turns after every step.
  @Test func sessionsOnOneBlobDoNotDisturbEachOther() throws {
    for (blob, inputs, wanted, _) in try samples() {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: blob.count, alignment: 16)
      memory.copyMemory(from: blob, byteCount: blob.count)
      defer { memory.deallocate() }
      let arenaBytes = try Model.requirements(of: blob).arenaBytes
      let arenas = (0..<2).map { _ in UnsafeMutableRawPointer.allocate(byteCount: arenaBytes, alignment: 16) }
      defer { for arena in arenas { arena.deallocate() } }
      let other = inputs.map { $0.map { $0 ^ 0x35 } }
      let wantedOfOther = try Model(blob)(other)
      var sessions = [abacus_session(), abacus_session()]
      for index in 0..<2 {
        #expect(abacus_open(&sessions[index], memory, blob.count, arenas[index], arenaBytes) == ABACUS_OK)
        for (position, bytes) in (index == 0 ? inputs : other).enumerated() {
          var view = abacus_tensor()
          #expect(abacus_input(&sessions[index], UInt32(position), &view) == ABACUS_OK)
          view.data.copyMemory(from: bytes, byteCount: bytes.count)
        }
      }
      var isRunning = [true, true]
      while isRunning.contains(true) {
        for index in 0..<2 where isRunning[index] {
          isRunning[index] = abacus_step(&sessions[index]) == ABACUS_IN_PROGRESS
        }
      }
      for index in 0..<2 {
        for (position, bytes) in (index == 0 ? wanted : wantedOfOther).enumerated() {
          var view = abacus_tensor()
          #expect(abacus_output(&sessions[index], UInt32(position), &view) == ABACUS_OK)
          #expect(Array(UnsafeRawBufferPointer(start: view.data, count: Int(view.bytes))) == bytes)
        }
      }
      #expect(Array(UnsafeRawBufferPointer(start: memory, count: blob.count)) == blob)
    }
  }

  @Test func inputsOfTheWrongSizeAreRefused() throws {
    let model = try Model(try SampleBlobs.image().blob)
    #expect(throws: Status.badArgument) { try model.setInput(0, [1, 2, 3]) }
    #expect(throws: Status.badArgument) { try model.setInput(1, []) }
    #expect(throws: Status.badArgument) { try model.setInput(-1, []) }
    #expect(throws: Status.badArgument) { try model.output(7) }
    #expect(throws: Status.badArgument) { try model([]) }
  }
}

import AbacusFormat
import AbacusRuntime
import CAbacus
import Testing

@testable import AbacusPack

/// The C functions themselves: arguments, alignment, readiness, steps, several sessions.
@Suite struct SessionTests {
  /// Memory of a given alignment offset.
  final class Memory {
    let base: UnsafeMutableRawPointer
    private let storage: UnsafeMutableRawPointer

    init(_ count: Int, offset: Int = 0) {
      storage = .allocate(byteCount: count + 32, alignment: 16)
      storage.initializeMemory(as: UInt8.self, repeating: 0xC3, count: count + 32)
      base = storage + offset
    }

    convenience init(_ bytes: [UInt8], offset: Int = 0) {
      self.init(bytes.count, offset: offset)
      base.copyMemory(from: bytes, byteCount: bytes.count)
    }

    deinit { storage.deallocate() }
  }

  let bytes = SmallModels.all[1]
  var arenaBytes: Int { get throws { try Model.requirements(of: bytes).arenaBytes } }

  @Test func nullArguments() throws {
    let blob = Memory(bytes), arena = Memory(try arenaBytes)
    var requirements = abacus_requirements(), session = abacus_session(), tensor = abacus_tensor()
    #expect(abacus_inspect(nil, bytes.count, &requirements) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_inspect(blob.base, bytes.count, nil) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(nil, blob.base, bytes.count, arena.base, try arenaBytes) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(&session, nil, bytes.count, arena.base, try arenaBytes) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(&session, blob.base, bytes.count, nil, try arenaBytes) == ABACUS_BAD_ARGUMENT)
    for status in [abacus_run(nil), abacus_step(nil), abacus_reset(nil), abacus_checksum(nil, 0)] {
      #expect(status == ABACUS_BAD_ARGUMENT)
    }
    #expect(abacus_input(nil, 0, &tensor) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_output(&session, 0, nil) == ABACUS_BAD_ARGUMENT)
  }

  @Test func misalignedMemory() throws {
    var requirements = abacus_requirements(), session = abacus_session()
    let arena = Memory(try arenaBytes)
    for offset in 1..<16 {
      let blob = Memory(bytes, offset: offset)
      #expect(abacus_inspect(blob.base, bytes.count, &requirements) == ABACUS_MISALIGNED)
      #expect(abacus_checksum(blob.base, bytes.count) == ABACUS_MISALIGNED)
      let aligned = Memory(bytes), shifted = Memory(try arenaBytes, offset: offset)
      #expect(abacus_open(&session, aligned.base, bytes.count, shifted.base, try arenaBytes) == ABACUS_MISALIGNED)
      #expect(abacus_open(&session, blob.base, bytes.count, arena.base, try arenaBytes) == ABACUS_MISALIGNED)
    }
  }

  @Test func notReady() throws {
    let blob = Memory(bytes), arena = Memory(try arenaBytes)
    var session = abacus_session(), tensor = abacus_tensor()
    func expectNotReady() {
      #expect(abacus_run(&session) == ABACUS_NOT_READY)
      #expect(abacus_step(&session) == ABACUS_NOT_READY)
      #expect(abacus_reset(&session) == ABACUS_NOT_READY)
      #expect(abacus_input(&session, 0, &tensor) == ABACUS_NOT_READY)
      #expect(abacus_output(&session, 0, &tensor) == ABACUS_NOT_READY)
    }
    expectNotReady()
    #expect(abacus_open(&session, blob.base, bytes.count, arena.base, try arenaBytes) == ABACUS_OK)
    #expect(abacus_run(&session) == ABACUS_OK)
    #expect(abacus_input(&session, 2, &tensor) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_output(&session, 2, &tensor) == ABACUS_BAD_ARGUMENT)
    // A failed open ends what was open before.
    #expect(abacus_open(&session, blob.base, bytes.count, arena.base, try arenaBytes - 1) == ABACUS_ARENA_TOO_SMALL)
    expectNotReady()
  }

  @Test func aFailedOpenLeavesTheArenaUntouched() throws {
    var damaged = bytes
    damaged[200] ^= 1
    let blob = Memory(damaged), arena = Memory(try arenaBytes)
    var session = abacus_session()
    #expect(abacus_open(&session, blob.base, damaged.count, arena.base, try arenaBytes) == ABACUS_CORRUPT)
    let content = UnsafeRawBufferPointer(start: arena.base, count: try arenaBytes)
    #expect(content.allSatisfy { $0 == 0xC3 })
  }

  @Test func stepsAddUpToARun() throws {
    for bytes in SmallModels.all {
      let whole = try Model(bytes), parts = try Model(bytes)
      let inputs = whole.inputs.map { input in (0..<input.byteCount).map { UInt8(truncatingIfNeeded: $0 * 37) } }
      let wanted = try whole(inputs)
      for _ in 0..<2 {
        for (index, input) in inputs.enumerated() { try parts.setInput(index, input) }
        var steps = 1
        while try parts.step() { steps += 1 }
        #expect(steps >= whole.requirements.operatorCount)
        #expect(try parts.outputs.indices.map { try parts.output($0) } == wanted)
      }
    }
  }

  /// Two sessions on two arenas share a blob and step in turn.
  @Test func sessionsDoNotDisturbEachOther() throws {
    let a = try Model(bytes), b = try Model(bytes)
    let inputs = [5, 91].map { factor in
      a.inputs.map { input in (0..<input.byteCount).map { UInt8(truncatingIfNeeded: $0 * factor) } }
    }
    let wanted = [try a(inputs[0]), try b(inputs[1])]
    for (model, input) in [(a, inputs[0]), (b, inputs[1])] {
      for index in input.indices { try model.setInput(index, input[index]) }
    }
    var remaining = [true, true]
    while remaining.contains(true) {
      if remaining[0] { remaining[0] = try a.step() }
      if remaining[1] { remaining[1] = try b.step() }
    }
    #expect(try a.outputs.indices.map { try a.output($0) } == wanted[0])
    #expect(try b.outputs.indices.map { try b.output($0) } == wanted[1])
  }

  /// Reset in the middle of a run begins anew.
  @Test func resetForgetsARun() throws {
    let model = try Model(bytes)
    let inputs = model.inputs.map { [UInt8](repeating: 9, count: $0.byteCount) }
    let wanted = try model(inputs)
    _ = try model.step()
    try model.reset()
    #expect(try model(inputs) == wanted)
  }

  @Test func everyStatusHasAText() {
    let texts = (0..<10).map { String(cString: abacus_status_text(abacus_status(rawValue: $0))!) }
    #expect(Set(texts).count == 10)
    #expect(texts.allSatisfy { !$0.isEmpty })
    #expect(String(cString: abacus_status_text(abacus_status(rawValue: 77))!) == "unknown status")
    #expect(abacus_version() == libraryVersion)
  }
}

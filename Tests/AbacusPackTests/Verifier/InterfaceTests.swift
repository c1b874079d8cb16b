import AbacusFormat
import AbacusRuntime
import CAbacus
import Testing

@testable import AbacusPack

/// The C functions, called as a C host calls them.
@Suite struct InterfaceTests {
  /// Memory aligned to 64 bytes, filled with a pattern.
  private final class Memory {
    let base: UnsafeMutableRawPointer
    let count: Int

    init(_ count: Int) {
      self.count = count
      base = .allocate(byteCount: count, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0x5A, count: count)
    }

    convenience init(_ bytes: [UInt8], offset: Int = 0) {
      self.init(bytes.count + offset)
      (base + offset).copyMemory(from: bytes, byteCount: bytes.count)
    }

    deinit { base.deallocate() }

    var isUntouched: Bool { UnsafeRawBufferPointer(start: base, count: count).allSatisfy { $0 == 0x5A } }
  }

  private func arenaBytes(_ model: PackedModel) -> Int { model.planned.plan.arenaBytes }

  @Test func inspectTellsWhatThePlanSays() throws {
    for model in try SampleBlobs.all() {
      let blob = Memory(model.blob)
      var out = abacus_requirements()
      #expect(abacus_inspect(blob.base, blob.count, &out) == ABACUS_OK)
      #expect(Int(out.arena_bytes) == arenaBytes(model))
      #expect(out.stack_bytes > 0 && out.operator_count == model.planned.program.steps.count)
      #expect(out.input_count == model.planned.program.inputs.count)
      #expect(out.output_count == model.planned.program.outputs.count)
      #expect(out.multiply_accumulates == model.planned.program.multiplyAccumulates)
    }
  }

  @Test func arenasMustBeLargeEnough() throws {
    for model in try SampleBlobs.all() {
      let blob = Memory(model.blob)
      let exact = Memory(arenaBytes(model))
      var session = abacus_session()
      for bytes in [0, 1, exact.count / 2, exact.count - 1] {
        #expect(abacus_open(&session, blob.base, blob.count, exact.base, bytes) == ABACUS_ARENA_TOO_SMALL)
        #expect(exact.isUntouched && abacus_run(&session) == ABACUS_NOT_READY)
      }
      #expect(abacus_open(&session, blob.base, blob.count, exact.base, exact.count) == ABACUS_OK)
      #expect(abacus_run(&session) == ABACUS_OK)
      #expect(throws: Status.arenaTooSmall) { try Model(model.blob, arenaBytes: exact.count - 1) }
      #expect(throws: Never.self) { try Model(model.blob, arenaBytes: exact.count + 100) }
    }
  }

  @Test func pointersMustBeAligned() throws {
    let model = try SampleBlobs.image()
    var session = abacus_session()
    var out = abacus_requirements()
    let arena = Memory(arenaBytes(model) + 64)
    for offset in [1, 2, 4, 8, 12] {
      let shifted = Memory(model.blob, offset: offset)
      let blob = shifted.base + offset
      #expect(abacus_inspect(blob, model.blob.count, &out) == ABACUS_MISALIGNED)
      #expect(abacus_checksum(blob, model.blob.count) == ABACUS_MISALIGNED)
      #expect(abacus_open(&session, blob, model.blob.count, arena.base, arena.count) == ABACUS_MISALIGNED)
      let straight = Memory(model.blob)
      #expect(
        abacus_open(&session, straight.base, straight.count, arena.base + offset, arena.count - offset)
          == ABACUS_MISALIGNED)
      #expect(abacus_run(&session) == ABACUS_NOT_READY)
    }
    #expect(arena.isUntouched)
    let shifted = Memory(model.blob, offset: 16)
    #expect(
      abacus_open(&session, shifted.base + 16, model.blob.count, arena.base + 16, arena.count - 16) == ABACUS_OK)
  }

  @Test func nullPointersAreRefused() throws {
    let model = try SampleBlobs.image()
    let blob = Memory(model.blob)
    let arena = Memory(arenaBytes(model))
    var session = abacus_session()
    var out = abacus_requirements()
    var view = abacus_tensor()
    #expect(abacus_inspect(nil, blob.count, &out) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_inspect(blob.base, blob.count, nil) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(nil, blob.base, blob.count, arena.base, arena.count) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(&session, nil, blob.count, arena.base, arena.count) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_open(&session, blob.base, blob.count, nil, arena.count) == ABACUS_BAD_ARGUMENT)
    #expect(abacus_checksum(nil, blob.count) == ABACUS_BAD_ARGUMENT)
    for call in [abacus_run, abacus_step, abacus_reset] { #expect(call(nil) == ABACUS_BAD_ARGUMENT) }
    for call in [abacus_input, abacus_output] {
      #expect(call(nil, 0, &view) == ABACUS_BAD_ARGUMENT && call(&session, 0, nil) == ABACUS_BAD_ARGUMENT)
    }
    #expect(abacus_open(&session, blob.base, blob.count, arena.base, arena.count) == ABACUS_OK)
    for call in [abacus_input, abacus_output] {
      #expect(call(&session, 0, nil) == ABACUS_BAD_ARGUMENT && call(&session, 0, &view) == ABACUS_OK)
      #expect(call(&session, 1, &view) == ABACUS_BAD_ARGUMENT && call(&session, .max, &view) == ABACUS_BAD_ARGUMENT)
    }
  }

  /// A session that was never opened, and one whose last open failed, whatever the reason.
  @Test func sessionsAreNotReadyUntilTheyAre() throws {
    let model = try SampleBlobs.image()
    let blob = Memory(model.blob)
    let arena = Memory(arenaBytes(model))
    var session = abacus_session()
    var view = abacus_tensor()
    func expectNotReady() {
      #expect(abacus_run(&session) == ABACUS_NOT_READY && abacus_step(&session) == ABACUS_NOT_READY)
      #expect(abacus_reset(&session) == ABACUS_NOT_READY)
      #expect(abacus_input(&session, 0, &view) == ABACUS_NOT_READY)
      #expect(abacus_output(&session, 0, &view) == ABACUS_NOT_READY)
    }
    expectNotReady()
    var damaged = model.blob
    damaged[200] ^= 1
    let bad = Memory(damaged)
    let failures: [(inout abacus_session) -> abacus_status] = [
      { abacus_open(&$0, bad.base, bad.count, arena.base, arena.count) },
      { abacus_open(&$0, nil, 0, arena.base, arena.count) },
      { abacus_open(&$0, blob.base, 3, arena.base, arena.count) },
      { abacus_open(&$0, blob.base, blob.count, arena.base, arena.count - 1) },
      { abacus_open(&$0, blob.base, blob.count, arena.base + 4, arena.count) },
      { abacus_open(&$0, blob.base, blob.count, nil, arena.count) },
    ]
    for failure in failures {
      #expect(abacus_open(&session, blob.base, blob.count, arena.base, arena.count) == ABACUS_OK)
      #expect(abacus_run(&session) == ABACUS_OK)
      #expect(failure(&session) != ABACUS_OK)
      expectNotReady()
    }
  }

  @Test func viewsDescribeTheBoundary() throws {
    let model = try SampleBlobs.sequence()
    let blob = Memory(model.blob)
    let arena = Memory(arenaBytes(model))
    var session = abacus_session()
    var view = abacus_tensor()
    #expect(abacus_open(&session, blob.base, blob.count, arena.base, arena.count) == ABACUS_OK)
    #expect(abacus_input(&session, 0, &view) == ABACUS_OK)
    #expect(view.bytes == 24 && view.dtype == ABACUS_INT8 && view.rank == 3 && view.zero_point == 1)
    #expect(view.dims.0 == 2 && view.dims.1 == 3 && view.dims.2 == 4 && view.dims.3 == 1)
    #expect(String(cString: view.name) == "input 0")
    let scale = Double(view.multiplier) * Double(sign: .plus, exponent: -Int(view.shift), significand: 1)
    #expect(abs(scale - 0.02) < 1e-10)
    #expect(abacus_input(&session, 1, &view) == ABACUS_OK && view.dtype == ABACUS_INT32 && view.bytes == 8)
    #expect(abacus_output(&session, 1, &view) == ABACUS_OK && view.dtype == ABACUS_INT16 && view.bytes == 96)
    #expect(view.data >= arena.base && view.data + 96 <= arena.base + arena.count)
  }

  @Test func textsAndVersion() {
    let texts = (0..<10).map { String(cString: abacus_status_text(abacus_status(rawValue: $0))) }
    #expect(Set(texts).count == 10 && texts.allSatisfy { !$0.isEmpty })
    #expect(String(cString: abacus_status_text(abacus_status(rawValue: 77))) == "unknown status")
    #expect(abacus_version() == libraryVersion)
    #expect(MemoryLayout<abacus_session>.size == 128)
  }
}

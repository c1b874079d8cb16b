import Board
import CAbacus

/// The one program that all boards run: opens the model that QEMU's loader placed in memory, runs
/// it on each sample, then on as many choices of its own as it is told to (the tokens that a
/// language model writes), and prints what `Emulator` of the packer reads, one fact a line.
@main
struct Firmware {
  typealias Advance = @convention(c) (UnsafeMutablePointer<abacus_session>?) -> abacus_status

  static func main() {
    let parameters = unsafe board_get_parameters().pointee
    guard parameters.magic == BOARD_PARAMETERS_MAGIC else { return }
    let blob = unsafe UnsafeRawPointer(bitPattern: UInt(parameters.blob))
    let blobBytes = Int(bitPattern: UInt(parameters.blob_bytes))

    var requirements = abacus_requirements()
    let inspected = unsafe abacus_inspect(blob, blobBytes, &requirements)
    guard succeeded("inspected", inspected) else { return }
    Console.line("arena", requirements.arena_bytes)

    let arena = unsafe board_arena()!
    let arenaStart = UInt(bitPattern: arena), arenaEnd = UInt(parameters.arena_end)
    let arenaBytes = Int(bitPattern: arenaEnd > arenaStart ? arenaEnd &- arenaStart : 0)

    // What the meter itself costs.
    Meter().report("idle")

    var session = abacus_session()
    let opening = Meter()
    let opened = unsafe abacus_open(&session, blob, blobBytes, arena, arenaBytes)
    opening.report("open")
    guard succeeded("opened", opened) else { return }

    let advance: Advance = unsafe parameters.step_by_step != 0 ? abacus_step : abacus_run
    var sample = unsafe UnsafeRawPointer(bitPattern: UInt(parameters.samples))
    for _ in 0..<parameters.sample_count {
      unsafe sample = copyInputs(&session, requirements.input_count, from: sample)
      guard run(&session, advance, requirements.output_count) else { return }
    }
    for index in 0..<parameters.choice_count {
      let choice = Choice.highest(of: &session)
      Console.line("choice", choice)
      if Choice.isLast(choice, parameters) || index &+ 1 == parameters.choice_count { break }
      Choice.write(choice, to: &session)
      guard run(&session, advance, requirements.output_count) else { return }
    }
    Console.line("end", true)
  }

  /// One run, by `abacus_run` at once or by `abacus_step` bit by bit, each call measured; false where it
  /// failed.
  static func run(_ session: inout abacus_session, _ advance: Advance, _ outputCount: UInt32) -> Bool {
    var ran = ABACUS_IN_PROGRESS
    while ran == ABACUS_IN_PROGRESS {
      let running = Meter()
      ran = unsafe advance(&session)
      running.report("run")
    }
    guard succeeded("ran", ran) else { return false }
    printOutputs(&session, outputCount)
    return true
  }

  static func succeeded(_ step: StaticString, _ status: abacus_status) -> Bool {
    Console.line(step, status.rawValue)
    return status == ABACUS_OK
  }

  /// Fills all inputs of one run and returns where those of the next begin.
  static func copyInputs(
    _ session: inout abacus_session, _ count: UInt32, from sample: UnsafeRawPointer?
  ) -> UnsafeRawPointer? {
    var position = unsafe sample
    for index in 0..<count {
      var input = unsafe abacus_tensor()
      guard unsafe abacus_input(&session, index, &input) == ABACUS_OK, let source = unsafe position else { break }
      let bytes = Int(bitPattern: UInt(unsafe input.bytes))
      unsafe input.data.copyMemory(from: source, byteCount: bytes)
      unsafe position = source + bytes
    }
    return unsafe position
  }

  static func printOutputs(_ session: inout abacus_session, _ count: UInt32) {
    for index in 0..<count {
      var output = unsafe abacus_tensor()
      guard unsafe abacus_output(&session, index, &output) == ABACUS_OK else { break }
      let bytes = Int(bitPattern: UInt(unsafe output.bytes))
      unsafe Console.line("output", bytes: UnsafeRawBufferPointer(start: output.data, count: bytes))
    }
  }
}

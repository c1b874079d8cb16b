import Board

/// Counts the instructions and the stack of what happens between its making and `report`.
struct Meter {
  private let stackPointer: UInt
  private let start: UInt64

  @inline(__always)
  init() {
    stackPointer = board_stack_pointer()
    board_paint_stack()
    start = board_ticks()
  }

  /// Prints both, and of what they are.
  @inline(never)
  func report(_ name: StaticString) {
    let end = board_ticks()
    let deepest = board_deepest_stack()
    Console.text(name)
    Console.line("-ticks", end &- start)
    Console.text(name)
    Console.line("-stack", stackPointer &- deepest)
  }
}

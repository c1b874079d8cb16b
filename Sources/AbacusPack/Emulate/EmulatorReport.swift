/// What the lines say that the firmware prints, read as they come: a word, then bytes in hexadecimal
/// as the board's memory has them (`Console.swift` of the firmware).
struct EmulatorReport {
  var outputs: [[[UInt8]]] = []
  var openInstructions = 0
  /// For each run, what each call took that it was made of.
  var callInstructions: [[Int]] = []
  var stackBytes = 0
  var arenaBytes = 0
  /// The status other than zero with which the firmware ended.
  var refusal: UInt32?
  var fault: String?
  var isComplete = false
  var choices: [Int] = []
  private var idleInstructions = 0
  /// Of the run that is not yet complete.
  private var calls: [Int] = []
  private let counter: Board.Counter
  private let onChoice: ((Int) -> Void)?

  init(counter: Board.Counter, onChoice: ((Int) -> Void)?) {
    self.counter = counter
    self.onChoice = onChoice
  }

  mutating func read(_ line: Substring) {
    let words = line.split(separator: " ", maxSplits: 1)
    guard words.count == 2 else { return }
    if words[0] == "fault" {
      fault = String(words[1])
      return
    }
    guard let bytes = Self.bytes(words[1]) else { return }
    let value = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch words[0] {
    case "arena": arenaBytes = Int(value)
    case "idle-ticks": idleInstructions = counter.instructions(ticks: value)
    case "open-ticks": openInstructions = counter.instructions(ticks: value) - idleInstructions
    case "run-ticks": calls.append(counter.instructions(ticks: value) - idleInstructions)
    case "open-stack", "run-stack": stackBytes = max(stackBytes, Int(value))
    case "inspected", "opened": refuse(value)
    case "ran":
      refuse(value)
      callInstructions.append(calls)
      calls = []
      outputs.append([])
    case "output": outputs[outputs.count - 1].append(bytes)
    case "choice":
      choices.append(Int(value))
      onChoice?(Int(value))
    case "end": isComplete = true
    default: break
    }
  }

  private mutating func refuse(_ status: UInt64) {
    if status != 0 { refusal = UInt32(truncatingIfNeeded: status) }
  }

  private static func bytes(_ text: Substring) -> [UInt8]? {
    let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count.isMultiple(of: 2), digits.allSatisfy({ $0 != nil }) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
  }
}

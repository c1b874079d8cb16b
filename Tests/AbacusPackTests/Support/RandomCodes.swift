import AbacusFormat

@testable import AbacusPack

/// Random numbers for the operators' tests.
struct RandomCodes {
  var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(state: seed) }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }

  /// Codes of a type: mostly any, sometimes the extremes.
  mutating func codes(_ count: Int, _ type: ElementType) -> [Int] {
    let range = Self.range(type)
    return (0..<count).map { _ in
      number(0...9) == 0 ? pick([range.lowerBound, range.upperBound, 0]) : number(range)
    }
  }

  /// A clamp and a zero point in a type.
  mutating func stage(_ type: ElementType, shift: Int) -> OutputStage {
    let range = Self.range(type)
    let isWhole = number(0...2) > 0
    let low = isWhole ? range.lowerBound : number(range.lowerBound...0)
    let high = isWhole ? range.upperBound : number(1...range.upperBound)
    return OutputStage(
      shift: Int32(shift), zeroPoint: type == .int32 ? 0 : Int32(number(range.lowerBound / 4...range.upperBound / 4)),
      low: Int32(low), high: Int32(high))
  }

  static func range(_ type: ElementType) -> ClosedRange<Int> {
    switch type {
    case .int16: -32768...32767
    case .int32: Int(Int32.min)...Int(Int32.max)
    default: -128...127
    }
  }
}

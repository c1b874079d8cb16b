/// One call of a kernel.
struct Call {
  let step: Int
  let units: Range<Int>
  /// How many blocks have gone through the loop before; 0 outside of loops.
  let round: Int
}

extension Program {
  /// The calls that a run makes, as the session makes them.
  func forEachCall(_ body: (Call) throws -> Void) rethrows {
    for range in Stages(self).ranges {
      let first = steps[range.lowerBound]
      if first.loop != nil {
        let rounds = (steps[range.upperBound - 1].units - 1) / steps[range.upperBound - 1].unitsInLoop + 1
        for round in 0..<rounds {
          for step in range { try body(Call(step: step, units: steps[step].units(inRound: round), round: round)) }
        }
      } else if let count = first.unitsDescending {
        for end in stride(from: first.units, to: 0, by: -count) {
          try body(Call(step: range.lowerBound, units: max(end - count, 0)..<end, round: 0))
        }
      } else {
        try body(Call(step: range.lowerBound, units: 0..<first.units, round: 0))
      }
    }
  }
}

extension Program.Step {
  /// The units that a round of the loop makes.
  func units(inRound round: Int) -> Range<Int> {
    min(round * unitsInLoop, units)..<min((round + 1) * unitsInLoop, units)
  }
}

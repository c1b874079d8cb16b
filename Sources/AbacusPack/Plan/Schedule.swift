/// One call of a kernel.
struct Call {
  let step: Int
  let units: Range<Int>
  /// How many blocks have gone through the loop before; 0 outside of loops.
  let round: Int
}

extension Program {
  /// The calls that a run makes of a stage, as the session makes them.
  func calls(of stage: Range<Int>) -> [Call] {
    let first = steps[stage.lowerBound]
    if first.loop != nil {
      return (0..<steps[stage.upperBound - 1].rounds).flatMap { round in
        stage.map { Call(step: $0, units: steps[$0].units(inRound: round), round: round) }
      }
    }
    guard let count = first.unitsDescending else { return [Call(step: stage.lowerBound, units: 0..<first.units, round: 0)] }
    return stride(from: first.units, to: 0, by: -count).map { end in
      Call(step: stage.lowerBound, units: max(end - count, 0)..<end, round: 0)
    }
  }
}

extension Program.Step {
  /// The units that a round of the loop makes.
  func units(inRound round: Int) -> Range<Int> {
    func first(_ round: Int) -> Int { min(max(round * unitsInLoop - delay, 0), units) }
    return first(round)..<first(round + 1)
  }

  /// Rounds after which the step has made all its units.
  var rounds: Int { (units + delay - 1) / unitsInLoop + 1 }
}

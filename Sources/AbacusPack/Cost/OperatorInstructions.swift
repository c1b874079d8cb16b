import AbacusRuntime

extension Emulator {
  /// What each operator of a blob takes on the board, in a run step by step on zero points.
  public func operatorInstructions(of blob: [UInt8]) throws -> [Int] {
    let owners = try BlobDescription(blob, name: "blob").operatorOfEachStep
    let result = try run(blob: blob, samples: [try Model(blob).zeroSample], stepByStep: true)
    guard let steps = result.callInstructions.first, steps.count == owners.count else {
      throw PackError(.mismatch, "\(board.name) has not made the steps that the blob has")
    }
    var instructions = [Int](repeating: 0, count: (owners.max() ?? -1) + 1)
    for (owner, step) in zip(owners, steps) { instructions[owner] += step }
    return instructions
  }
}

import AbacusFormat

@testable import AbacusPack

// Wrong numbers of loops over lines of images.

extension Refusal {
  /// Changes the output of an operator of the residual block: 0 and 1 write lines.
  private static func lines(
    _ index: Int, _ name: String, _ change: @escaping @Sendable (inout TensorRecord) -> Void
  ) -> Refusal {
    Refusal("lines of operator \(index): \(name)") { editor in
      editor.tensor(Int(editor.record(index).operands[Operands.output]), change)
    }
  }

  static let lineOperators: [Refusal] =
    (0..<2).flatMap { index in
      [
        lines(index, "another kind") { $0.flags = 3 },
        lines(index, "a block of rows") { $0.flags = TensorRecord.Flags.blockOfRows },
        lines(index, "rows a round") { $0.blockRows += 1 },
        lines(index, "not behind") { $0.auxiliary = 0 },
        lines(index, "further behind than they have rows") { $0.auxiliary += 1 },
        lines(index, "too few rows") { $0.byteCount -= 4 },
        lines(index, "longer rows") { ($0.dims[1], $0.dims[2]) = ($0.dims[1] / 2, $0.dims[2] * 2) },
        lines(index, "several images") { ($0.dims[0], $0.dims[1]) = (2, $0.dims[1] / 2) },
        lines(index, "rank") { ($0.rank, $0.dims[0], $0.dims[1], $0.dims[2], $0.dims[3]) = (3, 12, 5, 4, 1) },
      ]
    } + [
      Refusal("delay outside of a loop") { $0.step(3) { $0.delay = 1 } },
      Refusal("delay of a reader") { $0.step(1) { $0.delay += 1 } },
      Refusal("delay of a writer") { $0.step(0) { $0.delay += 3 } },
      Refusal("a delay that wraps") { $0.step(0) { $0.delay = .max } },
      Refusal("rounds that wrap") { $0.step(2) { $0.delay = 1 << 30 } },
      Refusal("units in a round") { $0.step(0) { $0.unitsPerStep += 1 } },
      Refusal("descending in a loop") { $0.step(0) { $0.flags = OperatorRecord.Flags.descends } },
      Refusal("lines outside of the loop") { $0.step(1) { $0.flags = 0 } },
      Refusal("a loop that begins with nothing before") { $0.step(0) { $0.flags = OperatorRecord.Flags.continuesLoop } },
      Refusal("runs that are not rows") { editor in
        editor.parameters(.add, BinaryParameters.self) {
          ($0.dims[3], $0.dims[4]) = (2, $0.dims[4] / 2)
          $0.strideA[3] = $0.strideA[4] * $0.dims[4]
          $0.strideB[3] = $0.strideB[4] * $0.dims[4]
        }
      },
      Refusal("runs that stand still") { editor in
        editor.parameters(.add, BinaryParameters.self) { ($0.strideA[4], $0.strideB[4]) = (0, 0) }
      },
    ]
}

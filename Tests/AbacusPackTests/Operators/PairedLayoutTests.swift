import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Weights in pairs of channels: what their loops on cores without vectors compute, and what other loops do
/// with the same blob on this machine and on a core with vectors.
@Suite struct PairedLayoutTests {
  /// Boards with loops for pairs, and one without.
  static let boards = ["mps2-an385-m0", "mps2-an385", "mps2-an386", "mps2-an500", "riscv32-virt", "mps3-an547"]

  @Test func placesOfElements() {
    #expect(pairedLayout(Array(1...8), rows: 2) == [1, 5, 3, 7, 2, 6, 4, 8])
    // Three channels of five: padded to four of eight.
    let codes = Array(1...15)
    let bytes = pairedLayout(codes, rows: 3)
    #expect(bytes.count == 32 && bytes.map(Int.init).reduce(0, +) == 120)
    for n in 0..<3 {
      for k in 0..<5 {
        let place = (n / 2 * 2 + k / 4) * 8 + k % 2 * 4 + k / 2 % 2 * 2 + n % 2
        #expect(Int(bytes[place]) == codes[n * 5 + k])
      }
    }
  }

  @Test func layersAreThoseOfRows() throws {
    var options = PackOptions()
    options.pairsChannels = true
    for seed in 0..<60 {
      let test = TestGraph(layersOf: seed)
      let plain = try Execution.check(test, "seed \(seed)")
      #expect(try Execution.check(test, options: options, "pairs, seed \(seed)") == plain)
    }
  }

  /// Every kind of projection that the loops take, with remainders of rows and products.
  private var projections: [ProjectTests.Projection] {
    var all: [ProjectTests.Projection] = []
    for input in [ElementType.int8, .int16] {
      for (rows, depth, channels) in [(1, 5, 2), (2, 16, 4), (3, 21, 6), (4, 33, 2), (5, 7, 4), (7, 64, 6)] {
        func add(_ output: ElementType, _ variant: ProjectVariant, _ shift: ClosedRange<Int>, zeroPoints: Bool) {
          all.append(
            ProjectTests.Projection(
              input: input, output: output, variant: variant, residual: .int16, isResidualConstant: rows % 2 == 0,
              rows: rows, depth: depth, channels: channels, isPaired: true, shift: shift, hasZeroPoints: zeroPoints))
        }
        add(.int8, .plain, 34...41, zeroPoints: true)
        add(.int16, .plain, 34...41, zeroPoints: true)
        add(.int16, .plain, 17...32, zeroPoints: false)
        add(.int16, .residual, 17...32, zeroPoints: false)
        // What they do not take is computed all the same.
        add(.int8, .residual, 28...37, zeroPoints: true)
      }
    }
    return all
  }

  private func programs() -> [GoldenProgram] {
    var random = RandomCodes(seed: 11)
    let all = projections
    return stride(from: 0, to: all.count, by: 6).map { start in
      var program = GoldenProgram("projections in pairs")
      for projection in all[start..<min(start + 6, all.count)] { projection.add(to: &program, &random, "\(projection)") }
      return program
    }
  }

  @Test func projectionsHere() throws {
    for program in programs() {
      let model = try Model(try program.hand.blob())
      program.expect(try model(program.sample))
      #expect(model.guardsAreIntact)
    }
  }

  @Test(arguments: boards) func projectionsOnBoards(_ board: String) throws {
    let emulator = try Emulator(board: try Board.named(board))
    for program in programs() {
      program.expect(try emulator.run(blob: try program.hand.blob(), samples: [program.sample]).outputs[0])
    }
  }

  /// Scratch that is too small is no scratch; none at all is allowed.
  @Test func scratchIsChecked() throws {
    for (missing, isRight) in [(0, true), (1, false)] {
      var random = RandomCodes(seed: 3)
      var program = GoldenProgram("scratch")
      ProjectTests.Projection(rows: 3, depth: 9, channels: 2, isPaired: true, shift: 34...34)
        .add(to: &program, &random, "scratch")
      let scratch = try #require(program.hand.program.steps[0].operands[Operands.scratch])
      program.hand.program.tensors[scratch].shape[0] -= missing
      let blob = Result { try Model(try program.hand.blob()) }
      #expect((try? blob.get()) != nil || !isRight)
      #expect((try? blob.get()) == nil || isRight)
      program.hand.program.steps[0].operands[Operands.scratch] = nil
      program.expect(try Model(try program.hand.blob())(program.sample))
    }
  }
}

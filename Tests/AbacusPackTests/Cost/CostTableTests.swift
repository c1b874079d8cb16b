import Foundation
import Testing

@testable import AbacusPack

/// Tables of costs against what `tools/bench` counted for whole models.
@Suite struct CostTableTests {
  private struct Count: Decodable {
    var board: String
    var model: String
    var instructions: Double
  }

  private static let board = "mps2-an386"

  @Test(
    arguments: ["mps2-an385", "mps2-an385-m0", "mps2-an386", "mps2-an500", "mps3-an547", "riscv32-virt"], ["dscnn", "resnet"])
  func predictsWholeModels(on board: String, _ name: String) throws {
    let board = try Board.named(board)
    let baseline = try Data(contentsOf: URL(filePath: TestFolder.golden("bench-baseline.json")))
    let counts = try JSONDecoder().decode([Count].self, from: baseline)
    let count = try #require(counts.first { $0.board == board.name && $0.model == name })
    let predicted = try CostTable(board: board).instructions(of: Self.blob(name, board)).reduce(0, +)
    #expect(abs(predicted / count.instructions - 1) < 0.05)
  }

  @Test func aTableIsReadAsItIsWritten() throws {
    let table = try CostTable(board: Board.named(Self.board))
    let read = try JSONDecoder().decode(CostTable.self, from: Data(table.json))
    #expect(try read.json == table.json)
  }

  @Test func anOperatorThatWasNotMeasuredIsNamed() throws {
    let blob = try Self.blob("resnet", Board.named(Self.board))
    let error = #expect(throws: PackError.self) {
      try CostTable(board: "none", kinds: [:]).instructions(of: blob)
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.contains("operator 0") == true)
  }

  private static func blob(_ name: String, _ board: Board) throws -> [UInt8] {
    var options = PackOptions()
    options.weightOrder = board.weightOrder
    return try Packer.pack(ModelFile.load(TestFolder.golden("models/\(name)-int8.tflite")), options: options).blob
  }
}

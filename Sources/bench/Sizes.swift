import AbacusPack
import ArgumentParser
import Foundation
import ToolSupport

struct Sizes: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a firmware is made of.",
    discussion: """
      Bytes of a firmware with the kernels of one model only, symbol by symbol, beside those of the sources
      in another folder.

      Examples:
        tools/sizes
        tools/sizes --model fmnist-vit --board microbit --top 100
        tools/sizes --against main --json > sizes.json
      """)

  @Option(help: ArgumentHelp("Whose kernels are linked.", valueName: "name"))
  var model = "dscnn"

  @Option(help: ArgumentHelp("A folder of Targets.", valueName: "name"))
  var board = "mps2-an386"

  @Option(help: ArgumentHelp("The sources to compare with; tools/sizes lays them out.", valueName: "folder"))
  var last: String?

  @Option(help: ArgumentHelp("How many of the largest symbols to print.", valueName: "n"))
  var top = 40

  @Flag(help: "Print all symbols as JSON.")
  var json = false

  func validate() throws {
    guard BenchModel.all.contains(where: { $0.name == model }) else {
      throw ValidationError("There is no \(model); models are \(BenchModel.all.map(\.name).joined(separator: ", ")).")
    }
    guard top >= 0 else { throw ValidationError("--top is not negative.") }
  }

  func run() throws {
    guard let model = BenchModel.all.first(where: { $0.name == self.model }) else { return }
    if let missing = model.needs.first(where: { !Places.exists($0) }) { throw PackError(.file, "\(missing) is not here") }
    var quantized = try model.quantized()
    let packed = try quantized.pack(for: try Board.named(board))
    let kernels = try BlobDescription(packed.blob, name: model.name).neededKernels
    func image(_ project: Project) throws -> FirmwareImage {
      let builder = FirmwareBuilder(board: try Board.named(board), in: project)
      return try TemporaryFolder.with { try FirmwareImage(contentsOf: try builder.dedicated(to: kernels, in: $0)) }
    }
    let project = try Project.located()
    let builder = FirmwareBuilder(board: try Board.named(board), in: project)
    let sizes = try SymbolSizes(
      try image(project), before: try last.map { try image(Project(folder: URL(filePath: $0))) },
      modules: ModuleIndex(project.folder), demangle: builder.demangled)
    if json { return try printJSON(sizes.rows) }
    print("\(model.name) on \(board), \(try builder.optimization())\n\n\(sizes.text(top: top))", terminator: "")
  }
}

import AbacusPack
import Foundation
import Testing

@testable import bench

@Suite struct SizesTests {
  private func index() -> ModuleIndex {
    var index = ModuleIndex()
    index.add("struct RowProduct {\n  func two() {}\n}\nfunc convolution(_ x: Int) {}", of: "kernels", isSwift: true)
    index.add("func checkCopy() {}\nfunc two() {}", of: "checks", isSwift: true)
    index.add(
      "#define A(x) x\nvoid *memcpy(void *to) {\n  board_call(to);\n}\n"
        + "__attribute__((used)) static int report(int x) {\n}\nstatic const int vectors[2] = {0};\n",
      of: "firmware", isSwift: false)
    return index
  }

  @Test(arguments: [
    ("RowProduct.two(_:_:)", "kernels"), ("specialized convolution<A>(_:)", "kernels"),
    ("closure #1 in checkCopy(_:)", "checks"), ("two()", "kernels"), ("memcpy", "firmware"), ("report", "firmware"),
    ("vectors", "firmware"), ("board_call", "other"), ("checkCopying()", "other"), ("", "other"),
  ])
  func symbolsBelongToTheirSources(_ symbol: String, _ module: String) {
    #expect(index().module(of: symbol) == module)
  }

  @Test func everyPartOfTheRuntimeIsKnown() {
    let index = ModuleIndex(SampleModel.package)
    let wanted = [
      "abacus_run_add": "kernels", "closure #1 in checkConvolution(_:)": "checks", "abacus_open": "session",
      "BlobVerifier.verifyOperators()": "checks", "abacus_dispatch_run": "dispatch", "memcpy": "firmware",
      "specialized static Choice.highest(of:)": "firmware",
    ]
    for (symbol, module) in wanted { #expect(index.module(of: symbol) == module, "\(symbol)") }
  }

  /// Symbols explain almost all of a firmware, and nothing twice.
  @Test(.timeLimit(.minutes(10))) func symbolsAddUp() throws {
    let builder = try FirmwareBuilder(board: try Board.named("mps2-an386"))
    let image = try TemporaryFolder.with {
      try FirmwareImage(contentsOf: try builder.dedicated(to: [NeededKernel(.fullyConnected)], in: $0))
    }
    let stored = image.symbols.filter { $0.kind != .variable }.reduce(0) { $0 + $1.bytes }
    #expect(stored <= image.flashBytes && stored > image.flashBytes * 9 / 10)
    let sizes = try SymbolSizes(image, before: image, modules: ModuleIndex(SampleModel.package), demangle: builder.demangled)
    #expect(sizes.rows.allSatisfy { $0.change == 0 && $0.before == $0.bytes })
    #expect(sizes.rows.map(\.bytes) == sizes.rows.map(\.bytes).sorted(by: >))
    #expect(sizes.rows.contains { $0.symbol == "abacus_open" && $0.kind == .code && $0.module == "session" })
    #expect(sizes.rows.contains { $0.module == "kernels" })
    #expect(!sizes.text(top: 5).contains("changed symbol"))

    let larger = try TemporaryFolder.with {
      try FirmwareImage(contentsOf: try builder.dedicated(to: [NeededKernel(.fullyConnected), NeededKernel(.softmax)], in: $0))
    }
    let grown = try SymbolSizes(larger, before: image, modules: ModuleIndex(SampleModel.package), demangle: builder.demangled)
    let added = grown.rows.filter { $0.before == 0 }
    #expect(added.contains { $0.symbol.contains("softmax") && $0.change == $0.bytes })
    #expect(grown.text(top: 5).contains("changed symbol"))
    let shrunk = try SymbolSizes(image, before: larger, modules: ModuleIndex(SampleModel.package), demangle: builder.demangled)
    #expect(shrunk.rows.filter { $0.bytes == 0 }.count == added.count)
  }
}

import AbacusPack

/// What a firmware is made of, beside an earlier one.
struct SymbolSizes {
  struct Row: Encodable {
    var symbol: String
    var module: String
    var kind: FirmwareImage.Symbol.Kind
    var bytes: Int
    /// nil where there is nothing to compare with.
    var before: Int?

    var change: Int { bytes - (before ?? bytes) }

    enum CodingKeys: CodingKey {
      case symbol, module, kind, bytes, before
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(symbol, forKey: .symbol)
      try container.encode(module, forKey: .module)
      try container.encode(kind, forKey: .kind)
      try container.encode(bytes, forKey: .bytes)
      try container.encode(before, forKey: .before)
    }
  }

  /// The largest first; the last ones are those that are no more.
  let rows: [Row]
  private let flash: (bytes: Int, before: Int?)
  private let variables: (bytes: Int, before: Int?)

  /// - Parameter demangle: turns names of the linker into those of people.
  init(
    _ image: FirmwareImage, before: FirmwareImage?, modules: ModuleIndex,
    demangle: ([String]) throws -> [String]
  ) throws {
    // Linkers may give one name to several symbols, which count together.
    func byName(_ image: FirmwareImage?) -> [String: (first: FirmwareImage.Symbol, bytes: Int)] {
      Dictionary((image?.symbols ?? []).map { ($0.name, ($0, $0.bytes)) }) { ($0.0, $0.1 + $1.1) }
    }
    let (new, old) = (byName(image), byName(before))
    let gone = old.filter { new[$0.key] == nil }
    let all = new.values.map { ($0.first, $0.bytes) } + gone.values.map { ($0.first, 0) }
    let readable = try demangle(all.map(\.0.name))
    rows = zip(all, readable).map { entry, name in
      Row(
        symbol: name, module: modules.module(of: name), kind: entry.0.kind, bytes: entry.1,
        before: before.map { _ in old[entry.0.name]?.bytes ?? 0 })
    }.sorted { ($0.bytes, $1.symbol) > ($1.bytes, $0.symbol) }
    flash = (image.flashBytes, before?.flashBytes)
    variables = (image.staticRAMBytes, before?.staticRAMBytes)
  }

  /// Tables: the largest symbols, those that changed, modules, totals.
  func text(top: Int) -> String {
    let changed = rows.filter { $0.change != 0 }.sorted { abs($0.change) > abs($1.change) }
    let tables = [symbols(rows.prefix(top), "symbol")] + (changed.isEmpty ? [] : [symbols(changed[...], "changed symbol")])
    return (tables + [modules, totals]).joined(separator: "\n")
  }

  private func symbols(_ rows: ArraySlice<Row>, _ title: String) -> String {
    table("kind", "module", title, lines: rows.map { ($0.bytes, $0.before, [$0.kind.rawValue, $0.module, $0.symbol]) })
  }

  private var modules: String {
    table(
      "module",
      lines: Dictionary(grouping: rows, by: \.module).map { module, rows in sum(rows, [module]) }.sorted { $0.bytes > $1.bytes })
  }

  private var totals: String {
    let named = [FirmwareImage.Symbol.Kind.code, .constant].map { kind in
      sum(rows.filter { $0.kind == kind }, [kind == .code ? "code (functions with their literals)" : "constants with a name"])
    }
    func rest(_ whole: Int, _ parts: [Int?]) -> Int { whole - parts.reduce(0) { $0 + ($1 ?? 0) } }
    let other = (
      bytes: rest(flash.bytes, named.map(\.bytes)), before: flash.before.map { rest($0, named.map(\.before)) },
      cells: ["strings, unnamed constants, alignment, initial values"]
    )
    return table(
      "total",
      lines: named + [other, (flash.bytes, flash.before, ["flash"]), (variables.bytes, variables.before, ["variables in RAM"])])
  }

  private typealias Line = (bytes: Int, before: Int?, cells: [String])

  private func sum(_ rows: [Row], _ cells: [String]) -> Line {
    let before = rows.compactMap(\.before)
    return (rows.reduce(0) { $0 + $1.bytes }, flash.before.map { _ in before.reduce(0, +) }, cells)
  }

  private func table(_ titles: String..., lines: [Line]) -> String {
    var table = Table([.init("bytes", .right), .init("change", .right)] + titles.map { .init($0) })
    for line in lines {
      let change = line.before.map { line.bytes - $0 } ?? 0
      table.add([NumberText.grouped(line.bytes), change == 0 ? "" : (change > 0 ? "+" : "") + NumberText.grouped(change)] + line.cells)
    }
    return table.text
  }
}

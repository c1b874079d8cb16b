import AbacusPack
import Foundation

/// Rows as people read them.
enum Tables {
  /// Those that have something to show.
  static func all(_ rows: [Row]) -> [String] {
    let boards = rows.filter { $0.board != Row.host }, hosts = rows.filter { $0.times != nil }
    return (boards.isEmpty ? [] : [onBoards(boards)]) + (hosts.isEmpty ? [] : [onHost(hosts)])
      + boards.compactMap { row in row.operators.map { ofOperators($0, "\(row.model) on \(row.board)") } }
  }

  private static func onBoards(_ rows: [Row]) -> String {
    var table = Table([
      .init("model"), .init("board"), .init("instructions", .right), .init("of peer's", .right),
      .init("MACs", .right), .init("per MAC", .right), .init("open", .right), .init("of a run", .right),
      .init("arena", .right), .init("of peer's", .right), .init("stack", .right), .init("code", .right),
      .init("of peer's", .right), .init("RAM", .right),
    ])
    for row in rows {
      table.add([
        row.model, row.board, grouped(row.instructions), decimals(row.peerShare), grouped(row.macs),
        decimals(row.instructionsPerMAC), grouped(row.openInstructions), percent(row.openShare),
        grouped(row.arenaBytes), decimals(row.peerArenaShare), grouped(row.stackBytes), grouped(row.codeBytes),
        decimals(row.peerCodeShare), grouped(row.ramBytes),
      ])
    }
    let builds = Set(rows.compactMap(\.build)).sorted().joined(separator: ", ")
    return table.text
      + """
      Instructions (not cycles) per inference and of abacus_open; bytes. Code: code and constants of a firmware
      with the model's kernels only, without the model, built with \(builds).
      Peer: \(Peer.name).

      """
  }

  private static func onHost(_ rows: [Row]) -> String {
    var table = Table([
      .init("model"), .init("p50", .right), .init("p90", .right), .init("LiteRT p50", .right), .init("p90", .right),
      .init("ratio", .right), .init("onnxruntime p50", .right), .init("p90", .right), .init("ratio", .right),
    ])
    for row in rows {
      guard let times = row.times else { continue }
      let cells = [
        times.ours.p50, times.ours.p90, times.liteRT?.p50, times.liteRT?.p90, times.liteRTRatio,
        times.onnxruntime?.p50, times.onnxruntime?.p90, times.onnxruntimeRatio,
      ]
      table.add([row.model] + cells.map(decimals))
    }
    return table.text
      + """
      Microseconds on this machine, one thread each, taken in turns. Ratio: our p50 over theirs. LiteRT has
      XNNPACK; onnxruntime runs dscnn and resnet in float, fmnist-vit with QDQ.

      """
  }

  private static func ofOperators(_ rows: [OperatorRow], _ title: String) -> String {
    var table = Table(
      [.init("#", .right), .init("operator"), .init("form"), .init("output")] + figures)
    for row in rows {
      table.add(["\(row.index)", row.operator, row.form, row.shape] + figures(row))
    }
    var kinds = Table([.init("count", .right), .init("operator"), .init("form")] + figures)
    for (count, sum) in OperatorRow.kinds(rows) {
      kinds.add(["\(count)", sum.operator, sum.form] + figures(sum))
    }
    return "\(title)\n\n\(table.text)\n\(kinds.text)"
  }

  private static let figures: [Table.Column] = [
    .init("instructions", .right), .init("share", .right), .init("MACs", .right), .init("per MAC", .right),
    .init("elements", .right), .init("per element", .right),
  ]

  private static func figures(_ row: OperatorRow) -> [String] {
    [
      grouped(row.instructions), percent(row.share), grouped(row.macs), decimals(row.instructionsPerMAC),
      grouped(row.elements), decimals(row.instructionsPerElement),
    ]
  }

  static func grouped(_ value: Int?) -> String { value.map { NumberText.grouped($0) } ?? "" }
  static func decimals(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "" }
  static func percent(_ value: Double?) -> String { value.map { String(format: "%.1f %%", 100 * $0) } ?? "" }
}

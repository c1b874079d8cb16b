import AbacusFormat

/// A page with the arena over time: operators from left to right, addresses from bottom to top,
/// one box for each tensor.
public struct ArenaPicture {
  private let blob: BlobDescription
  private let title: String
  private static let width = 1000.0
  private static let height = 520.0

  public init(_ blob: BlobDescription, title: String) {
    self.blob = blob
    self.title = title
  }

  /// A page of its own; no script, nothing fetched.
  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><title>\(escaped(title))</title>
    <style>
    body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1100px; color: #222 }
    table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: right }
    td.l, th.l { text-align: left } tr:nth-child(even) { background: #f4f4f4 }
    svg text { font: 10px system-ui, sans-serif; fill: #222 }
    </style></head><body>
    <h1>\(escaped(title))</h1>
    <p>Arena \(NumberText.grouped(blob.header.arenaBytes)) bytes, blob
    \(NumberText.grouped(blob.header.blobBytes)) bytes, \(blob.operators.count) operators,
    \(NumberText.grouped(blob.header.multiplyAccumulates)) multiply-accumulates.</p>
    \(picture)
    \(operatorTable)
    </body></html>

    """
  }

  private var picture: String {
    let columns = Double(blob.operators.count + 2)
    let arena = Double(max(blob.header.arenaBytes, 1))
    let step = Self.width / columns
    var boxes = ""
    for (tensor, live) in blob.lifetimes().sorted(by: { $0.key < $1.key }) {
      let record = blob.tensors[tensor]
      let x = Double(live.lowerBound + 1) * step
      let width = Double(live.count) * step
      let height = Double(record.byteCount) / arena * Self.height
      let y = Self.height - Double(record.offset) / arena * Self.height - height
      let hue = tensor * 47 % 360
      let name = escaped(blob.name(tensor))
      boxes += """
        <g><title>\(name): bytes \(record.offset) to \(record.offset + record.byteCount), operators \
        \(live.lowerBound) to \(live.upperBound)</title>
        <rect x="\(number(x))" y="\(number(y))" width="\(number(width))" height="\(number(height))" \
        fill="hsl(\(hue),60%,78%)" stroke="#555" stroke-width="0.5"/>
        \(height > 11 && width > 50 ? "<text x=\"\(number(x + 3))\" y=\"\(number(y + 11))\">\(name.prefix(Int(width / 6)))</text>" : "")</g>

        """
    }
    return """
      <svg viewBox="0 0 \(Self.width) \(Self.height + 20)" width="100%" role="img" \
      aria-label="arena over time">
      <rect width="\(Self.width)" height="\(Self.height)" fill="#fafafa" stroke="#999"/>
      \(boxes)<text x="0" y="\(Self.height + 14)">operators, from left to right; addresses from bottom to top</text>
      </svg>
      """
  }

  private var operatorTable: String {
    let rows = blob.operators.indices.map { index -> String in
      let output = blob.operand(index, Operands.output)
      let shape = output.map { blob.shapeText($0) } ?? ""
      return "<tr><td>\(index)</td><td class=l>\(blob.opcode(index).map { "\($0.symbol)" } ?? "?")</td>"
        + "<td class=l>\(escaped(output.map(blob.name) ?? ""))</td><td class=l>\(shape)</td></tr>"
    }
    return """
      <h2>Operators</h2>
      <table><tr><th>#</th><th class=l>operator</th><th class=l>output</th><th class=l>shape</th></tr>
      \(rows.joined(separator: "\n"))
      </table>
      """
  }

  private func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)"
  }

  private func escaped(_ text: String) -> String {
    text.map { character -> String in
      switch character {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      default: String(character)
      }
    }.joined()
  }
}

extension BlobDescription {
  /// Extents as "1 x 28 x 28 x 1".
  public func shapeText(_ tensor: Int) -> String {
    let record = tensors[tensor]
    return (0..<Int(record.rank)).map { String(record.dims[$0]) }.joined(separator: " x ")
  }
}

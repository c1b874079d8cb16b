/// A table in plain text: a header, a rule, and rows, in columns two blanks apart.
public struct Table: Sendable {
  public enum Alignment: Sendable { case left, right }

  public struct Column: Sendable {
    public var title: String
    public var alignment: Alignment

    public init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  public let columns: [Column]
  public private(set) var rows: [[String]] = []

  public init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row; missing cells are empty, surplus ones are left out.
  public mutating func add(_ cells: String...) { add(cells) }

  /// Adds a row; missing cells are empty, surplus ones are left out.
  public mutating func add(_ cells: [String]) {
    rows.append(columns.indices.map { $0 < cells.count ? Terminal.harmless(cells[$0]) : "" })
  }

  /// The table with a newline after each line and no blanks at their ends.
  public var text: String {
    let titles = columns.map(\.title)
    let widths = columns.indices.map { column in
      ([titles] + rows).map { $0[column].count }.max() ?? 0
    }
    let rule = widths.map { String(repeating: "-", count: $0) }
    return ([titles, rule] + rows).map { line($0, widths) + "\n" }.joined()
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    let padded = columns.indices.map { column in
      let blanks = String(repeating: " ", count: widths[column] - cells[column].count)
      return columns[column].alignment == .left ? cells[column] + blanks : blanks + cells[column]
    }
    let joined = padded.joined(separator: "  ")
    return String(joined.reversed().drop { $0 == " " }.reversed())
  }
}

/// Numbers as people read them.
public enum NumberText {
  /// With a comma after every three digits: 1,234,567.
  public static func grouped(_ value: some BinaryInteger) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// A size: bytes below 1 KiB, else KiB, MiB or GiB with one decimal, rounded half up.
  public static func bytes(_ count: some BinaryInteger) -> String {
    let size = UInt64(clamping: count)
    if size < 1024 { return "\(size) B" }
    for (shift, unit) in [(UInt64(10), "KiB"), (20, "MiB")] {
      let tenths = tenths(size, shift)
      if tenths < 10240 { return "\(tenths / 10).\(tenths % 10) \(unit)" }
    }
    let tenths = tenths(size, 30)
    return "\(grouped(tenths / 10)).\(tenths % 10) GiB"
  }

  /// Tenths of 2^shift in `size`, rounded half up.
  private static func tenths(_ size: UInt64, _ shift: UInt64) -> UInt64 {
    let rest = size & (1 << shift - 1)
    return (size >> shift) * 10 + (rest * 10 + 1 << (shift - 1)) >> shift
  }
}

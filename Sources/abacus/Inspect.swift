import AbacusFormat
import AbacusPack
import ArgumentParser
import Foundation

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what is in a blob: tensors, operators, memory.",
    discussion: """
      Examples:
        abacus inspect model.abm
        abacus inspect model.abm --json
        abacus inspect model.abm --html arena.html
        abacus inspect model.abm --bounds
        abacus inspect model.abm --board mps2-an386
      """)

  @Argument(help: "A packed model.")
  var blob: String

  @Flag(help: "Print everything as JSON.")
  var json = false

  @Flag(help: "Print the certificate: how large each operator's accumulators can become.")
  var bounds = false

  @Option(help: ArgumentHelp("Write a page with a picture of the arena over time.", valueName: "file"))
  var html: String?

  @Option(help: "Predict what each operator takes on a board, by its table of costs (abacus calibrate-board).")
  var board: String?

  func run() throws {
    let bytes = try readFile(blob)
    let description = try BlobDescription(bytes, name: blob)
    if let html {
      try AtomicFile.write(
        ArenaPicture(description, title: description.metadata("name") ?? blob).html, to: html)
    }
    if bounds {
      try printBounds(BoundsCertificate(description))
      return
    }
    let costs = try board.map { try CostTable(board: Board.named($0)).instructions(of: bytes).map { Int($0.rounded()) } }
    if json {
      try printJSON(InspectionReport(description, costs: costs))
    } else if html == nil {
      print(text(description, costs), terminator: "")
    }
  }

  private func printBounds(_ certificate: BoundsCertificate) throws {
    if json {
      struct Row: Encodable {
        var `operator`: Int
        var opcode: String
        var bound: Int64
        var headroomBits: Double
      }
      return try printJSON(
        certificate.rows.map {
          Row(operator: $0.step, opcode: "\($0.opcode.symbol)", bound: $0.bound, headroomBits: $0.headroom)
        })
    }
    var table = Table([
      .init("#", .right), .init("operator"), .init("accumulator at most", .right), .init("spare bits", .right),
    ])
    for row in certificate.rows {
      table.add(
        "\(row.step)", "\(row.opcode.symbol)", NumberText.grouped(row.bound),
        String(format: "%.1f", row.headroom))
    }
    print(table.text + (certificate.holds ? "every accumulator fits 32 bits\n" : "SOME DO NOT FIT\n"), terminator: "")
  }

  /// - Parameter costs: instructions of each operator, where they are known.
  private func text(_ blob: BlobDescription, _ costs: [Int]?) -> String {
    let header = blob.header
    var result = """
      format \(header.formatVersion), packed by \(versionText(header.libraryVersion))
      blob \(NumberText.grouped(header.blobBytes)) bytes, arena \(NumberText.grouped(header.arenaBytes)), \
      stack at most \(NumberText.grouped(header.stackBytes)), \
      \(NumberText.grouped(header.multiplyAccumulates)) multiply-accumulates


      """
    let columns: [Table.Column] = [
      .init("#", .right), .init("operator"), .init("form"), .init("inputs"), .init("output"), .init("shape"),
      .init("steps", .right),
    ]
    var operators = Table(columns + (costs == nil ? [] : [.init("instructions", .right)]))
    for index in blob.operators.indices {
      let record = blob.operators[index]
      let inputs = [Operands.input, Operands.second].compactMap { blob.operand(index, $0) }.map { shortened(blob.name($0)) }
      let output = blob.operand(index, Operands.output)
      let cells = [
        "\(index)", blob.opcode(index).map { "\($0.symbol)" } ?? "?", blob.form(index), inputs.joined(separator: ", "),
        output.map { shortened(blob.name($0)) } ?? "", output.map(blob.shapeText) ?? "",
        "\((record.units + record.unitsPerStep - 1) / record.unitsPerStep)",
      ]
      operators.add(cells + (costs.map { [NumberText.grouped($0[index])] } ?? []))
    }
    result += operators.text + "\n"
    if let costs { result += "\(NumberText.grouped(costs.reduce(0, +))) instructions of a run, predicted\n\n" }
    var memory = Table([
      .init("#", .right), .init("tensor"), .init("type"), .init("shape"), .init("scale", .right),
      .init("zero", .right), .init("where"), .init("offset", .right), .init("bytes", .right), .init("live"),
    ])
    let lifetimes = blob.lifetimes()
    for (index, tensor) in blob.tensors.enumerated() {
      let live = lifetimes[index].map { "\(max($0.lowerBound, 0))-\(min($0.upperBound, blob.operators.count - 1))" }
      let role =
        blob.inputs.contains(index) ? "input" : blob.outputs.contains(index) ? "output" : nil
      memory.add(
        "\(index)", shortened(blob.name(index)), ElementType(rawValue: tensor.elementType).map { "\($0)" } ?? "?",
        blob.shapeText(index), tensor.scaleMultiplier == 0 ? "" : short(tensor.scale),
        tensor.scaleMultiplier == 0 ? "" : "\(tensor.zeroPoint)",
        tensor.placement == Placement.constant.rawValue ? "flash" : role ?? "arena",
        NumberText.grouped(tensor.offset), NumberText.grouped(tensor.byteCount), live ?? "")
    }
    return result + memory.text
  }
}

/// Everything about a blob, for scripts.
struct InspectionReport: Encodable {
  struct TensorReport: Encodable {
    var index: Int
    var name: String
    var type: String
    var shape: [UInt32]
    var placement: String
    var offset: UInt32
    var bytes: UInt32
    var scale: Double?
    var zeroPoint: Int?
    var firstOperator: Int?
    var lastOperator: Int?
  }
  struct OperatorReport: Encodable {
    var index: Int
    var opcode: String
    var form: String
    var operands: [Int]
    var units: UInt32
    var unitsPerStep: UInt32
    /// Predicted, where a board is given.
    var instructions: Int?
  }

  var formatVersion: UInt16
  var packedBy: String
  var blobBytes: UInt32
  var arenaBytes: UInt32
  var stackBytes: UInt32
  var multiplyAccumulates: UInt64
  var constantBytes: Int
  var inputs: [Int]
  var outputs: [Int]
  var labels: [String]
  var operators: [OperatorReport]
  var tensors: [TensorReport]

  init(_ blob: BlobDescription, costs: [Int]?) {
    formatVersion = blob.header.formatVersion
    packedBy = versionText(blob.header.libraryVersion)
    blobBytes = blob.header.blobBytes
    arenaBytes = blob.header.arenaBytes
    stackBytes = blob.header.stackBytes
    multiplyAccumulates = blob.header.multiplyAccumulates
    constantBytes = blob.bytes(of: .constants)
    inputs = blob.inputs
    outputs = blob.outputs
    labels = blob.labels
    operators = blob.operators.indices.map { index in
      OperatorReport(
        index: index, opcode: blob.opcode(index).map { "\($0.symbol)" } ?? "?", form: blob.form(index),
        operands: (0..<Limits.maximumOperands).map { blob.operand(index, $0) ?? -1 },
        units: blob.operators[index].units, unitsPerStep: blob.operators[index].unitsPerStep,
        instructions: costs?[index])
    }
    let lifetimes = blob.lifetimes()
    tensors = blob.tensors.enumerated().map { index, tensor in
      let hasScale = tensor.scaleMultiplier != 0
      return TensorReport(
        index: index, name: blob.name(index),
        type: ElementType(rawValue: tensor.elementType).map { "\($0)" } ?? "?",
        shape: (0..<Int(tensor.rank)).map { tensor.dims[$0] },
        placement: Placement(rawValue: tensor.placement).map { "\($0)" } ?? "?", offset: tensor.offset,
        bytes: tensor.byteCount, scale: hasScale ? tensor.scale : nil,
        zeroPoint: hasScale ? Int(tensor.zeroPoint) : nil, firstOperator: lifetimes[index]?.lowerBound,
        lastOperator: lifetimes[index]?.upperBound)
    }
  }
}

extension TensorRecord {
  /// The scale as a real number.
  var scale: Double {
    Double(scaleMultiplier) * Double(sign: .plus, exponent: -Int(scaleShift), significand: 1)
  }
}

/// Names of converters run to hundreds of characters; tables show both ends (--json has the whole).
private func shortened(_ name: String) -> String {
  name.count <= 44 ? name : "\(name.prefix(20))...\(name.suffix(21))"
}

func versionText(_ version: UInt32) -> String {
  "\(version >> 16).\(version >> 8 & 0xFF).\(version & 0xFF)"
}

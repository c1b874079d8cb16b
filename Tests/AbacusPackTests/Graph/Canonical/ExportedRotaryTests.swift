import Foundation
import Testing

@testable import AbacusPack

/// Rotary position embedding, shared key heads and fused projections as exporters write them.
@Suite struct ExportedRotaryTests {
  private static let (rows, heads, groups, depth) = (6, 4, 2, 8)
  private static let width = 24
  private static let half = depth / 2

  private static func angles() -> [Float] {
    (0..<rows * half).map { Float($0 / half) * pow(100, -Float($0 % half) / Float(half)) }
  }

  /// Cosines and sines [n, d / 2].
  private static func tables(_ script: inout ExporterScript) -> (cosines: String, sines: String) {
    (script.constant(angles().map { cos($0) }, [rows, half]), script.constant(angles().map { sin($0) }, [rows, half]))
  }

  /// As Llama computes them from positions, [1, 1, n, d].
  private static func computedTables(_ script: inout ExporterScript) -> (cosines: String, sines: String) {
    let frequencies = script.constant((0..<half).map { pow(100, -Float($0) / Float(half)) }, [1, half, 1])
    let range = script.node("Range", script.integer(0), script.integer(rows), script.integer(1))
    let positions = script.cast(script.unsqueeze(range, 0, 1), to: .float)
    let angles = script.transpose(script.node("MatMul", frequencies, positions), 0, 2, 1)
    let both = script.concatenate(angles, angles, axis: -1)
    let one = script.scalar(1)
    let cosines = script.node("Mul", script.node("Cos", both), one)
    let sines = script.node("Mul", script.node("Sin", both), one)
    return (script.unsqueeze(cosines, 1), script.unsqueeze(sines, 1))
  }

  /// x * cos + (-x2, x1) * sin
  private static func halfRotation(
    _ script: inout ExporterScript, _ x: String, _ tables: (cosines: String, sines: String)
  ) -> String {
    let (first, second) = (script.slice(x, 3, 0, half), script.slice(x, 3, half, Int(Int64.max)))
    let turned = script.concatenate(script.node("Neg", second), first, axis: -1)
    return script.node(
      "Add", script.node("Mul", x, tables.cosines), script.node("Mul", turned, tables.sines))
  }

  typealias Rotation = @Sendable (inout ExporterScript, _ heads: String, _ count: Int) -> String

  /// Rotations of [1, h, n, d].
  static let rotations: [(String, isInterleaved: Bool, Rotation)] = [
    ("Llama, tables from positions", false, { script, x, _ in halfRotation(&script, x, computedTables(&script)) }),
    ("halves joined", false, { script, x, _ in
      let (cosines, sines) = tables(&script)
      let (a, b) = (script.slice(x, 3, 0, half), script.slice(x, 3, half, depth))
      let real = script.node("Sub", script.node("Mul", a, cosines), script.node("Mul", b, sines))
      let imaginary = script.node("Add", script.node("Mul", b, cosines), script.node("Mul", a, sines))
      return script.concatenate(real, imaginary, axis: 3)
    }),
    ("halves split, (x2, -x1) subtracted", false, { script, x, _ in
      let (cosines, sines) = computedTables(&script)
      let parts = script.nodes("Split", [x, script.integers(half, half)], outputs: 2, [("axis", .int(-1))])
      let turned = script.concatenate(parts[1], script.node("Neg", parts[0]), axis: -1)
      return script.node("Sub", script.node("Mul", x, cosines), script.node("Mul", turned, sines))
    }),
    ("llama2.c: pairs stacked", true, { script, x, count in
      let (cosines, sines) = tables(&script)
      let pairs = script.reshape(x, 1, count, rows, half, 2)
      let a = script.node("Gather", pairs, script.integer(0), with: [("axis", .int(-1))])
      let b = script.node("Gather", pairs, script.integer(1), with: [("axis", .int(-1))])
      let real = script.node("Sub", script.node("Mul", a, cosines), script.node("Mul", b, sines))
      let imaginary = script.node("Add", script.node("Mul", a, sines), script.node("Mul", b, cosines))
      let stacked = script.concatenate(script.unsqueeze(real, -1), script.unsqueeze(imaginary, -1), axis: -1)
      return script.reshape(stacked, 1, count, rows, depth)
    }),
    ("GPT-J: every two", true, { script, x, count in
      let (cosines, sines) = tables(&script)
      let (a, b) = (script.slice(x, 3, 0, depth, by: 2), script.slice(x, 3, 1, depth, by: 2))
      let stacked = script.concatenate(
        script.unsqueeze(script.node("Neg", b), -1), script.unsqueeze(a, -1), axis: -1)
      let turned = script.reshape(stacked, 1, count, rows, depth)
      func twice(_ script: inout ExporterScript, _ table: String) -> String {
        let wide = script.node("Expand", script.unsqueeze(table, -1), script.integers(rows, half, 2))
        return script.reshape(wide, rows, depth)
      }
      return script.node(
        "Add", script.node("Mul", x, twice(&script, cosines)), script.node("Mul", turned, twice(&script, sines)))
    }),
    ("GPT-J: the first half of each head", true, { script, x, count in
      let (cosines, sines) = (script.slice(tables(&script).cosines, 1, 0, 2), script.slice(tables(&script).sines, 1, 0, 2))
      let (a, b) = (script.slice(x, 3, 0, half, by: 2), script.slice(x, 3, 1, half, by: 2))
      let real = script.node("Sub", script.node("Mul", a, cosines), script.node("Mul", b, sines))
      let imaginary = script.node("Add", script.node("Mul", b, cosines), script.node("Mul", a, sines))
      let stacked = script.concatenate(script.unsqueeze(real, -1), script.unsqueeze(imaginary, -1), axis: -1)
      return script.concatenate(script.reshape(stacked, 1, count, rows, half), script.slice(x, 3, half, depth), axis: -1)
    }),
    ("RotaryEmbedding, halves", false, { script, x, _ in node(&script, x, isInterleaved: 0) }),
    ("RotaryEmbedding, pairs", true, { script, x, _ in node(&script, x, isInterleaved: 1) }),
  ]

  private static func node(_ script: inout ExporterScript, _ x: String, isInterleaved: Int) -> String {
    let (cosines, sines) = tables(&script)
    let positions = script.integers(Array(0..<rows), [1, rows])
    return script.nodes(
      "RotaryEmbedding", [x, cosines, sines, positions], outputs: 1, [("interleaved", .int(isInterleaved))])[0]
  }

  /// [1, groups, n, d] as [1, heads, n, d]: Unsqueeze, Expand, Reshape.
  private static func repeated(_ script: inout ExporterScript, _ x: String) -> String {
    let wide = script.node(
      "Expand", script.unsqueeze(x, 2), script.integers(1, groups, heads / groups, rows, depth))
    return script.reshape(wide, 1, heads, rows, depth)
  }

  private func attention(_ script: inout ExporterScript, _ q: String, _ k: String, _ v: String) {
    let (rows, depth) = (Self.rows, Self.depth)
    let product = script.node("MatMul", q, script.transpose(k, 0, 1, 3, 2))
    let scores = script.node("Mul", product, script.scalar(1 / Float(depth).squareRoot()))
    let later = script.constant((0..<rows * rows).map { $0 % rows > $0 / rows ? -3.4e38 : 0 }, [1, 1, rows, rows])
    let mixed = script.node("MatMul", script.softmax(script.node("Add", scores, later)), v)
    let joined = script.rows(mixed, rows, Self.heads * depth)
    script.writer.node("Identity", [script.linear(joined, Self.heads * depth, Self.width)], ["y"])
    script.writer.output("y")
  }

  private func start() -> ExporterScript {
    var script = ExporterScript(version: 23)
    script.writer.input("x", [1, Self.rows, Self.width])
    return script
  }

  /// Each of queries and keys is rotated as it comes out of its layer, and nothing moves.
  @Test(arguments: rotations.indices) func separateProjections(_ form: Int) throws {
    let (name, isInterleaved, rotate) = Self.rotations[form]
    let (rows, heads, groups, depth) = (Self.rows, Self.heads, Self.groups, Self.depth)
    var script = start()
    let q = script.heads(script.linear("x", Self.width, heads * depth, bias: false), rows, heads, depth)
    let k = script.heads(script.linear("x", Self.width, groups * depth, bias: false), rows, groups, depth)
    let v = script.heads(script.linear("x", Self.width, groups * depth, bias: false), rows, groups, depth)
    let (turnedQ, turnedK) = (rotate(&script, q, heads), rotate(&script, k, groups))
    attention(&script, turnedQ, Self.repeated(&script, turnedK), Self.repeated(&script, v))
    try expect(script, isInterleaved, name)
  }

  /// Qwen: heads of queries and keys are normalised before they are rotated.
  @Test func normalizedHeads() throws {
    let (rows, heads, depth) = (Self.rows, Self.heads, Self.depth)
    var script = start()
    func turned(_ script: inout ExporterScript) -> String {
      let x = script.reshape(script.linear("x", Self.width, heads * depth, bias: false), 1, rows, heads, depth)
      let mean = script.node("ReduceMean", script.node("Pow", x, script.scalar(2)), script.integers(-1))
      let inverse = script.node("Reciprocal", script.node("Sqrt", script.node("Add", mean, script.scalar(1e-6))))
      let normal = script.node("Mul", script.weights(depth), script.node("Mul", x, inverse))
      return Self.halfRotation(&script, script.transpose(normal, 0, 2, 1, 3), Self.computedTables(&script))
    }
    let (q, k) = (turned(&script), turned(&script))
    let v = script.heads(script.linear("x", Self.width, heads * depth), rows, heads, depth)
    attention(&script, q, k, v)
    try script.check(["attention heads 4": 1, "rotary heads 4": 2, "rmsNormalization": 2])
  }

  /// GPT-NeoX turns halves of the first half of each head, which no rotation of whole heads says: it stays
  /// as sums and products before the attention, and does not decode token by token.
  @Test func partOfEachHeadByHalves() throws {
    let (rows, heads, depth, half) = (Self.rows, Self.heads, Self.depth, Self.half)
    var script = start()
    func turned(_ script: inout ExporterScript) -> String {
      let x = script.heads(script.linear("x", Self.width, heads * depth), rows, heads, depth)
      let (cosines, sines) = Self.tables(&script)
      let part = script.slice(x, 3, 0, half)
      let rotated = script.concatenate(
        script.node("Neg", script.slice(part, 3, half / 2, half)), script.slice(part, 3, 0, half / 2), axis: -1)
      let sum = script.node("Add", script.node("Mul", part, cosines), script.node("Mul", rotated, sines))
      return script.concatenate(sum, script.slice(x, 3, half, depth), axis: -1)
    }
    let (q, k) = (turned(&script), turned(&script))
    let v = script.heads(script.linear("x", Self.width, heads * depth), rows, heads, depth)
    attention(&script, q, k, v)
    let graph = try script.check(["attention heads 4": 1, "rotary": 0])
    let error = #expect(throws: PackError.self) { try graph.decoder(context: rows) }
    #expect(error?.description.contains("node ") == true)
  }

  static let fusions = ["Split", "Reshape, Transpose, Gather", "Slice of columns of each head"]

  /// One product for queries, keys and values, as many heads of each.
  @Test(arguments: fusions, [0, 3]) func fusedProjection(_ fusion: String, _ form: Int) throws {
    let (_, isInterleaved, rotate) = Self.rotations[form]
    let (rows, heads, depth) = (Self.rows, Self.heads, Self.depth)
    var script = start()
    let all = script.linear("x", Self.width, 3 * heads * depth)
    let parts: [String]
    switch fusion {
    case "Split":
      parts = script.nodes("Split", [all], outputs: 3, [("axis", .int(-1)), ("num_outputs", .int(3))]).map {
        script.heads($0, rows, heads, depth)
      }
    case "Slice of columns of each head":
      let wide = script.reshape(all, 1, rows, heads, 3 * depth)
      parts = (0..<3).map { part in
        script.transpose(script.slice(wide, 3, part * depth, (part + 1) * depth), 0, 2, 1, 3)
      }
    default:
      let wide = script.transpose(script.reshape(all, 1, rows, 3, heads, depth), 2, 0, 3, 1, 4)
      parts = (0..<3).map { script.node("Gather", wide, script.integer($0), with: [("axis", .int(0))]) }
    }
    attention(&script, rotate(&script, parts[0], heads), rotate(&script, parts[1], heads), parts[2])
    try expect(script, isInterleaved, fusion, groups: heads)
  }

  private func expect(
    _ script: ExporterScript, _ isInterleaved: Bool, _ name: String, groups: Int = groups
  ) throws {
    let suffix = isInterleaved ? " interleaved" : ""
    let shared = groups == Self.heads ? "" : "of \(groups) "
    let scale = "scale \(Float(1 / Double(Self.depth).squareRoot()))".prefix(10)
    let graph = try script.check(
      ["attention heads 4 \(shared)\(scale)": 1, "rotary heads": 2, "fullyConnected": 4], comment: name)
    #expect(graph.nodes.count == 7, "\(name)\n\(graph.summary())")
    let rotary = graph.nodes.map(\.operation.summary).filter { $0.hasPrefix("rotary") }
    #expect(rotary == ["rotary heads 4\(suffix)", "rotary heads \(groups)\(suffix)"], "\(name)")
    let decoder = try graph.decoder(context: Self.rows)
    #expect(decoder.nodes.count { $0.operation == .cacheAppend } == 2)
  }
}

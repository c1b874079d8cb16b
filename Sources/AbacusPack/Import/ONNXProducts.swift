import Foundation

// Translation of matrix products.

extension ONNXTranslator {
  mutating func matrixProduct() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    return try build.matrixMultiply(id(0), id(1))
  }

  mutating func generalProduct() throws -> Graph.TensorID {
    try expect(inputs: 2...3)
    return try generalProduct(id(0), id(1), optional(2))
  }

  /// alpha * a * b + beta * c, with a and b transposed where asked.
  mutating func generalProduct(
    _ a: Graph.TensorID, _ b: Graph.TensorID, _ c: Graph.TensorID?
  ) throws -> Graph.TensorID {
    guard build.shape(a).count == 2, build.shape(b).count == 2 else {
      throw PackError(.malformed, "needs two matrices, has \(build.shape(a)) and \(build.shape(b))")
    }
    let alpha = try site.real("alpha", default: 1)
    let beta = try site.real("beta", default: 1)
    let rows = try site.flag("transA") ? build.transpose(a, [1, 0]) : a
    let isTransposed = try site.flag("transB")
    if build[b].isConstant, alpha == 1, beta == 1, let c, build[c].isConstant {
      let weights = try isTransposed ? b : build.transpose(b, [1, 0])
      let channels = build.shape(weights)[0]
      if [[channels], [1, channels]].contains(build.shape(c)) {
        return try build.fullyConnected(rows, weights: weights, bias: build.reshape(c, [channels]))
      }
    }
    let product = try build.matrixMultiply(rows, isTransposed ? build.transpose(b, [1, 0]) : b)
    let scaled = try build.multiply(product, by: alpha)
    guard let c else { return scaled }
    guard try Shapes.broadcast(build.shape(scaled), build.shape(c)) == build.shape(scaled) else {
      throw PackError(.malformed, "the summand \(build.shape(c)) does not broadcast to \(build.shape(scaled))")
    }
    return try build.binary(.add, scaled, build.multiply(c, by: beta))
  }

  // MARK: Einstein's summation

  mutating func einsum() throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    let equation = try site.string("equation", default: "").filter { !$0.isWhitespace }
    let form = try EinsteinSum(equation, ranks: inputs.indices.map { try shape($0).count })
    let operands = try inputs.indices.map { try reduced(id($0), form, $0) }
    guard operands.count == 2 else {
      return try build.transpose(operands[0].id, form.result.map { operands[0].labels.firstIndex(of: $0)! })
    }
    return try contracted(operands[0], operands[1], form.result)
  }

  private struct Labelled {
    var id: Graph.TensorID
    var labels: [Character]
  }

  /// An operand without the dimensions that only it has and that the result has not.
  private mutating func reduced(_ id: Graph.TensorID, _ form: EinsteinSum, _ operand: Int) throws -> Labelled {
    let labels = form.operands[operand]
    let others = form.operands.indices.filter { $0 != operand }.flatMap { form.operands[$0] }
    let alone = labels.indices.filter { !form.result.contains(labels[$0]) && !others.contains(labels[$0]) }
    let sum = try build.reduce(.sum, id, axes: alone, keepingDimensions: false)
    return Labelled(id: sum, labels: labels.indices.filter { !alone.contains($0) }.map { labels[$0] })
  }

  /// A product of two as one of matrices: what both and the result have are batches, what both have
  /// and the result has not is summed over.
  private mutating func contracted(_ a: Labelled, _ b: Labelled, _ result: [Character]) throws -> Graph.TensorID {
    let shared = a.labels.filter(b.labels.contains)
    let batches = shared.filter(result.contains)
    let depth = shared.filter { !result.contains($0) }
    let rows = a.labels.filter { !shared.contains($0) }
    let columns = b.labels.filter { !shared.contains($0) }
    var extents: [Character: Int] = [:]
    for operand in [a, b] {
      for (label, extent) in zip(operand.labels, build.shape(operand.id)) {
        guard extents.updateValue(extent, forKey: label) ?? extent == extent else {
          throw PackError(.malformed, "the label \(label) stands for different extents")
        }
      }
    }
    func shape(_ labels: [Character]) -> [Int] { labels.map { extents[$0] ?? 1 } }
    func count(_ labels: [Character]) -> Int { shape(labels).reduce(1, *) }
    func ordered(_ operand: Labelled, _ order: [Character]) throws -> Graph.TensorID {
      try build.transpose(operand.id, order.map { operand.labels.firstIndex(of: $0)! })
    }
    let left = try build.reshape(
      ordered(a, batches + rows + depth), shape(batches) + [count(rows), count(depth)])
    let right = try build.reshape(
      ordered(b, batches + depth + columns), shape(batches) + [count(depth), count(columns)])
    let product = try build.matrixMultiply(left, right)
    let labels = batches + rows + columns
    return try build.transpose(
      build.reshape(product, shape(labels)), result.map { labels.firstIndex(of: $0)! })
  }
}

/// The equation of an Einstein sum: a label for each dimension of the operands and of the result.
private struct EinsteinSum {
  var operands: [[Character]]
  var result: [Character]

  init(_ equation: String, ranks: [Int]) throws {
    func unsupported(_ what: String) -> PackError {
      PackError(.unsupported, "the equation \"\(equation)\" \(what)")
    }
    let sides = equation.components(separatedBy: "->")
    let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard sides.count <= 2, terms.count == ranks.count else {
      throw unsupported("does not fit \(ranks.count) operands")
    }
    // The dimensions that an ellipsis stands for get digits, the last one 9.
    func labels(_ term: String, _ rank: Int) throws -> [Character] {
      let parts = term.components(separatedBy: "...")
      guard parts.count <= 2, parts.allSatisfy({ $0.allSatisfy { $0.isLetter && $0.isASCII } }) else {
        throw unsupported("has unknown characters")
      }
      let hidden = parts.count == 1 ? 0 : rank - parts.joined().count
      guard (0...8).contains(hidden) else { throw unsupported("does not fit an operand of \(rank) dimensions") }
      return Array(parts[0]) + Array("123456789".suffix(hidden)) + (parts.count == 2 ? Array(parts[1]) : [])
    }
    operands = try zip(terms, ranks).map(labels)
    guard zip(operands, ranks).allSatisfy({ $0.count == $1 }) else { throw unsupported("does not fit its operands") }
    let all = operands.joined()
    if sides.count == 2 {
      let hidden = Set(all.filter(\.isNumber)).count
      result = try labels(sides[1], sides[1].filter(\.isLetter).count + hidden)
    } else {
      // Without a right side: the ellipsis, then the labels that occur once, in their order.
      let once = Set(all).filter { label in label.isNumber || all.count { $0 == label } == 1 }
      result = once.sorted()
    }
    guard (operands + [result]).allSatisfy({ Set($0).count == $0.count }) else {
      throw unsupported("repeats a label within an operand, which is not supported")
    }
    guard result.allSatisfy(all.contains) else { throw unsupported("has a label in its result only") }
  }
}

import AbacusFormat
import Foundation

// Attention, rotary embedding and the key/value cache.

extension Lowering {
  /// Inputs: query, key, value, mask?, position?
  func lowerAttention(_ node: Node, _ attributes: AttentionAttributes) throws {
    let query = try wide(try input(node, 0), node, perTensor: false)
    let key = try wide(try input(node, 1), node, perTensor: false)
    let value = try wide(try input(node, 2), node, perTensor: false)
    let output = try wide(try makeOutput(node), node)
    let (heads, groups) = (attributes.heads, attributes.keyValueHeads)
    guard heads > 0, groups > 0, heads % groups == 0, query.rowLength % heads == 0,
      key.rowLength == query.rowLength / heads * groups, value.rowLength % groups == 0,
      key.rows == value.rows, output.rows == query.rows, output.rowLength == value.rowLength / groups * heads
    else {
      throw PackError(
        .malformed,
        "\(node.origin): \(heads) heads of queries \(query.shape), \(groups) of keys \(key.shape) and values "
          + "\(value.shape) do not give \(output.shape)")
    }
    guard query.shape.dropLast(2).allSatisfy({ $0 == 1 }) else {
      throw PackError(.unsupported, "\(node.origin): attention over a batch; a batch of 1 is supported")
    }
    guard key.rows <= Int(Limits.maximumAttentionKeys) else {
      throw PackError(
        .unsupported,
        "\(node.origin): attention over \(key.rows) keys; at most \(Limits.maximumAttentionKeys) are supported")
    }
    guard key.type == .int8, value.type == .int8 else {
      throw PackError(.unsupported, "\(node.origin): keys are \(key.type), values \(value.type); int8 is supported")
    }
    let depth = query.rowLength / heads
    let bound = Int64(depth) * Int64(query.largestCode) * 128
    guard bound < 1 << 30 else {
      throw PackError(
        .unsupported, "\(node.origin): scores may reach \(bound), 2^30 or more; fewer dimensions a head are supported")
    }
    let scales = AttentionScales(
      query: try headScales(query, heads, node), key: try headScales(key, groups, node),
      value: try headScales(value, groups, node), output: output.scale, factor: attributes.scale)

    var step = Program.Step(.attention, origin: node.origin)
    step.operands = [
      Operands.input: query.index, Operands.second: key.index, Operands.values: value.index,
      Operands.output: output.index,
    ]
    if hasInput(node, 3) { step.operands[Operands.mask] = try input(node, 3) }
    if hasInput(node, 4) { step.operands[Operands.position] = try input(node, 4) }
    var parameters = AttentionParameters(
      stage: stage(output, shift: 1), heads: UInt32(heads), keyValueHeads: UInt32(groups), depth: UInt32(depth),
      valueDepth: UInt32(value.rowLength / groups), keys: UInt32(key.rows), isCausal: attributes.isCausal)
    let constants = try setArithmetic(&step, &parameters, scales, node)
    step.operands[Operands.channels] = addConstant(
      "\(node.origin), heads", shape: [heads, 4], type: .int32, constants.flatMap(littleEndianBytes))
    let takesThreeRows = options.weightOrder == .pairs && !hasInput(node, 3) && !hasInput(node, 4)
      && AttentionRows.takes(parameters, AttentionVariant(rawValue: step.variant), output: output.type.rawValue)
    step.operands[Operands.scratch] = addScratch(
      words: takesThreeRows ? AttentionRows.scratchWords(depth: depth, keys: key.rows) : key.rows, origin: node.origin)
    step.parameters = littleEndianBytes(parameters)
    step.units = query.rows
    step.rowSlots = [Operands.output, Operands.input]
    if query.type == output.type && value.rowLength == key.rowLength { step.inPlaceSlots = [Operands.input] }
    step.accumulatorBound = max(bound, Int64(key.rows) * 32767 * 128)
    step.multiplyAccumulates = UInt64(query.rows * key.rows * (query.rowLength + output.rowLength))
    program.steps.append(step)
  }

  /// Chooses the form and gives its constants: {multiplier, shift} of scores and values of each head.
  private func setArithmetic(
    _ step: inout Program.Step, _ parameters: inout AttentionParameters, _ scales: AttentionScales, _ node: Node
  ) throws -> [Int32] {
    let softmax = options.arithmetic.softmax
    var constants: [Int32] = []
    for head in 0..<Int(parameters.heads) {
      let factors: [Double]
      switch softmax {
      case .refined:
        factors = [scales.score(head) * M_LOG2E * 65_536, scales.value(head)]
      case .paper(let paper):
        guard let step8 = graph.scoreScales[node.outputs[0]] else {
          throw PackError(
            .unsupported, "\(node.origin): Shiftmax needs the range of the scores; quantise from a float model")
        }
        factors = [scales.score(head) / step8, scales.value(head) * pow(2, Double(1 - paper.quotientBits))]
      }
      for factor in factors {
        try checkFactor(factor, node)
        let dyadic = Dyadic(factor)
        constants += [dyadic.multiplier, dyadic.shift]
      }
    }
    if case .paper(let paper) = softmax, let step8 = graph.scoreScales[node.outputs[0]] {
      step.variant = AttentionVariant.paper.rawValue
      parameters.exponent = paper.parameters(unitScale: step8, octaves: 15)
    }
    return constants
  }

  /// Inputs: rows, cosines [positions, d / 2], sines, position?
  func lowerRotary(_ node: Node, _ attributes: RotaryAttributes) throws {
    let input = try wide(try self.input(node, 0), node, perTensor: false)
    let output = try wide(try makeOutput(node), node, perTensor: false)
    let heads = attributes.heads
    guard heads > 0, input.rowLength % (2 * heads) == 0, input.elementCount == output.elementCount else {
      throw PackError(.malformed, "\(node.origin): \(heads) heads of \(input.shape) cannot be rotated")
    }
    let depth = input.rowLength / heads
    let cosines = try source(node, 1)
    let positions = cosines.elementCount / (depth / 2)
    guard let cosine = try realConstant(node, 1, count: positions * depth / 2),
      let sine = try realConstant(node, 2, count: positions * depth / 2), positions > 0
    else {
      throw PackError(.malformed, "\(node.origin): it needs constant tables of cosines and sines")
    }
    let ratios = zip(try headScales(input, heads, node), try headScales(output, heads, node)).map { $0 / $1 / 16_384 }
    for ratio in ratios { try checkFactor(ratio, node) }
    var step = Program.Step(.rotary, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    step.operands[Operands.weights] = addConstant(
      "\(node.origin), cosines and sines", shape: [positions, depth / 2, 2], type: .int16,
      zip(cosine, sine).flatMap { littleEndianBytes(Self.q14($0)) + littleEndianBytes(Self.q14($1)) })
    step.operands[Operands.channels] = addConstant(
      "\(node.origin), heads", shape: [heads, 2], type: .int32,
      ratios.map(Dyadic.init).flatMap { littleEndianBytes($0.multiplier) + littleEndianBytes($0.shift) })
    if hasInput(node, 3) { step.operands[Operands.position] = try self.input(node, 3) }
    step.parameters = littleEndianBytes(
      RotaryParameters(
        stage: stage(output, shift: 1), heads: UInt32(heads), depth: UInt32(depth), positions: UInt32(positions),
        isInterleaved: attributes.isInterleaved))
    step.units = input.rows
    step.rowSlots = [Operands.output, Operands.input]
    if input.type == output.type { step.inPlaceSlots = [Operands.input] }
    step.accumulatorBound = 2 * Int64(input.largestCode) * 16_384
    program.steps.append(step)
  }

  private static func q14(_ value: Double) -> Int16 { Int16(min(max((value * 16_384).rounded(), -16_384), 16_384)) }

  /// Inputs: rows, position.
  func lowerCacheAppend(_ node: Node) throws {
    let rows = try wide(try input(node, 0), node, perTensor: false)
    let cache = try wide(try makeOutput(node), node, perTensor: false)
    guard rows.rowLength == cache.rowLength, rows.type == cache.type, rows.scales == cache.scales else {
      throw PackError(.malformed, "\(node.origin): rows \(rows.shape) do not go into a cache \(cache.shape)")
    }
    program.states.append(cache.index)
    var step = Program.Step(.append, origin: node.origin)
    step.operands = [
      Operands.input: rows.index, Operands.output: cache.index, Operands.position: try input(node, 1),
    ]
    step.parameters = littleEndianBytes(AppendParameters(rowLength: UInt32(rows.rowLength)))
    step.units = rows.rows
    step.rowSlots = []
    program.steps.append(step)
  }

  /// The count of tokens, a state that the runtime keeps.
  func addPosition(_ id: Graph.TensorID) throws {
    let limit = graph.nodes.compactMap { node -> Int? in
      guard node.operation == .cacheAppend else { return nil }
      return graph.tensors[node.outputs[0]].shape.dropLast().last
    }.min()
    guard let limit else {
      throw PackError(.malformed, "the model counts tokens but has no cache that says how many it takes")
    }
    let tensor = try bindState(id)
    program.states.append(tensor)
    program.position = (tensor, limit)
  }
}

/// Scales of an attention, and what they make of scores and values.
private struct AttentionScales {
  var query: [Double]
  var key: [Double]
  var value: [Double]
  var output: Double
  /// Factor of the scores.
  var factor: Double

  private func group(_ head: Int) -> Int { head / (query.count / key.count) }

  /// Real value of one step of a score.
  func score(_ head: Int) -> Double { query[head] * key[group(head)] * factor }

  /// Output steps of one step of a value.
  func value(_ head: Int) -> Double { value[group(head)] / output }
}

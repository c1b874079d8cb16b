// Translation of normalisations.

extension ONNXTranslator {
  /// With the statistics of training: a scale and a shift for each channel.
  mutating func batchNormalization() throws -> Graph.TensorID {
    try expect(inputs: 5...5)
    guard try !site.flag("training_mode") else {
      throw PackError(.unsupported, "batch normalisation in training mode is not supported")
    }
    let channels = try perChannel(1...4)
    let (scale, bias, mean, variance) = (channels[0], channels[1], channels[2], channels[3])
    let deviation = try build.add(variance, site.real("epsilon", default: 1e-5))
    let factor = try build.binary(.multiply, scale, build.unary(.rsqrt, deviation))
    let shift = try build.binary(.subtract, bias, build.binary(.multiply, mean, factor))
    let normal = try build.binary(.add, build.binary(.multiply, id(0), factor), shift)
    let (scales, means) = (try tensor(1), try tensor(2))
    if scales.isConstant, means.isConstant {
      // Values that are normalised have a mean of 0 and a deviation of 1 before they are scaled and shifted.
      build.describe(
        normal, ChannelDistribution(means: try means.reals(), deviations: try scales.reals().map(\.magnitude)))
    }
    return normal
  }

  /// Inputs with one number for each channel, seen so that they broadcast to [n, channels, ...].
  private mutating func perChannel(_ positions: ClosedRange<Int>) throws -> [Graph.TensorID] {
    let shape = try shape(0)
    guard shape.count >= 2 else { throw PackError(.malformed, "the input must be [n, channels, ...]") }
    return try positions.map { input in
      guard try self.shape(input) == [shape[1]] else {
        throw PackError(.malformed, "input \(input) must have one value for each of \(shape[1]) channels")
      }
      return try build.reshape(id(input), [shape[1]] + shape[2...].map { _ in 1 })
    }
  }

  mutating func instanceNormalization() throws -> Graph.TensorID {
    try expect(inputs: 3...3)
    let affine = try perChannel(1...2)
    let normal = try normalized(groups: shape(0)[1])
    return try build.binary(.add, build.binary(.multiply, normal, affine[0]), affine[1])
  }

  /// Before version 21, scale and bias are per group.
  mutating func groupNormalization() throws -> Graph.TensorID {
    try expect(inputs: 3...3)
    let shape = try shape(0)
    let groups = try site.int("num_groups", default: 0)
    guard shape.count >= 2, groups >= 1, shape[1] % groups == 0 else {
      throw PackError(.malformed, "\(shape) does not divide into \(groups) groups of channels")
    }
    let normal = try normalized(groups: groups)
    if site.version >= 21 {
      let affine = try perChannel(1...2)
      return try build.binary(.add, build.binary(.multiply, normal, affine[0]), affine[1])
    }
    let affine = try (1...2).map { input in
      guard try self.shape(input) == [groups] else {
        throw PackError(.malformed, "input \(input) must have one value for each of \(groups) groups")
      }
      return try build.reshape(id(input), [groups, 1])
    }
    let rows = try build.reshape(normal, [shape[0], groups, -1])
    let result = try build.binary(.add, build.binary(.multiply, rows, affine[0]), affine[1])
    return try build.reshape(result, shape)
  }

  /// The first input with mean 0 and variance 1 in each group of channels.
  private mutating func normalized(groups: Int) throws -> Graph.TensorID {
    let shape = try shape(0)
    let rows = try build.reshape(id(0), [shape[0], groups, -1])
    let normal = try build.layerNormalization(rows, epsilon: site.real("epsilon", default: 1e-5))
    return try build.reshape(normal, shape)
  }

  // MARK: Over the last dimensions

  mutating func layerNormalization() throws -> [Graph.TensorID] {
    try expect(inputs: 2...3)
    let epsilon = try site.real("epsilon", default: 1e-5)
    let axis = try axis(default: -1, rank: shape(0).count)
    let result = try overLastDimensions(from: axis) { translator, x, scale, bias in
      try translator.build.layerNormalization(x, scale: scale, bias: bias, epsilon: epsilon)
    }
    guard site.proto.output.dropFirst().contains(where: { !$0.isEmpty }) else { return [result] }
    let axes = Array(axis..<(try shape(0).count))
    let mean = try build.reduce(.mean, id(0), axes: axes)
    let variance = try build.reduce(.mean, build.binary(.squaredDifference, id(0), mean), axes: axes)
    return [result, mean, try build.unary(.rsqrt, build.add(variance, epsilon))]
  }

  mutating func rmsNormalization() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let epsilon = try site.real("epsilon", default: 1e-5)
    let axis = try axis(default: -1, rank: shape(0).count)
    return try overLastDimensions(from: axis) { translator, x, scale, _ in
      try translator.build.rmsNormalization(x, scale: scale, epsilon: epsilon)
    }
  }

  /// Dimensions from `axis` on as one; scale and bias (inputs 1 and 2) apply to it, or where they do
  /// not have all of its elements, by broadcasting to the result.
  private mutating func overLastDimensions(
    from axis: Int,
    _ normalize: (inout Self, Graph.TensorID, Graph.TensorID?, Graph.TensorID?) throws -> Graph.TensorID
  ) throws -> Graph.TensorID {
    let shape = try shape(0)
    let count = shape[axis...].reduce(1, *)
    let x = try build.reshape(id(0), shape[..<axis] + [count])
    let affine = [optional(1), optional(2)]
    if affine.allSatisfy({ $0.map { build[$0].elementCount == count } ?? true }) {
      let vectors = try affine.map { try $0.map { try build.reshape($0, [count]) } }
      return try build.reshape(normalize(&self, x, vectors[0], vectors[1]), shape)
    }
    var result = try build.reshape(normalize(&self, x, nil, nil), shape)
    if let scale = affine[0] { result = try build.binary(.multiply, result, scale) }
    if let bias = affine[1] { result = try build.binary(.add, result, bias) }
    return result
  }

  // MARK: Others

  mutating func meanVarianceNormalization() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let axes = try resolve(axes: site.ints("axes") ?? [0, 2, 3], rank: shape(0).count).sorted()
    let mean = try build.reduce(.mean, id(0), axes: axes)
    let variance = try build.reduce(.mean, build.binary(.squaredDifference, id(0), mean), axes: axes)
    let factor = try build.unary(.rsqrt, build.add(variance, 1e-9))
    return try build.binary(.multiply, build.binary(.subtract, id(0), mean), factor)
  }

  mutating func lpNormalization() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let axis = try axis(default: -1, rank: shape(0).count)
    let norm: Graph.TensorID
    switch try site.int("p", default: 2) {
    case 1: norm = try build.reduce(.sum, build.unary(.abs, id(0)), axes: [axis])
    case 2: norm = try build.unary(.sqrt, build.reduce(.sum, build.unary(.square, id(0)), axes: [axis]))
    case let p: throw PackError(.unsupported, "the norm \(p) is not supported; supported: 1, 2")
    }
    // Zeros stay zeros.
    return try build.binary(.divide, id(0), build.binary(.maximum, norm, build.scalar(1e-30)))
  }
}

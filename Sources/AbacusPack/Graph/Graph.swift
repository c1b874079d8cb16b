/// A trained network, as importers deliver it: tensors, and nodes in an order in which they can run.
///
/// Conventions, whatever the source: activations are channels-last (NHWC); convolution weights are
/// [out, height, width, in / groups], depthwise weights [1, height, width, in * multiplier], fully
/// connected weights [out, in]. Every shape is static and every batch is 1 unless the model says more.
public struct Graph: Sendable {
  public typealias TensorID = Int

  /// What the model calls itself; empty where it does not.
  public var name: String
  public var tensors: [Tensor]
  public var nodes: [Node]
  public var inputs: [TensorID]
  public var outputs: [TensorID]
  /// How many tokens the session has seen, in graphs that decode one token a run: one int32 that is
  /// 0 after a reset and that every run advances by one.
  public var position: TensorID?
  /// For the output of an attention, the scale of its scores as int8: only I-ViT's softmax needs it.
  public var scoreScales: [TensorID: Double] = [:]
  /// For the output of a batch normalisation, the distribution of its values as training has left it.
  public var batchStatistics: [TensorID: ChannelDistribution] = [:]

  public init(
    name: String = "", tensors: [Tensor] = [], nodes: [Node] = [], inputs: [TensorID] = [],
    outputs: [TensorID] = []
  ) {
    self.name = name
    self.tensors = tensors
    self.nodes = nodes
    self.inputs = inputs
    self.outputs = outputs
  }

  /// Adds a tensor and returns its index.
  public mutating func add(_ tensor: Tensor) -> TensorID {
    tensors.append(tensor)
    return tensors.count - 1
  }
}

/// Element types that occur in foreign models; more than the runtime executes.
public enum DataType: String, Sendable {
  case float32, float16, float64, int4, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool

  /// Bytes of one element as stored in a ``Tensor``'s `data` (int4 is unpacked to a byte each).
  public var bytes: Int {
    switch self {
    case .int4, .int8, .uint8, .bool: 1
    case .int16, .uint16, .float16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }
}

/// real value = (stored - zeroPoint) * scale, for the whole tensor or per channel of `axis`.
public struct Quantization: Sendable, Equatable {
  /// One scale, or one per channel.
  public var scales: [Double]
  /// As many as `scales`.
  public var zeroPoints: [Int]
  /// The dimension that per-channel values run along.
  public var axis: Int

  public init(scales: [Double], zeroPoints: [Int], axis: Int = 0) {
    self.scales = scales
    self.zeroPoints = zeroPoints
    self.axis = axis
  }

  public init(scale: Double, zeroPoint: Int) {
    self.init(scales: [scale], zeroPoints: [zeroPoint])
  }

  public var isPerTensor: Bool { scales.count == 1 }
}

/// One tensor of a graph. Constants carry their bytes, little-endian and row-major.
public struct Tensor: Sendable {
  public var name: String
  public var shape: [Int]
  public var type: DataType
  public var quantization: Quantization?
  /// Present for constants.
  public var data: [UInt8]?
  /// Weights of few bits; `data` then holds the integers that they stand for, int16.
  var rounded: RoundedWeights?

  public init(
    name: String, shape: [Int], type: DataType, quantization: Quantization? = nil, data: [UInt8]? = nil
  ) {
    self.name = name
    self.shape = shape
    self.type = type
    self.quantization = quantization
    self.data = data
  }

  public var elementCount: Int { shape.reduce(1, *) }
  public var isConstant: Bool { data != nil }
}

/// One operation of a graph.
public struct Node: Sendable {
  public var operation: Operation
  /// nil where an optional input is left out.
  public var inputs: [Graph.TensorID?]
  public var outputs: [Graph.TensorID]
  /// Where it stands in the source, for messages: "CONV_2D, operator 3".
  public var origin: String

  public init(
    _ operation: Operation, inputs: [Graph.TensorID?], outputs: [Graph.TensorID], origin: String
  ) {
    self.operation = operation
    self.inputs = inputs
    self.outputs = outputs
    self.origin = origin
  }
}

/// What a node computes. Inputs are listed with each case; shapes of outputs stand in the tensors.
public enum Operation: Sendable, Equatable {
  /// input, weights, bias?
  case convolution(WindowAttributes, groups: Int, Activation)
  /// input, weights, bias?
  case depthwiseConvolution(WindowAttributes, multiplier: Int, Activation)
  /// input, weights [out, in] (constant or run-time), bias?, residual? (added to the output; only in
  /// quantised graphs, where it saves a rounding)
  case fullyConnected(Activation)
  /// a, b: the last two dimensions are matrices, the others are batches and broadcast.
  case matrixMultiply(transposeA: Bool, transposeB: Bool)
  /// a, b with numpy broadcasting
  case binary(BinaryFunction, Activation)
  /// condition (bool), a, b with numpy broadcasting: a where the condition holds, else b
  case select
  /// input
  case unary(UnaryFunction)
  /// input, slope
  case prelu
  /// input
  case pool(PoolKind, WindowAttributes, Activation)
  /// input; axes are not negative, ascending and distinct
  case reduce(ReduceKind, axes: [Int])
  /// input; one entry per dimension. `value` is real (constant mode only), nil for zero.
  case pad(before: [Int], after: [Int], value: Double?, PadMode)
  /// input: same elements in the same order, another shape (reshape, squeeze, expand_dims ...)
  case reshape
  /// inputs...; axis not negative
  case concatenation(axis: Int, Activation)
  /// input; output[i] = input[starts + i * strides], extents from the output's shape.
  /// Slice, strided slice, split and unpack all become this.
  case slice(starts: [Int], strides: [Int])
  /// input; output dimension i is input dimension permutation[i]
  case transpose(permutation: [Int])
  /// input, indices; axis and batch dimensions not negative
  case gather(axis: Int, batchDimensions: Int)
  /// input; over the last axis, of beta * x
  case softmax(beta: Double)
  /// input: the same real values with the output's type, scale and zero point. Also stands for
  /// quantize (float input) and dequantize (float output).
  case requantize
  /// input, scale? [n], bias? [n]: over the last dimension,
  /// (x - mean) / sqrt(variance + epsilon) * scale + bias
  case layerNormalization(epsilon: Double)
  /// input, scale? [n]: over the last dimension, x / sqrt(mean(x^2) + epsilon) * scale
  case rmsNormalization(epsilon: Double)
  /// query [..., n, heads * d], key [..., m, keyValueHeads * d], value [..., m, keyValueHeads * dv],
  /// mask?, position?; output [..., n, heads * dv]. Heads lie side by side in the last dimension.
  /// The mask holds one number for each key, [..., m]: 0 where it must not be looked at.
  /// With a position (one int32) query i stands at position + i and the keys are a cache whose
  /// later rows are not yet filled.
  case attention(AttentionAttributes)
  /// input [..., n, heads * d], cosines [positions, d / 2], sines [positions, d / 2], position?:
  /// rotary position embedding; row i stands at position i, or at position + i.
  case rotary(RotaryAttributes)
  /// rows [..., n, width], position; output [..., context, width]: a state of the session in which
  /// row i stands at position + i, and what earlier runs have written stays.
  case cacheAppend
}

/// Scaled dot-product attention: softmax(query * key^T * scale) * value, head by head. Query head h
/// reads key/value head h / (heads / keyValueHeads).
public struct AttentionAttributes: Sendable, Equatable {
  public var heads: Int
  public var keyValueHeads: Int
  public var scale: Double
  /// A query sees only keys at its own position and before.
  public var isCausal: Bool

  public init(heads: Int, keyValueHeads: Int, scale: Double, isCausal: Bool) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.scale = scale
    self.isCausal = isCausal
  }
}

/// Rotary position embedding (RoPE, arXiv 2104.09864).
public struct RotaryAttributes: Sendable, Equatable {
  public var heads: Int
  /// Pairs are (2i, 2i + 1); otherwise (i, i + d / 2).
  public var isInterleaved: Bool

  public init(heads: Int, isInterleaved: Bool) {
    self.heads = heads
    self.isInterleaved = isInterleaved
  }
}

/// Window, strides, dilations and explicit padding of a convolution or pool.
public struct WindowAttributes: Sendable, Equatable {
  /// Height and width of the window.
  public var size: [Int]
  public var strides: [Int]
  public var dilations: [Int]
  /// Top, left.
  public var padBefore: [Int]
  /// Bottom, right.
  public var padAfter: [Int]

  public init(
    size: [Int], strides: [Int] = [1, 1], dilations: [Int] = [1, 1], padBefore: [Int] = [0, 0],
    padAfter: [Int] = [0, 0]
  ) {
    self.size = size
    self.strides = strides
    self.dilations = dilations
    self.padBefore = padBefore
    self.padAfter = padAfter
  }
}

/// Activation fused into its producer: a clamp of the output.
public enum Activation: String, Sendable {
  case none, relu, relu6, reluN1To1
}

public enum BinaryFunction: String, Sendable {
  case add, subtract, multiply, squaredDifference, maximum, minimum
  case divide, power
}

/// Functions of one value; the packer turns each into a 256-entry table.
public enum UnaryFunction: Sendable, Equatable {
  case relu, relu6, reluN1To1, relu0To1
  case leakyRelu(slope: Double)
  case elu(alpha: Double)
  case sigmoid, tanh, hardSwish, hardSigmoid, silu, softplus
  case gelu(approximate: Bool)
  case exp, log, sqrt, rsqrt, square, abs, negate, reciprocal, sine, cosine, floor, ceil, round, sign, erf
  /// x * sigmoid(1.702 x)
  case quickGelu
  case clip(low: Double, high: Double)
}

public enum PoolKind: String, Sendable { case max, average }
public enum ReduceKind: String, Sendable { case sum, mean, maximum, minimum }
public enum PadMode: String, Sendable { case constant, reflect, symmetric }

/// What a user may decide about post-training quantisation.
public struct QuantizeOptions: Sendable, Equatable {
  /// Arithmetic of softmax, GELU, LayerNorm and residual additions.
  public var arithmetic = Arithmetic()
  /// Bits of the stream that blocks of a transformer add to: 8 or 16.
  public var residualBits = 16
  /// How ranges of int8 activations are chosen from what calibration saw.
  public var range = RangeMethod.minMax
  /// Range of an int16 tensor, as a multiple of the largest magnitude that calibration saw.
  public var headroom = 1.25
  /// Bits of outputs that are computed by a matrix product: 8 or 16; nil for 16 where the model has
  /// other tensors of 16 bits.
  public var outputBits: Int?
  /// Adds to each bias what rounding the weights takes away on average (arXiv 1906.04721, section 4.2).
  public var correctsBias = true
  /// Evens out the channels between layers, and between normalisations and the layers behind them: how
  /// much of the unevenness goes into the weights, 0 to 1; nil for nothing.
  public var equalization: Double?
  /// Activations of transformers get 16 bits where 8 would leave a signal-to-noise ratio below this,
  /// in decibels, and where their readers take 16 bits.
  public var wideBelow = 30.0
  /// How the weights of fully connected layers and convolutions are stored, but for those that ``weightFormats`` names.
  public var weightFormat = WeightFormat.int8
  /// The same of single weights, by name.
  public var weightFormats: [String: WeightFormat] = [:]
  /// How weights of few bits are chosen.
  public var rounding = RoundingMethod.sequential
  /// The first layers and the last keep 8 bits, but for those that ``weightFormats`` names.
  public var keepsEnds = false
  /// Tensors, by name, that are to have 16 bits.
  public var wideTensors: Set<String> = []

  public init() {}
}

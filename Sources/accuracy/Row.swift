/// One figure: what a model reaches as integers, beside what it reaches in float.
struct Row: Encodable {
  var model: String
  /// How it was made: format, arithmetic, ranges.
  var variant: String
  var dataset: String
  var samples: Int
  /// What `value` and `floatValue` are, with the unit.
  var metric: String
  var value: Double
  var floatValue: Double?
  /// Percentage of samples (tokens, where the model decodes) with the same highest output as float.
  var agreement: Double?
  /// Power of the float outputs over power of the difference to them.
  var decibels: Double?
  var blobBytes: Int?
  var arenaBytes: Int?
  /// Bytes of the layers' weights, in percent of what they take with 8 bits each.
  var weightShare: Double?

  private enum CodingKeys: String, CodingKey {
    case model, variant, dataset, samples, metric, value, agreement
    case floatValue = "float_value"
    case decibels = "db"
    case blobBytes = "blob_bytes"
    case arenaBytes = "arena_bytes"
    case weightShare = "weight_share"
  }

  /// What does not apply is null, not left out.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(model, forKey: .model)
    try container.encode(variant, forKey: .variant)
    try container.encode(dataset, forKey: .dataset)
    try container.encode(samples, forKey: .samples)
    try container.encode(metric, forKey: .metric)
    try container.encode(value, forKey: .value)
    try container.encode(floatValue, forKey: .floatValue)
    try container.encode(agreement, forKey: .agreement)
    try container.encode(decibels, forKey: .decibels)
    try container.encode(blobBytes, forKey: .blobBytes)
    try container.encode(arenaBytes, forKey: .arenaBytes)
    try container.encode(weightShare, forKey: .weightShare)
  }
}

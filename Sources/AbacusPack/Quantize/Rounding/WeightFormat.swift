/// How the weights of a matrix product are stored: how many bits, on which grid, with which scales.
public struct WeightFormat: Sendable, Hashable {
  /// The values that a code stands for, in units of its scale.
  public enum Grid: String, Sendable, CaseIterable {
    /// The integers from -(2^(bits - 1) - 1) to 2^(bits - 1) - 1.
    case symmetric
    /// The odd integers from -(2^bits - 1) to 2^bits - 1, in units of half a step: no code is wasted, and none is 0.
    /// At 2 bits 3 dB better than {-1, 0, 1}.
    case odd
    /// The integers from 0 to 2^bits - 1, less a zero point of each group.
    case offset
  }

  /// 8, 4 or 2.
  public var bits: Int
  public var grid: Grid
  /// Consecutive weights of a channel, along its inputs, that share a scale: a multiple of 16 from 16 to 128; nil for one
  /// scale a channel.
  public var groupSize: Int?

  public init(bits: Int, grid: Grid, groupSize: Int? = nil) {
    self.bits = bits
    self.grid = grid
    self.groupSize = groupSize
  }

  /// int8, one scale a channel: what all operators take.
  public static let int8 = WeightFormat(bits: 8, grid: .symmetric)

  /// ``RoundedWeights/lift`` where sums have room.
  var lift: Int { 127 / levels.last! }

  /// The same with one scale a channel; a zero point is for groups only.
  var withoutGroups: WeightFormat {
    WeightFormat(bits: bits, grid: grid == .offset ? (bits == 2 ? .odd : .symmetric) : grid)
  }

  /// The values of all codes, ascending.
  var levels: [Int] {
    switch grid {
    case .symmetric: Array(-(1 << (bits - 1)) + 1...(1 << (bits - 1)) - 1)
    case .odd: Array(stride(from: 1 - (1 << bits), through: (1 << bits) - 1, by: 2))
    case .offset: Array(0...(1 << bits) - 1)
    }
  }
}

/// Weights of a matrix product [channels, depth] that have been rounded to a format.
///
/// Without groups a weight is `scale * code`, and the device multiplies by `lift * code`. With groups it is
/// `scale / 128 * (relativeScale * code + 8 * zero)`, where the zero point is 0 but on the grid ``WeightFormat/Grid/offset``.
struct RoundedWeights: Sendable, Equatable {
  let format: WeightFormat
  let channels: Int
  let depth: Int
  /// Values of the grid, row-major.
  var codes: [Int8]
  /// One a channel.
  var scales: [Double]
  /// 1...255, [channels, groups]; empty without groups.
  var relativeScales: [UInt8]
  /// [channels, groups] on the grid `offset`, in units of 8/128 of the channel's scale; else empty.
  var zeros: [Int8]
  /// Without groups: what makes codes about as large as those of 8 bits. 1 for rows of 16 bits, whose sums have no room for more.
  var lift = 1

  /// Groups of a channel; the last may be shorter than the others.
  var groups: Int { format.groupSize.map { (depth + $0 - 1) / $0 } ?? 1 }

  /// What the device multiplies by, in units of ``unit(_:)``.
  func integer(_ channel: Int, _ k: Int) -> Int {
    let code = Int(codes[channel * depth + k])
    guard let size = format.groupSize else { return lift * code }
    let group = channel * groups + k / size
    return Int(relativeScales[group]) * code + (zeros.isEmpty ? 0 : 8 * Int(zeros[group]))
  }

  /// What the weights stand for, row-major.
  var reals: [Float] {
    (0..<channels * depth).map { Float(Double(integer($0 / depth, $0 % depth)) * unit($0 / depth)) }
  }

  /// The real value of 1 of the integers of a channel.
  func unit(_ channel: Int) -> Double { scales[channel] / (format.groupSize == nil ? Double(lift) : 128) }
}

/// A set of vector instructions: what the inner loops of hosts are made of.
///
/// The loops are generic and compiled once for each set, in a module of the set's own that may use its
/// instructions (`AbacusAVX2`, `AbacusVNNI`, ...). Pointers reach as far as the operands of the operator do,
/// which the verifier has proved; only this module, its sets and TensorView.swift read through pointers.
public protocol VectorSet {
  /// Words of 32 bits.
  associatedtype Words
  /// A vector of weights, four of each channel, and the four elements of a row that they meet.
  associatedtype Weights
  associatedtype Quad

  /// Channels of one vector of words: 16 or fewer.
  static var lanes: Int { get }
  /// Vectors of channels that four rows, and those that one row has registers for.
  static var vectorsOfFourRows: Int { get }
  static var vectorsOfOneRow: Int { get }

  static func splat(_ x: Int32) -> Words
  static func add(_ a: Words, _ b: Words) -> Words
  static func subtract(_ a: Words, _ b: Words) -> Words
  static func minimum(_ a: Words, _ b: Words) -> Words
  static func maximum(_ a: Words, _ b: Words) -> Words
  static func shiftRight(_ a: Words, _ bits: Int32) -> Words
  static func multiplyHigh(_ a: Words, _ b: Words) -> Words
  static func shiftLeft(_ a: Words, _ bits: Int32) -> Words
  /// High words of sums of a summand and two products.
  static func sumsHigh(
    _ a: Words, _ multiplierA: Words, _ b: Words, _ multiplierB: Words, _ summand: Int64
  ) -> Words
  /// `count` bytes, widened.
  static func widened(_ from: UnsafePointer<Int8>, _ count: Int) -> Words
  /// The lowest bytes of the first `count` words.
  static func store(_ a: Words, _ to: UnsafeMutablePointer<Int8>, _ count: Int)
  /// All words.
  static func store(_ a: Words, _ to: UnsafeMutablePointer<Int32>)
  /// Bias and multiplier of the first `count` channels.
  static func constants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<Self>

  /// Copies `count` bytes, `run` or fewer; sets as many to one value.
  static var run: Int { get }
  static func copy(_ from: UnsafePointer<Int8>, _ to: UnsafeMutablePointer<Int8>, _ count: Int)
  static func fill(_ to: UnsafeMutablePointer<Int8>, _ value: Int8, _ count: Int)

  // MARK: Products in quads

  static func weights(_ from: UnsafePointer<Int8>) -> Weights
  static func quad(_ from: UnsafePointer<Int8>) -> Quad
  static func addQuads(_ sums: Words, _ x: Quad, _ w: Weights) -> Words

  // MARK: What sums of products of a row come to too much, whatever the weights

  static var hasSurplus: Bool { get }
  /// Adds what some elements cause, `chunk` or fewer.
  static func addSurplus(_ sums: Words, _ from: UnsafePointer<Int8>, _ count: Int) -> Words
  /// The sum of all lanes of each, in all lanes.
  static func totals<let rows: Int>(_ sums: InlineArray<rows, Words>) -> InlineArray<rows, Words>

  // MARK: Products along rows

  /// Elements of a row, `chunk` or fewer of them.
  associatedtype Elements
  associatedtype RowWeights
  static var chunk: Int { get }
  static func elements(_ from: UnsafePointer<Int8>, _ count: Int) -> Elements
  static func rowWeights(_ from: UnsafePointer<Int8>, _ count: Int) -> RowWeights
  /// Adds products to any lanes of the sums.
  static func addProducts(_ sums: Words, _ x: Elements, _ w: RowWeights) -> Words
  /// The sum of all lanes of each: four in each group of four words.
  static func total<let groups: Int>(_ sums: InlineArray<groups, InlineArray<4, Words>>) -> Words
  /// One vector's words for each group.
  static func grouped<let groups: Int>(_ words: InlineArray<groups, Words>) -> Words
  /// Bias and multiplier of four channels, in each group.
  static func fourConstants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<Self>
  /// The lowest bytes of words, four of each group.
  static func bytes(_ a: Words) -> SIMD4<UInt32>

  // MARK: Products of neighbouring channels, two vectors of words at a time

  /// Halves of 16 bits, one of each of 2 * `lanes` channels.
  associatedtype Halves
  /// So many channels; fewer than `2 * lanes` at the end.
  static func halves(_ from: UnsafePointer<Int8>, _ count: Int) -> Halves
  static func halves(_ from: UnsafePointer<Int16>, _ count: Int) -> Halves
  /// Adds products of halves to any lanes of the sums.
  static func addHalves(_ sums: Words, _ x: Halves, _ w: Halves) -> Words
  static var noHalves: Halves { get }
  /// Two halves of each channel.
  associatedtype HalfPairs
  static func interleave(_ a: Halves, _ b: Halves) -> HalfPairs
  /// Adds two products of halves to each channel.
  static func addPairs(_ sums: ChannelPair<Self>, _ x: HalfPairs, _ w: HalfPairs) -> ChannelPair<Self>
  /// Words of neighbouring channels in the order of the sums.
  static func inOrder(_ first: Words, _ second: Words) -> ChannelPair<Self>
  static func storePair(_ a: ChannelPair<Self>, _ to: UnsafeMutablePointer<Int8>, _ count: Int)
}

extension VectorSet {
  /// Bias and multiplier of up to `2 * lanes` channels in the order of the sums.
  @inlinable @inline(__always)
  static func pairConstants(_ from: UnsafePointer<Int32>, _ count: Int) -> PairConstants<Self> {
    let first = unsafe constants(from, min(count, lanes))
    let second = unsafe constants(from + (count > lanes ? 2 &* lanes : 0), max(count, lanes) &- lanes)
    return PairConstants(
      bias: inOrder(first.bias, second.bias), multiplier: inOrder(first.multiplier, second.multiplier))
  }
}

/// Bias and multiplier of a vector of channels.
public struct ChannelConstants<Set: VectorSet> {
  public let bias: Set.Words
  public let multiplier: Set.Words

  @inlinable @inline(__always)
  public init(bias: Set.Words, multiplier: Set.Words) {
    self.bias = bias
    self.multiplier = multiplier
  }
}

/// Words of 2 * `lanes` channels, in the set's own order.
public struct ChannelPair<Set: VectorSet> {
  public let low: Set.Words
  public let high: Set.Words

  @inlinable @inline(__always)
  public init(_ low: Set.Words, _ high: Set.Words) {
    self.low = low
    self.high = high
  }
}

public struct PairConstants<Set: VectorSet> {
  public let bias: ChannelPair<Set>
  public let multiplier: ChannelPair<Set>

  @inlinable @inline(__always)
  public init(bias: ChannelPair<Set>, multiplier: ChannelPair<Set>) {
    self.bias = bias
    self.multiplier = multiplier
  }
}

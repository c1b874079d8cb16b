import Foundation

/// A model with a format for each of its layers, measured.
public struct SearchPoint: Sendable, Codable, Equatable {
  /// For each searched layer, the index of its choice.
  public var choices: [Int]
  /// Bits that activations have where 8 would do: 8, or 16 for all that can.
  public var activationBits: Int
  /// Of rows of the outputs (of a classifier: samples) that have the same highest value as in float, in percent.
  public var agreement: Double
  /// Power of the outputs over power of their difference to float, in decibels.
  public var decibels: Double
  /// Of samples with a label, how many got it, in percent.
  public var accuracy: Double?
  /// Decibels as the sum of what single layers do would have it.
  public var predictedDecibels: Double?
  public var blobBytes: Int
  public var arenaBytes: Int
  public var stackBytes: Int
  /// Of one inference on the board, where there is one.
  public var instructions: Int?

  /// RAM: arena and stack.
  public var ramBytes: Int { arenaBytes + stackBytes }

  /// Whether another point costs no more and is better, or costs less and is as good.
  func isBeaten(by other: SearchPoint) -> Bool {
    let costs = [
      (other.blobBytes, blobBytes), (other.ramBytes, ramBytes), (other.instructions ?? 0, instructions ?? 0),
    ]
    guard costs.allSatisfy({ $0 <= $1 }), other.decibels >= decibels else { return false }
    return other.decibels > decibels || costs.contains { $0 < $1 }
  }
}

extension [SearchPoint] {
  /// Those that no other beats, by rising flash.
  public func front() -> [SearchPoint] {
    var seen: [SearchPoint] = []
    for point in self where !seen.contains(where: { $0.choices == point.choices && $0.activationBits == point.activationBits }) {
      seen.append(point)
    }
    return seen.filter { point in !seen.contains { point.isBeaten(by: $0) } }
      .sorted { ($0.blobBytes, $0.decibels) < ($1.blobBytes, $1.decibels) }
  }
}

/// What a device has room for, and what a model is to be.
public struct SearchLimits: Sendable, Equatable {
  /// Of the blob.
  public var flash: Int?
  /// Of arena and stack.
  public var ram: Int?
  public var instructions: Int?
  /// In percent.
  public var agreement: Double?

  public init() {}

  func allow(_ point: SearchPoint) -> Bool {
    point.blobBytes <= flash ?? .max && point.ramBytes <= ram ?? .max
      && point.instructions ?? 0 <= instructions ?? .max && point.agreement >= agreement ?? 0
  }

  /// The best of the points that the limits allow: the smallest where there is only an agreement to reach, else the one
  /// nearest to float.
  public func best(_ points: [SearchPoint]) -> SearchPoint? {
    let allowed = points.filter(allow)
    if flash == nil, instructions == nil, ram == nil, agreement != nil {
      return allowed.min { ($0.blobBytes, -$0.decibels) < ($1.blobBytes, -$1.decibels) }
    }
    return allowed.max { ($0.decibels, -$0.blobBytes) < ($1.decibels, -$1.blobBytes) }
  }
}

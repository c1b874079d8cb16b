import AbacusFormat
import Foundation

/// Which arithmetic softmax, GELU, LayerNorm and residual additions use: ours, or I-ViT's as published
/// (arXiv 2207.01405), for checkpoints that were trained through it.
public struct Arithmetic: Sendable, Equatable {
  public enum Softmax: Sendable, Equatable { case refined, paper(PaperExponent) }
  public enum Gelu: Sendable, Equatable { case refined, paper(PaperExponent) }
  public enum Form: String, Sendable { case refined, paper }

  public var softmax = Softmax.refined
  public var gelu = Gelu.refined
  public var normalization = Form.refined
  public var addition = Form.refined

  public init() {}

  /// Everything as published: k bits of a probability (8), or as released (16).
  public static func paper(quotientBits: Int) -> Arithmetic {
    var result = Arithmetic()
    let isReleased = quotientBits == 16
    result.softmax = .paper(PaperExponent(quotientBits: quotientBits, isReleased: isReleased))
    result.gelu = .paper(PaperExponent(quotientBits: 8, isReleased: isReleased))
    result.normalization = .paper
    result.addition = .paper
    return result
  }
}

/// Parameters of I-ViT's exponential that do not depend on a tensor's scale.
public struct PaperExponent: Sendable, Equatable {
  /// k: bits of a quotient, 8 or 16.
  public var quotientBits: Int
  /// As in the released code: I0 is rounded up and half of a remainder keeps its half bit.
  public var isReleased: Bool

  public init(quotientBits: Int, isReleased: Bool) {
    self.quotientBits = quotientBits
    self.isReleased = isReleased
  }

  /// - Parameters:
  ///   - unitScale: the real value of one step of the exponential's argument.
  ///   - octaves: N.
  func parameters(unitScale: Double, octaves: Int32) -> ShiftExponentParameters {
    let unit = isReleased ? (1 / unitScale).rounded(.up) : (1 / unitScale + 0.5).rounded(.down)
    return ShiftExponentParameters(
      unit: Int32(min(max(unit, 1), 0x1p24)), octaves: octaves, quotientBits: Int32(quotientBits),
      keepsHalfBit: isReleased)
  }
}

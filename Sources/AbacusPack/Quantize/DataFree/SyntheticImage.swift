import Foundation

/// Pictures that look like nothing in particular and yet have what pictures have: surfaces, edges, shadows and grain.
///
/// "Dead leaves", shapes that hide each other and whose sizes follow a power law, have the statistics of photographs
/// (Lee, Mumford and Huang 2001), and networks take them for such (arXiv 2106.05963). Some pictures have few shapes on a
/// plain ground, as pictures of single objects have.
struct SyntheticImage {
  let height: Int
  let width: Int
  let channels: Int

  /// Pixels 0...255, [height, width, channels]; the same for the same seed.
  func pixels(seed: UInt64) -> [Float] {
    var random = SplitMix(state: seed)
    var canvas = Canvas(self, ground: Self.colour(&random, channels, isDark: random.next(below: 2) == 0))
    let shapes = random.next(below: 2) == 0 ? 1 + random.next(below: 6) : 20 + random.next(below: 60)
    for _ in 0..<shapes { canvas.paint(Leaf(self, &random)) }
    let grain = 24 * random.nextFraction() * random.nextFraction()
    return canvas.values.map { value in
      min(max((value + Float(grain * (random.nextFraction() + random.nextFraction() - 1))).rounded(), 0), 255)
    }
  }

  /// One value for each channel: grey, and more or less of a hue.
  fileprivate static func colour(_ random: inout SplitMix, _ channels: Int, isDark: Bool = false) -> [Float] {
    let brightness = isDark ? 0 : 255 * random.nextFraction()
    let hue = isDark ? 0 : 160 * random.nextFraction()
    return (0..<channels).map { _ in Float(channels == 1 ? brightness : brightness + hue * (random.nextFraction() - 0.5)) }
  }
}

/// An ellipse or a rectangle at any angle, brighter at one side than at the other.
private struct Leaf {
  private let centre: SIMD2<Double>
  private let axis: SIMD2<Double>
  private let halfSize: SIMD2<Double>
  private let isEllipse: Bool
  private let colour: [Float]
  private let slope: Double

  init(_ image: SyntheticImage, _ random: inout SplitMix) {
    let extent = Double(max(image.height, image.width))
    centre = SIMD2(Double(image.width) * random.nextFraction(), Double(image.height) * random.nextFraction())
    let angle = Double.pi * random.nextFraction()
    axis = SIMD2(cos(angle), sin(angle))
    // With a density of r^-3 from a sixteenth of the picture to three quarters.
    let radius = extent / 16 / (1 - random.nextFraction() * (1 - 1.0 / 144)).squareRoot()
    halfSize = SIMD2(radius, radius * (0.3 + 0.7 * random.nextFraction()))
    isEllipse = random.next(below: 2) == 0
    colour = SyntheticImage.colour(&random, image.channels)
    slope = 120 * (random.nextFraction() - 0.5)
  }

  /// What the shape has at a point; nil beside it.
  func colour(x: Int, y: Int) -> [Float]? {
    let offset = SIMD2(Double(x), Double(y)) - centre
    let place = SIMD2((offset * axis).sum(), offset.y * axis.x - offset.x * axis.y) / halfSize
    let squares = place * place
    guard isEllipse ? squares.sum() <= 1 : squares.max() <= 1 else { return nil }
    return colour.map { $0 + Float(slope * place.x) }
  }
}

private struct Canvas {
  private let image: SyntheticImage
  private(set) var values: [Float]

  init(_ image: SyntheticImage, ground: [Float]) {
    self.image = image
    values = (0..<image.height * image.width).flatMap { _ in ground }
  }

  mutating func paint(_ leaf: Leaf) {
    for y in 0..<image.height {
      for x in 0..<image.width {
        guard let colour = leaf.colour(x: x, y: y) else { continue }
        values.replaceSubrange((y * image.width + x) * image.channels..<(y * image.width + x + 1) * image.channels, with: colour)
      }
    }
  }
}

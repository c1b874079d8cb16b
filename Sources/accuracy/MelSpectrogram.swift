import Foundation

/// What MLPerf Tiny's anomaly detector is fed with: the power of 128 mel bands of Slaney's scale, in
/// decibels, over Hann windows of 1024 samples every 512, sound of 16,000 samples a second.
struct MelSpectrogram {
  static let bands = 128
  private static let (width, hop, rate) = (1024, 512, 16_000.0)

  /// For each band, its first bin and the weights from there on.
  private let filters: [(first: Int, weights: [Double])]
  private let window = (0..<width).map { 0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(width)) }

  init() {
    let highest = Self.mel(Self.rate / 2)
    let edges = (0...Self.bands + 1).map { Self.frequency(highest * Double($0) / Double(Self.bands + 1)) }
    filters = (0..<Self.bands).map { band in
      let (low, middle, high) = (edges[band], edges[band + 1], edges[band + 2])
      let weights = (0...Self.width / 2).map { bin in
        let frequency = Double(bin) * Self.rate / Double(Self.width)
        let height = min((frequency - low) / (middle - low), (high - frequency) / (high - middle))
        return max(height, 0) * 2 / (high - low)
      }
      let first = weights.firstIndex { $0 > 0 } ?? 0
      let last = weights.lastIndex { $0 > 0 } ?? 0
      return (first, Array(weights[first...last]))
    }
  }

  /// Rows of 128 decibels, one for each window that lies wholly in the sound.
  func callAsFunction(_ sound: [Double]) -> [[Float]] {
    stride(from: 0, through: sound.count - Self.width, by: Self.hop).map { start in
      let power = Self.power(zip(sound[start..<start + Self.width], window).map { $0 * $1 })
      return filters.map { filter in
        let energy = zip(filter.weights, power[filter.first...]).reduce(0) { $0 + $1.0 * $1.1 }
        return Float(10 * log10(max(energy, 0x1p-52)))
      }
    }
  }

  // MARK: Slaney's mel scale: linear to 1000 Hz, then logarithmic

  private static let (linearStep, corner, logarithmicStep) = (200.0 / 3, 1000.0, log(6.4) / 27)

  private static func mel(_ frequency: Double) -> Double {
    frequency < corner ? frequency / linearStep : corner / linearStep + log(frequency / corner) / logarithmicStep
  }

  private static func frequency(_ mel: Double) -> Double {
    mel < corner / linearStep ? mel * linearStep : corner * exp((mel - corner / linearStep) * logarithmicStep)
  }

  // MARK: Fourier transform

  /// Power of the bins from 0 to half of the rate.
  private static func power(_ signal: [Double]) -> [Double] {
    let transformed = transform(signal, signal.map { _ in 0 })
    return (0...signal.count / 2).map {
      transformed.real[$0] * transformed.real[$0] + transformed.imaginary[$0] * transformed.imaginary[$0]
    }
  }

  /// The discrete Fourier transform, by halves; the count is a power of two.
  private static func transform(
    _ real: [Double], _ imaginary: [Double]
  ) -> (real: [Double], imaginary: [Double]) {
    let count = real.count
    guard count > 1 else { return (real, imaginary) }
    func part(_ values: [Double], _ first: Int) -> [Double] { stride(from: first, to: count, by: 2).map { values[$0] } }
    let even = transform(part(real, 0), part(imaginary, 0))
    let odd = transform(part(real, 1), part(imaginary, 1))
    var (resultReal, resultImaginary) = (real, imaginary)
    for bin in 0..<count / 2 {
      let angle = -2 * Double.pi * Double(bin) / Double(count)
      let turnedReal = odd.real[bin] * cos(angle) - odd.imaginary[bin] * sin(angle)
      let turnedImaginary = odd.real[bin] * sin(angle) + odd.imaginary[bin] * cos(angle)
      resultReal[bin] = even.real[bin] + turnedReal
      resultImaginary[bin] = even.imaginary[bin] + turnedImaginary
      resultReal[bin + count / 2] = even.real[bin] - turnedReal
      resultImaginary[bin + count / 2] = even.imaginary[bin] - turnedImaginary
    }
    return (resultReal, resultImaginary)
  }
}

import AbacusPack
import Foundation

/// Sounds of machines that never were, to stand for recordings that are not to be had: harmonics of a
/// speed that wavers a little, in noise that is louder in the bass and swells with the turns. In some of
/// them something rattles. 16,000 samples a second; the same on every machine.
struct MachineSounds {
  private static let rate = 16_000.0
  private var random: SplitMix

  init(seed: UInt64) { random = SplitMix(state: seed) }

  private mutating func next(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * random.nextFraction()
  }

  /// - Parameter rattles: whether some part is loose.
  mutating func clip(seconds: Double, rattles: Bool) -> [Double] {
    let count = Int(seconds * Self.rate)
    let speed = next(40...180)
    let hum = Self.normalized(harmonics(count, speed))
    let noise = Self.normalized(noise(count, speed))
    let (humLevel, noiseLevel) = (next(0.2...1), next(0.3...1))
    var sound = zip(hum, noise).map { humLevel * $0 + noiseLevel * $1 }
    if rattles { addRattle(&sound) }
    let level = pow(10, next(-2.3 ... -1.2))
    return Self.normalized(sound).map { level * $0 }
  }

  private mutating func harmonics(_ count: Int, _ speed: Double) -> [Double] {
    let (waver, tilt) = (next(0.3...2), next(0.6...1.4))
    let partials = (1...Int(7000 / speed)).map { order in
      (order: Double(order), level: next(0.2...1) * pow(Double(order), -tilt), phase: next(0...2 * .pi))
    }
    var angle = 0.0
    return (0..<count).map { index in
      angle += 2 * .pi * speed * (1 + 0.02 * sin(2 * .pi * waver * Double(index) / Self.rate)) / Self.rate
      return partials.reduce(0) { $0 + $1.level * sin($1.order * angle + $1.phase) }
    }
  }

  /// White noise, and with it noise through a low pass of one pole.
  private mutating func noise(_ count: Int, _ speed: Double) -> [Double] {
    let (pole, share, swell) = (next(0.8...0.98), next(0.5...3), next(0...0.5))
    var low = 0.0
    return (0..<count).map { index in
      let white = next(-1...1)
      low = pole * low + (1 - pole) * white
      let turn = sin(.pi * speed * Double(index) / Self.rate)
      return (share * low / (1 - pole).squareRoot() + 0.3 * white) * (1 + swell * turn)
    }
  }

  /// A few short knocks a second.
  private mutating func addRattle(_ sound: inout [Double]) {
    let (strength, interval) = (next(0.3...2), Self.rate / next(2...12))
    var start = next(0...interval)
    while Int(start) < sound.count {
      let pitch = 2 * .pi * next(1500...5000) / Self.rate
      for index in Int(start)..<min(Int(start) + 1600, sound.count) {
        let age = Double(index - Int(start))
        sound[index] += strength * exp(-age / 200) * sin(pitch * age)
      }
      start += interval
    }
  }

  /// With a mean square of 1.
  private static func normalized(_ sound: [Double]) -> [Double] {
    let power = sound.reduce(0) { $0 + $1 * $1 } / Double(max(sound.count, 1))
    return sound.map { $0 / max(power, 1e-12).squareRoot() }
  }
}

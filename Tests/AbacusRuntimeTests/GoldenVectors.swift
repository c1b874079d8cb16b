import Foundation

/// The vectors of `Tests/Golden/vectors`: integers in and out, written by an independent reference.
enum GoldenVectors {
  static func cases<Case: Decodable>(_ name: String, _: Case.Type = Case.self) throws -> [Case] {
    let tests = (0..<2).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }
    let file = tests.appending(path: "Golden/vectors/\(name).json")
    return try JSONDecoder().decode(GoldenFile<Case>.self, from: Data(contentsOf: file)).cases
  }
}

private struct GoldenFile<Case: Decodable>: Decodable {
  let cases: [Case]
}

/// A dyadic multiplier of a vector.
struct GoldenDyadic: Decodable {
  let m: Int32
  let s: Int32
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

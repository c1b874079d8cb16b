import AbacusRuntime

extension Model.Boundary {
  /// The elements that `bytes` hold, as they are stored.
  public func codes(_ bytes: [UInt8]) -> [Int] {
    bytes.withUnsafeBytes { raw in
      switch type {
      case .int16: (0..<raw.count / 2).map { Int(raw.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self)) }
      case .int32: (0..<raw.count / 4).map { Int(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
      case .uint8: raw.map { Int($0) }
      default: raw.map { Int(Int8(bitPattern: $0)) }
      }
    }
  }

  /// The real values that `codes` stand for.
  public func values(_ codes: [Int]) -> [Double] { codes.map { Double($0 - zeroPoint) * scale } }
}

/// The right classes of samples, out of a file.
public enum ClassLabels {
  /// - Parameters:
  ///   - path: an idx file of one dimension, or a .npy file of whole numbers.
  ///   - count: how many are wanted, from the first on.
  public static func read(_ path: String, count: Int) throws -> [Int] {
    let beginning = try readFile(path).prefix(NumPyFile.magic.count)
    let labels = beginning.elementsEqual(NumPyFile.magic) ? try wholeNumbers(path) : try IDXFile.labels(path)
    guard labels.count >= count else {
      throw PackError(.file, "\(path): \(labels.count) classes for \(count) samples")
    }
    return Array(labels.prefix(count))
  }

  private static func wholeNumbers(_ path: String) throws -> [Int] {
    try NumPyFile.read(path).doubles().enumerated().map { index, value in
      guard let label = Int(exactly: value), label >= 0 else {
        throw PackError(.file, "\(path): element \(index) is \(value), and a class is a whole number from 0 on")
      }
      return label
    }
  }
}

import AbacusPack
import ToolSupport

/// Images of 28 x 28 pixels in ten classes: 60,000 to calibrate with and 10,000 to test.
struct FashionMNIST {
  let test: [[UInt8]]
  let labels: [Int]
  /// Training images to calibrate with.
  let calibration: [[UInt8]]

  static let imagePath = Places.fashion("t10k-images-idx3")

  /// - Parameter index: a .npy file with the numbers of the training images to calibrate with; where
  ///   it is missing, 256 evenly spread ones.
  init(testing limit: Int, calibrationIndex index: String) throws {
    let images = try IDXFile.images(Self.imagePath)
    let count = min(limit, images.shape[0])
    test = try (0..<count).map { try images.row($0).bytes }
    labels = Array(try IDXFile.labels(Places.fashion("t10k-labels-idx1")).prefix(count))
    let training = try IDXFile.images(Places.fashion("train-images-idx3"))
    let chosen =
      Places.exists(index)
      ? try NumPyFile.read(index).int64s().map { Int($0) } : (0..<256).map { $0 * training.shape[0] / 256 }
    calibration = try chosen.map { try training.row($0).bytes }
  }

  static let name = "Fashion-MNIST test"
}

extension FloatTensor {
  /// Pixels as they are, 0 ... 255.
  init(pixels: [UInt8]) { self.init(shape: [pixels.count], values: pixels.map(Float.init)) }
}

import AbacusPack
import ToolSupport
import Foundation

/// Real pictures for networks whose own data sets are not to be had; tools/fetch-photographs brings them.
enum Photographs {
  /// Test images of CIFAR-10 or CIFAR-100 with their labels, 20 of each, which the file names give:
  /// cifar10_07_6.png is number 7 and of class 6.
  ///
  /// Each is seen 18 times: mirrored or not, and shifted by -2, 0 or 2 pixels along both axes.
  static func cifar(_ name: String) throws -> [(pixels: [UInt8], label: Int)] {
    try pictures(Places.cifar, prefix: "\(name)_").flatMap { file, image in
      guard let label = file.split(whereSeparator: { "_.".contains($0) }).dropLast().last.flatMap({ Int($0) }) else {
        throw PackError(.file, "\(file): the name gives no label")
      }
      return [-2, 0, 2].flatMap { y in [-2, 0, 2].map { (y, $0) } }.flatMap { y, x in
        [false, true].map { (image.window(x: x, y: y, side: image.width, isMirrored: $0), label) }
      }
    }
  }

  /// Square parts of photographs, from the whole to half of it, reduced to one size: those of every other
  /// photograph to calibrate with, those of the others to test.
  static func tiles(size: Int) throws -> (calibration: [[UInt8]], test: [[UInt8]]) {
    var parts: [[[UInt8]]] = [[], []]
    for (number, (_, image)) in try pictures(Places.photographs, prefix: "").enumerated() {
      let whole = min(image.width, image.height)
      for side in [whole, whole * 3 / 4, whole / 2] {
        for place in [(0, 0), (1, 1), (2, 2)] {
          let (x, y) = ((image.width - side) * place.0 / 2, (image.height - side) * place.1 / 2)
          let window = image.window(x: x, y: y, side: side, isMirrored: false)
          let tile = try Image(width: side, height: side, channels: 3, pixels: window)
          parts[number % 2].append(try tile.resized(width: size, height: size).pixels)
        }
      }
    }
    return (parts[0], parts[1])
  }

  private static func pictures(_ folder: String, prefix: String) throws -> [(file: String, image: Image)] {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    return try files.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".png") }.sorted().map {
      ($0, try ImageFile.read("\(folder)/\($0)").converted(toChannels: 3))
    }
  }
}

extension Image {
  /// Pixels of a square that may reach beyond the picture, where this is reflected.
  fileprivate func window(x: Int, y: Int, side: Int, isMirrored: Bool) -> [UInt8] {
    func reflected(_ place: Int, _ extent: Int) -> Int {
      place < 0 ? -place : place < extent ? place : 2 * (extent - 1) - place
    }
    return (0..<side).flatMap { row in
      (0..<side).flatMap { column in
        let from = reflected(x + (isMirrored ? side - 1 - column : column), width)
        let start = (reflected(y + row, height) * width + from) * channels
        return pixels[start..<start + channels]
      }
    }
  }
}

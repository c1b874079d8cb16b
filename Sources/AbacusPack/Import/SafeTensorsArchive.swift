import Foundation

/// Named weights in one .safetensors file, or in several that an index lists.
///
/// Only the headers are read at first; the tensors when they are asked for.
struct SafeTensorsArchive {
  private var places: [String: (file: RandomAccessFile, entry: SafeTensorsHeader.Entry)] = [:]

  /// `path` is a .safetensors file or an index (`model.safetensors.index.json`).
  init(_ path: String) throws {
    if path.hasSuffix(".json") {
      try addShards(index: path)
    } else {
      let file = try RandomAccessFile(path)
      places = try SafeTensorsHeader(of: file).entries.mapValues { (file, $0) }
    }
  }

  /// The index names the file of each tensor; the files lie beside it.
  private mutating func addShards(index path: String) throws {
    let index = try JSONValue.decode(
      Index.self, from: readFile(path, limit: InputLimits.jsonBytes), name: path)
    let folder = URL(filePath: path).deletingLastPathComponent()
    for (shard, names) in Dictionary(grouping: index.weight_map.keys, by: { index.weight_map[$0]! }) {
      guard !shard.isEmpty, shard != "..", !shard.contains("/") else {
        throw PackError(.malformed, "\(path): \"\(shard)\" is not the name of a file beside it")
      }
      let file = try RandomAccessFile(folder.appending(path: shard).path(percentEncoded: false))
      let entries = try SafeTensorsHeader(of: file).entries
      for name in names {
        guard let entry = entries[name] else {
          throw PackError(.malformed, "\(path): tensor \"\(name)\" should be in \(shard), but is not")
        }
        places[name] = (file, entry)
      }
    }
  }

  private struct Index: Decodable {
    var weight_map: [String: String]
  }

  var names: some Collection<String> { places.keys }

  func contains(_ name: String) -> Bool { places[name] != nil }

  /// The extents of a tensor; throws where there is none of this name or it is empty.
  func shape(of name: String) throws(PackError) -> [Int] { try place(name).entry.shape }

  /// A tensor as float32; throws where there is none of this name or a number is not finite.
  func floats(_ name: String) throws(PackError) -> NumericArray {
    let (file, entry) = try place(name)
    let bytes = try file.read(at: entry.range.lowerBound, count: entry.range.count)
    var array: NumericArray
    switch entry.type {
    case .float32:
      array = try NumericArray(shape: entry.shape, type: .float32, bytes: bytes)
    case .brainFloat16:
      array = try NumericArray(shape: entry.shape, type: .float32, bytes: Self.widening(bytes))
    default:
      let stored = try NumericArray(shape: entry.shape, type: entry.type.stored, bytes: bytes)
      array = try NumericArray(floats: stored.floats(), shape: entry.shape)
    }
    if let index = Self.firstNotFinite(array.bytes) {
      throw PackError(.malformed, "\(file.path): element \(index) of \"\(name)\" is not a finite number")
    }
    return array
  }

  private func place(
    _ name: String
  ) throws(PackError) -> (file: RandomAccessFile, entry: SafeTensorsHeader.Entry) {
    guard let place = places[name] else {
      let like = names.filter {
        $0.hasSuffix(name.split(separator: ".").suffix(2).joined(separator: "."))
      }
      let hint = like.sorted().first.map { "; there is \"\($0)\"" } ?? ""
      throw PackError(.malformed, "the tensor \"\(name)\" is missing from the weights\(hint)")
    }
    guard !place.entry.shape.contains(0) else {
      throw PackError(.malformed, "the tensor \"\(name)\" is empty")
    }
    return place
  }

  /// bfloat16 as float32: two zero bytes below each.
  private static func widening(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { buffer, count in
      for k in stride(from: 0, to: bytes.count - 1, by: 2) {
        buffer[2 * k] = 0
        buffer[2 * k + 1] = 0
        buffer[2 * k + 2] = bytes[k]
        buffer[2 * k + 3] = bytes[k + 1]
      }
      count = 2 * bytes.count
    }
  }

  /// The first float32 that is infinite or no number: its exponent is all ones.
  private static func firstNotFinite(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / 4).first { index in
        let pattern = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        return pattern & 0x7F80_0000 == 0x7F80_0000
      }
    }
  }
}

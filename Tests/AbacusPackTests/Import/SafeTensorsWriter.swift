import Foundation

@testable import AbacusPack

/// Writes .safetensors files for tests, and keeps them as named tensors that can be changed first.
struct SafeTensorsWriter {
  struct Entry {
    var type: String
    var shape: [Int]
    var bytes: [UInt8]
  }

  var tensors: [String: Entry] = [:]

  mutating func add(_ name: String, _ shape: [Int], _ values: [Float]) {
    tensors[name] = Entry(
      type: "F32", shape: shape, bytes: values.flatMap { littleEndianBytes($0.bitPattern) })
  }

  /// Values that are reproducible, different in each tensor, and of a size as in trained models.
  mutating func add(_ name: String, random shape: [Int], around center: Float = 0) {
    var generator = SeededGenerator(state: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
    add(
      name, shape,
      (0..<shape.reduce(1, *)).map { _ in center + Float.random(in: -0.5...0.5, using: &generator) })
  }

  mutating func rename(_ old: String, _ new: String) { tensors[new] = tensors.removeValue(forKey: old) }

  /// The header as JSON, the tensors one after the other in the order of their names.
  var header: String {
    var offset = 0
    let entries = tensors.sorted { $0.key < $1.key }.map { name, entry in
      let range = "[\(offset),\(offset + entry.bytes.count)]"
      offset += entry.bytes.count
      return
        "\"\(name)\":{\"dtype\":\"\(entry.type)\",\"shape\":\(entry.shape),\"data_offsets\":\(range)}"
    }
    return "{\"__metadata__\":{\"format\":\"pt\"}," + entries.joined(separator: ",") + "}"
  }

  var data: [UInt8] { tensors.sorted { $0.key < $1.key }.flatMap(\.value.bytes) }

  var file: [UInt8] { Self.file(header, data) }

  static func file(_ header: String, _ data: [UInt8]) -> [UInt8] {
    littleEndianBytes(UInt64(header.utf8.count)) + Array(header.utf8) + data
  }

  /// The graph of a folder with these weights and `configuration` as config.json.
  func graph(_ configuration: String?, overrides: [String: String] = [:]) throws -> Graph {
    try TestFolder.temporary { folder in
      try AtomicFile.write(file, to: folder + "/model.safetensors")
      if let configuration { try AtomicFile.write(configuration, to: folder + "/config.json") }
      return try ModelFile.load(folder, overrides: overrides)
    }
  }
}

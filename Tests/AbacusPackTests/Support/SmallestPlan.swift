import Testing

@testable import AbacusPack

extension Packer {
  /// The model in the smallest RAM that any plan needs, as the refusal of a single byte names it.
  static func packSmallest(_ graph: Graph, options: PackOptions = PackOptions()) throws -> PackedModel {
    var options = options
    options.ramLimit = 1
    let error = #expect(throws: PackError.self) { try Packer.pack(graph, options: options) }
    #expect(error?.kind == .doesNotFit)
    options.ramLimit = error.flatMap { $0.description.split(separator: " ").compactMap { Int($0) }.first }
    return try Packer.pack(graph, options: options)
  }
}

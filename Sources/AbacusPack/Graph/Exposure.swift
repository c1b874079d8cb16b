// Looking inside a model: tensors of a graph that become outputs in addition.

extension Graph {
  /// The same graph with more outputs, behind its own and in the order of `names`. What it computes does
  /// not change; what is an output already stays where it is.
  ///
  /// - Parameter names: of tensors that nodes compute.
  /// - Throws: `PackError` for a name that no such tensor has, with those that are most like it.
  func exposing(_ names: [String]) throws -> Graph {
    var result = self
    for name in names {
      guard let id = nodes.flatMap(\.outputs).last(where: { tensors[$0].name == name }) else {
        let near = namesLike(name).map { "\"\($0)\"" }.joined(separator: ", ")
        throw PackError(
          .unsupported, "--expose \(name): the quantised model computes no tensor of that name; it has \(near)")
      }
      if !result.outputs.contains(id) { result.outputs.append(id) }
    }
    return result
  }

  /// Names of computed tensors that differ least from `name`: those that contain it, then those with the
  /// fewest characters that only one of both has.
  private func namesLike(_ name: String, count: Int = 5) -> [String] {
    let candidates = Set(nodes.flatMap(\.outputs).map { tensors[$0].name }).subtracting([""])
    let distances = candidates.map { candidate in
      (candidate.contains(name) ? 0 : 1, candidate.difference(from: name).count, candidate)
    }
    return distances.sorted(by: <).prefix(count).map(\.2)
  }
}

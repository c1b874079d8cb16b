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

  /// Names of computed tensors that differ least from `name`, in characters that one of them has and the
  /// other has not.
  private func namesLike(_ name: String, count: Int = 5) -> [String] {
    let candidates = Set(nodes.flatMap(\.outputs).map { tensors[$0].name }).subtracting([""])
    let distances = candidates.map { (distance: $0.difference(from: name).count, name: $0) }
    return distances.sorted(by: <).prefix(count).map(\.name)
  }
}

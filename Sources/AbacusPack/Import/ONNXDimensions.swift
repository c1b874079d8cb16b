import Foundation

/// The extents of a model's inputs, where symbolic ones get values.
struct ONNXDimensions {
  private var known: [String: Int]

  /// - Parameter given: extents by the name of the dimension, or as "input.2". An extent of 0 takes the
  ///   input away: there is nothing in it.
  init(_ given: [String: Int], inputs: [ONNXValueInfoProto]) throws {
    for (name, extent) in given where !(0..<Shapes.maximumElements).contains(extent) {
      throw PackError(.unsupported, "dimension \(name)=\(extent): an extent must be 0 or more and below 2^30")
    }
    known = given
    // A first dimension that is not fixed is the batch, wherever its name occurs.
    for input in inputs {
      guard let first = input.type.tensorType.shape.dim.first, case .dimParam(let name)? = first.value,
        !name.isEmpty
      else { continue }
      known[name] = known[name] ?? 1
    }
  }

  /// The shape of an input.
  func shape(of input: ONNXValueInfoProto) throws -> [Int] {
    guard input.type.tensorType.hasShape else {
      throw PackError(.unsupported, "the input \"\(input.name)\" of the model has no shape")
    }
    return try input.type.tensorType.shape.dim.enumerated().map { axis, dimension in
      let place = "\(input.name).\(axis)"
      switch dimension.value {
      case .dimValue(let extent) where extent > 0: return Int(extent)
      case .dimValue(0):
        throw PackError(.unsupported, "dimension \(axis) of the input \"\(input.name)\" is empty")
      case .dimParam(let name) where !name.isEmpty:
        if let extent = known[name] ?? known[place] ?? sum(name) { return extent }
        let missing = parts(of: name).first { known[$0] == nil && Int($0) == nil } ?? name
        let hint = missing.contains("past")
          ? "; 0 imports the model without its key/value cache, and pack --context makes a cache of its own" : ""
        throw PackError(
          .unsupported,
          "dimension \(axis) of the input \"\(input.name)\" is \"\(name)\", known at run time only; "
            + "give it a value with --dim \(missing)=value" + hint)
      default:
        if let extent = known[place] ?? (axis == 0 ? 1 : nil) { return extent }
        throw PackError(
          .unsupported,
          "dimension \(axis) of the input \"\(input.name)\" is known at run time only; "
            + "give it a value with --dim \(place)=value")
      }
    }
  }
  /// "past + new", as exporters call a sum of dimensions, is two names.
  private func parts(of name: String) -> [String] {
    name.split(separator: "+").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private func sum(_ name: String) -> Int? {
    let extents = parts(of: name).map { Int($0) ?? known[$0] }
    guard extents.count > 1, extents.allSatisfy({ $0.map { (0..<Shapes.maximumElements).contains($0) } ?? false })
    else { return nil }
    return extents.reduce(0) { $0 + $1! }
  }
}

/// What the instructions of a kernel grow with: named quantities of one call, such as "rows/3 depth/4".
///
/// Loops take some elements at a time and what is left in another way, so an extent counts as itself, in wholes of the blocks
/// that loops have, and in what they leave. Products of such counts, one of each extent, are the features of a loop nest;
/// which of them a board's loops have is what the fit finds out.
struct CostFeatures {
  private(set) var values: [String: Double] = [:]

  /// An extent of a loop, and the blocks in which it may be taken.
  struct Extent {
    var name: String
    var count: Int
    var blocks: [Int] = []

    /// 1, the extent, its blocks and what they leave.
    fileprivate var counts: [(name: String, value: Double)] {
      [("", 1), (name, Double(count))]
        + blocks.flatMap { [("\(name)/\($0)", Double(count / $0)), ("\(name)%\($0)", Double(count % $0))] }
    }
  }

  /// Adds all products of counts of the extents. Nests that share extents share features.
  mutating func addNest(_ extents: [Extent]) {
    var products: [(name: String, value: Double)] = [("call", 1)]
    for extent in extents {
      products = products.flatMap { product in
        extent.counts.map { count in
          if count.name.isEmpty { return product }
          return (product.name == "call" ? count.name : "\(product.name) \(count.name)", product.value * count.value)
        }
      }
    }
    for product in products where product.value != 0 { values[product.name] = product.value }
  }

  /// Adds a single feature.
  mutating func add(_ name: String, _ value: Int) {
    if value != 0 { values[name] = Double(value) }
  }
}

/// What the instructions of a kernel grow with: named quantities of one call, such as "rows/3 depth/4".
///
/// Loops take some elements at a time and what is left in another way, so an extent counts in wholes of the blocks that loops
/// have, and in what they leave. Products of such counts, one of each extent, are the features of a loop nest; which of them
/// a board's loops have is what the fit finds out.
struct CostFeatures {
  private(set) var values: [String: Double] = [:]

  /// An extent of a loop.
  struct Extent {
    /// Beside 1, which every extent has.
    var counts: [(name: String, value: Double)]

    init(name: String, count: Int) {
      counts = [(name, Double(count))]
    }

    /// Rows are taken by threes or by twos; what is left of threes, one or two, costs what it costs.
    static func rows(_ count: Int) -> Extent {
      var extent = Extent(name: "rows", count: count)
      extent.counts += [("rows/2", count / 2), ("rows%2", count % 2), ("rows/3", count / 3)].map { ($0.0, Double($0.1)) }
      if count % 3 > 0 { extent.counts.append(("rows%3=\(count % 3)", 1)) }
      return extent
    }

    /// Channels are taken by twos or by fours.
    static func channels(_ count: Int) -> Extent {
      var extent = Extent(name: "channels", count: count)
      extent.counts += [("channels%2", Double(count % 2)), ("channels%4", Double(count % 4))]
      return extent
    }

    /// Elements are taken by sixteens, then by fours, then one by one.
    static func elements(_ name: String, _ count: Int) -> Extent {
      var extent = Extent(name: "\(name)/16", count: count / 16)
      extent.counts += [("\(name)%16/4", Double(count % 16 / 4)), ("\(name)%4", Double(count % 4))]
      return extent
    }
  }

  /// Adds all products of counts of the extents. Nests that share extents share features.
  mutating func addNest(_ extents: [Extent]) {
    var products: [(name: String, value: Double)] = [("call", 1)]
    for extent in extents {
      products = products.flatMap { product in
        [product]
          + extent.counts.map { count in
            (product.name == "call" ? count.name : "\(product.name) \(count.name)", product.value * count.value)
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

/// Rounding where each weight makes up for what rounding has done to those before it: GPTQ (arXiv 2210.17323), weights in
/// the order of falling diagonal of the second moments.
///
/// With H = L Lᵀ (inputs by rising diagonal) the error is the sum over k of `(sum over j >= k of L[j, k] d[j])²`: from the
/// last weight to the first each is rounded so that its term is smallest. That gives the same codes as GPTQ's updates with
/// the inverse of H, which is not needed.
enum ErrorCompensation {
  /// Codes [depth] of sixteen channels.
  static func codes(_ weights: [Lanes], on grid: PanelGrid, _ moments: DampedMoments) -> [Lanes] {
    let (order, factor) = (moments.order, moments.factor)
    let count = order.count
    var codes = weights
    // Weights less the rounded ones, in that order.
    var difference = [Lanes](repeating: .zero, count: count)
    difference.withUnsafeMutableBufferPointer { difference in
      factor.upper.withUnsafeBufferPointer { upper in
        for position in (0..<count).reversed() {
          let row = upper.baseAddress! + position * (count + 1)
          let earlier = weightedSum(row + 1, difference.baseAddress! + position + 1, count: count - 1 - position)
          let k = order[position]
          codes[k] = grid.code(weights[k] + earlier / row[0], k)
          difference[position] = weights[k] - grid.value(codes[k], k)
        }
      }
    }
    return codes
  }
}

import AbacusFormat
import CAbacus

/// Rows [M, K] times constant weights [N, K]. A unit is one row.
@c(abacus_run_fully_connected)
public func runFullyConnected(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe fullyConnected(Invocation(call))
}

private func fullyConnected(_ call: Invocation) {
  let parameters = call.parameters(FullyConnectedParameters.self)
  let weights = call.tensor(Operands.weights)
  let channels = weights.extent(0)
  let depth = weights.extent(1)
  let product = RowProduct(
    call, depth: depth, stage: parameters.stage, weightZeroPoint: parameters.weightZeroPoint)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)

  var row = call.units.lowerBound
  while row &+ 1 < call.units.upperBound {
    product.two(
      input.dropping(row &* depth), input.dropping((row &+ 1) &* depth), channels: 0..<channels,
      output.dropping(row &* channels), output.dropping((row &+ 1) &* channels))
    row = row &+ 2
  }
  if row < call.units.upperBound {
    product.one(
      input.dropping(row &* depth), channels: 0..<channels, output.dropping(row &* channels))
  }
}

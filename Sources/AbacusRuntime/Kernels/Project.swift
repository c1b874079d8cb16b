import AbacusFormat
import CAbacus

/// Rows [M, K] of int8 or int16 times constant weights [N, K], with or without a residual, to any
/// width. A unit is one row.
@c(abacus_run_project)
public func runProject(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.tensor(Operands.input).elementType == ElementType.int16.rawValue {
    project(call, Int16.self)
  } else {
    project(call, Int8.self)
  }
}

private func project<Source: ProductElement>(_ call: Invocation, _: Source.Type) {
  let record = call.tensor(Operands.weights)
  let channels = record.extent(0)
  let depth = record.extent(1)
  let weights = WeightMatrix(call.elements(Operands.weights), record: record, depth: depth)
  let input: Elements<Source> = call.elements(Operands.input)
  let projection = Projection(call)
  var row = call.units.lowerBound
  while row < call.units.upperBound {
    let source = input.dropping((row &- call.origin(Operands.input)) &* depth)
    let target = (row &- call.origin(Operands.output)) &* channels
    let residual = (row &- projection.residualOrigin) &* channels
    if row &+ 1 < call.units.upperBound && weights.isRowMajor {
      weights.products(source, source.dropping(depth), channels: 0..<channels) { n, i, sum in
        projection.finish(sum, channel: n, residual: residual &+ i &* channels, target: target &+ i &* channels)
      }
      row = row &+ 2
    } else {
      weights.products(source, channels: 0..<channels) { n, sum in
        projection.finish(sum, channel: n, residual: residual, target: target)
      }
      row = row &+ 1
    }
  }
}

/// What becomes of the sums of products.
private struct Projection {
  private let parameters: ProjectParameters
  private let variant: UInt8
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  /// A shift of each channel's own, where `hasShifts`.
  private let shifts: Elements<UInt8>
  private let hasShifts: Bool
  private let residual: WideElements
  /// The row that the residual begins with.
  let residualOrigin: Int
  private let output: WideOutput

  init(_ call: Invocation) {
    parameters = call.parameters(ProjectParameters.self)
    variant = call.record.variant
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.channels)
    // Without a residual the input stands in, and nothing is read.
    let slot = variant == ProjectVariant.plain.rawValue ? Operands.input : Operands.second
    residual = WideElements(call, slot)
    residualOrigin = call.origin(slot)
    output = WideOutput(call)
  }

  /// - Parameters:
  ///   - residual: where the row begins in the residual.
  ///   - target: where it begins in the output.
  @inline(never)
  func finish(_ sum: Int32, channel n: Int, residual start: Int, target: Int) {
    let stage = parameters.stage
    let accumulator = sum &+ channels[2 &* n]
    let multiplier = channels[2 &* n &+ 1]
    let shift = hasShifts ? Int32(shifts[n]) : stage.shift
    let value: Int32
    switch variant {
    case ProjectVariant.residual.rawValue:
      value = saturatedWeightedSum(
        accumulator, multiplier, residual[start &+ n] &- parameters.residualZeroPoint,
        parameters.residualMultiplier, shift: shift)
    case ProjectVariant.paperResidual.rawValue:
      let branch = min(max(requantize(accumulator, multiplier, shift: shift), -32768), 32767)
      value = saturatedSum(
        requantize(branch, parameters.branchMultiplier, shift: parameters.branchShift),
        requantize(
          residual[start &+ n] &- parameters.residualZeroPoint, parameters.residualMultiplier,
          shift: parameters.residualShift))
    default:
      value = requantize(accumulator, multiplier, shift: shift)
    }
    output.store(stage.finish(value), at: target &+ n)
  }
}

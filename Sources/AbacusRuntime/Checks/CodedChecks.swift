import AbacusFormat
import CAbacus

@c(abacus_check_coded_project)
public func checkCodedProject(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfCodedProject)
}

@_optimize(size)
private func demandsOfCodedProject(_ check: Checker) throws(Status) {
  try demandsOfRows(check)
  try check.codes(depth: check.call.tensor(Operands.weights).dims[1])
  // As much as the loops for widened rows need, or they leave it alone.
  if check.call.has(Operands.scratch) { _ = try check.output(Operands.scratch) }
}

@c(abacus_check_coded_convolution)
public func checkCodedConvolution(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfCodedConvolution)
}

@_optimize(size)
private func demandsOfCodedConvolution(_ check: Checker) throws(Status) {
  let p = try check.parameters(ConvolutionParameters.self)
  try check.window()
  try require(p.weightZeroPoint == 0 && check.call.has(Operands.weights))
  let (input, output) = (check.call.tensor(Operands.input), check.call.tensor(Operands.output))
  let weights = check.call.tensor(Operands.weights)
  try require(weights.rank == 4 && weights.dims[0] == output.dims[3])
  try require(weights.dims[1] == p.window.height && weights.dims[2] == p.window.width)
  try require(weights.dims[3] == input.dims[3])
  let depth = saturatedProduct(saturatedProduct(weights.dims[1], weights.dims[2]), weights.dims[3])
  try check.codes(depth: depth)
  try check.channels(weights.dims[0])
  try check.scratch(try roundUp(depth, 4))
}

extension Checker {
  /// Weights of 4 or 2 bits, all of them there, and what their groups have.
  @_optimize(size)
  fileprivate func codes(depth: UInt32) throws(Status) {
    let weights = call.tensor(Operands.weights)
    guard let type = ElementType(rawValue: weights.elementType), type == .int4 || type == .int2 else {
      throw .unsupportedOperator
    }
    try require(weights.layout == Layout.codes.rawValue && weights.dims[0] >= 1)
    try require(weights.blockRows >= 1)
    guard let grid = CodeGrid(rawValue: weights.blockColumns) else { throw .unsupportedOperator }
    let perWord = UInt32(truncatingIfNeeded: CodeLayout.perWord(type))
    let words = try roundUp(depth, perWord) / perWord
    try require(try product(try roundUp(weights.dims[0], 2), try product(words, 4)) == weights.byteCount)
    try require(call.has(Operands.groupZeros) == (grid == .offset))
    if weights.auxiliary == TensorRecord.none {
      return try require(!call.has(Operands.groupScales) && grid != .offset)
    }
    let size = weights.auxiliary
    try require(CodeLayout.groupSizes.contains(size) && size % CodeLayout.groupGranule == 0)
    let groups = try roundUp(depth, UInt32(size)) / UInt32(size)
    let count = try product(weights.dims[0], groups)
    try constant(Operands.groupScales, .uint8, count: count)
    if grid == .offset { try constant(Operands.groupZeros, .int8, count: count) }
  }
}

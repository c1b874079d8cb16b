import AbacusFormat

/// Element-wise operators with two inputs of any width.
func checkBinaryWide(_ check: Checker) throws(Status) -> BinaryParameters {
  let p = try check.parameters(BinaryParameters.self)
  let type = try check.type(Operands.output, oneOf: .int8, .int16, .int32)
  try check.stage(p.stage, type)
  try require(Limits.requantizationShifts.contains(p.innerShift))
  let output = try check.outputRows(type)
  var rows = UInt32(1)
  for dimension in 0..<5 { rows = try product(rows, p.dims[dimension]) }
  try require(try product(rows, p.dims[5]) == check.elements(output))
  try checkBroadcast(check, Operands.input, p.dims, p.strideA, zeroPoint: p.zeroPointA)
  try checkBroadcast(check, Operands.second, p.dims, p.strideB, zeroPoint: p.zeroPointB)
  try check.units(rows)
  return p
}

/// One input: strides that stay inside, a zero point in the range of its type.
private func checkBroadcast(
  _ check: Checker, _ slot: Int, _ dims: InlineArray<6, UInt32>, _ strides: InlineArray<6, UInt32>,
  zeroPoint: Int32
) throws(Status) {
  let type = try check.type(slot, oneOf: .int8, .int16, .int32)
  let tensor = try check.rows(slot, type)
  try check.zeroPoint(zeroPoint, type)
  var reach = Reach()
  for dimension in 0..<Limits.maximumRank { try reach.add(dims[dimension], strides[dimension]) }
  try require(reach.highest < check.elements(tensor))
  if tensor.flags & TensorRecord.Flags.blockOfRows == 0 { return }
  // Only the rows of the units at hand are there: element for element those of the output.
  var dense = UInt32(1)
  for step in 0..<Limits.maximumRank {
    let dimension = Limits.maximumRank - 1 - step
    try require(dims[dimension] == 1 || strides[dimension] == dense)
    dense = try product(dense, dims[dimension])
  }
  try require(dense == check.elements(tensor))
}

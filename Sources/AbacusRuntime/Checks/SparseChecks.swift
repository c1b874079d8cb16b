import AbacusFormat
import CAbacus

@c(abacus_check_sparse_project)
public func checkSparseProject(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfSparseProject)
}

/// Addresses depend on what counts and indices hold, so that all of them are read.
@_optimize(size)
private func demandsOfSparseProject(_ check: Checker) throws(Status) {
  let p = try check.parameters(SparseProjectParameters.self)
  try require(p.depth >= 1 && p.depth <= UInt32(GroupLayout.maximumDepth))
  let channels = check.elements(try check.input(Operands.groupCounts, .uint8))
  let kept = check.elements(try check.input(Operands.groupIndices, .uint8))
  try check.constant(Operands.groupCounts, .uint8, count: channels)
  try check.constant(Operands.groupIndices, .uint8, count: kept)
  try check.constant(Operands.weights, .int8, count: try product(kept, UInt32(GroupLayout.size)))
  try demandsOfRows(check, channels: channels, depth: p.depth)

  let counts: Elements<UInt8> = check.call.elements(Operands.groupCounts)
  var counted: UInt32 = 0
  for n in 0..<Int(channels) { counted = counted &+ UInt32(counts[n]) }
  try require(counted == kept)
  let indices: Elements<UInt8> = check.call.elements(Operands.groupIndices)
  let groups = GroupLayout.groups(depth: Int(p.depth))
  for i in 0..<Int(kept) { try require(Int(indices[i]) < groups) }
}

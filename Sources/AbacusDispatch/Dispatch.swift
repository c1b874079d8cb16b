import AbacusFormat
import AbacusRuntime
import CAbacus

// The one switch over opcodes. It is a module, and so an object file, of its own: a program that
// defines both functions itself (`abacus embed` writes such a file) never pulls this one from the
// archive, and the linker drops every kernel that nobody names.

@c @implementation
public func abacus_dispatch_run(_ opcode: UInt32, _ call: UnsafePointer<abacus_kernel_call>?) {
  guard let call = unsafe call else { return }
  switch Opcode(rawValue: UInt8(truncatingIfNeeded: opcode)) {
  case .fullyConnected: unsafe runFullyConnected(call)
  case .convolution: unsafe runConvolution(call)
  case .depthwiseConvolution: unsafe runDepthwiseConvolution(call)
  case .matrixMultiply: unsafe runMatrixMultiply(call)
  case .add: unsafe runAdd(call)
  case .multiply: unsafe runMultiply(call)
  case .squaredDifference: unsafe runSquaredDifference(call)
  case .maximum: unsafe runMaximum(call)
  case .minimum: unsafe runMinimum(call)
  case .prelu: unsafe runPrelu(call)
  case .maxPool: unsafe runMaxPool(call)
  case .averagePool: unsafe runAveragePool(call)
  case .reduce: unsafe runReduce(call)
  case .copy: unsafe runCopy(call)
  case .gather: unsafe runGather(call)
  case .softmax: unsafe runSoftmax(call)
  case .table: unsafe runTable(call)
  case .requantize: unsafe runRequantize(call)
  case nil: return
  }
}

@c @implementation
public func abacus_dispatch_check(
  _ opcode: UInt32, _ call: UnsafePointer<abacus_kernel_call>?
) -> abacus_status {
  guard let call = unsafe call else { return ABACUS_BAD_ARGUMENT }
  return switch Opcode(rawValue: UInt8(truncatingIfNeeded: opcode)) {
  case .fullyConnected: unsafe checkFullyConnected(call)
  case .convolution: unsafe checkConvolution(call)
  case .depthwiseConvolution: unsafe checkDepthwiseConvolution(call)
  case .matrixMultiply: unsafe checkMatrixMultiply(call)
  case .add: unsafe checkAdd(call)
  case .multiply: unsafe checkMultiply(call)
  case .squaredDifference: unsafe checkSquaredDifference(call)
  case .maximum: unsafe checkMaximum(call)
  case .minimum: unsafe checkMinimum(call)
  case .prelu: unsafe checkPrelu(call)
  case .maxPool: unsafe checkMaxPool(call)
  case .averagePool: unsafe checkAveragePool(call)
  case .reduce: unsafe checkReduce(call)
  case .copy: unsafe checkCopy(call)
  case .gather: unsafe checkGather(call)
  case .softmax: unsafe checkSoftmax(call)
  case .table: unsafe checkTable(call)
  case .requantize: unsafe checkRequantize(call)
  case nil: ABACUS_UNSUPPORTED_OPERATOR
  }
}

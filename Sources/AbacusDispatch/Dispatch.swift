import AbacusFormat
import CAbacus
import CAbacusKernels

// The one switch over opcodes. It is a module, and so an object file, of its own: a program that
// defines both functions itself (`abacus embed` writes such a file) never pulls this one from the
// archive, and the linker drops every kernel that nobody names.

@c @implementation
public func abacus_dispatch_run(_ opcode: UInt32, _ call: UnsafePointer<abacus_kernel_call>?) {
  guard let call = unsafe call else { return }
  switch Opcode(rawValue: UInt8(truncatingIfNeeded: opcode)) {
  case .fullyConnected: unsafe abacus_run_fully_connected(call)
  case .convolution: unsafe abacus_run_convolution(call)
  case .depthwiseConvolution: unsafe abacus_run_depthwise_convolution(call)
  case .matrixMultiply: unsafe abacus_run_matrix_multiply(call)
  case .add: unsafe abacus_run_add(call)
  case .multiply: unsafe abacus_run_multiply(call)
  case .squaredDifference: unsafe abacus_run_squared_difference(call)
  case .maximum: unsafe abacus_run_maximum(call)
  case .minimum: unsafe abacus_run_minimum(call)
  case .prelu: unsafe abacus_run_prelu(call)
  case .maxPool: unsafe abacus_run_max_pool(call)
  case .averagePool: unsafe abacus_run_average_pool(call)
  case .reduce: unsafe abacus_run_reduce(call)
  case .copy: unsafe abacus_run_copy(call)
  case .gather: unsafe abacus_run_gather(call)
  case .softmax: unsafe abacus_run_softmax(call)
  case .table: unsafe abacus_run_table(call)
  case .requantize: unsafe abacus_run_requantize(call)
  case .project: unsafe abacus_run_project(call)
  case .normalize: unsafe abacus_run_normalize(call)
  case .activation: unsafe abacus_run_activation(call)
  case .attention: unsafe abacus_run_attention(call)
  case .rotary: unsafe abacus_run_rotary(call)
  case .append: unsafe abacus_run_append(call)
  case .embed: unsafe abacus_run_embed(call)
  case .addWide: unsafe abacus_run_add_wide(call)
  case .multiplyWide: unsafe abacus_run_multiply_wide(call)
  case .softmaxWide: unsafe abacus_run_softmax_wide(call)
  case .codedProject: unsafe abacus_run_coded_project(call)
  case .codedConvolution: unsafe abacus_run_coded_convolution(call)
  case .sparseProject: unsafe abacus_run_sparse_project(call)
  case nil: return
  }
}

@c @implementation
public func abacus_dispatch_check(
  _ opcode: UInt32, _ call: UnsafePointer<abacus_kernel_call>?
) -> abacus_status {
  guard let call = unsafe call else { return ABACUS_BAD_ARGUMENT }
  return switch Opcode(rawValue: UInt8(truncatingIfNeeded: opcode)) {
  case .fullyConnected: unsafe abacus_check_fully_connected(call)
  case .convolution: unsafe abacus_check_convolution(call)
  case .depthwiseConvolution: unsafe abacus_check_depthwise_convolution(call)
  case .matrixMultiply: unsafe abacus_check_matrix_multiply(call)
  case .add: unsafe abacus_check_add(call)
  case .multiply: unsafe abacus_check_multiply(call)
  case .squaredDifference: unsafe abacus_check_squared_difference(call)
  case .maximum: unsafe abacus_check_maximum(call)
  case .minimum: unsafe abacus_check_minimum(call)
  case .prelu: unsafe abacus_check_prelu(call)
  case .maxPool: unsafe abacus_check_max_pool(call)
  case .averagePool: unsafe abacus_check_average_pool(call)
  case .reduce: unsafe abacus_check_reduce(call)
  case .copy: unsafe abacus_check_copy(call)
  case .gather: unsafe abacus_check_gather(call)
  case .softmax: unsafe abacus_check_softmax(call)
  case .table: unsafe abacus_check_table(call)
  case .requantize: unsafe abacus_check_requantize(call)
  case .project: unsafe abacus_check_project(call)
  case .normalize: unsafe abacus_check_normalize(call)
  case .activation: unsafe abacus_check_activation(call)
  case .attention: unsafe abacus_check_attention(call)
  case .rotary: unsafe abacus_check_rotary(call)
  case .append: unsafe abacus_check_append(call)
  case .embed: unsafe abacus_check_embed(call)
  case .addWide: unsafe abacus_check_add_wide(call)
  case .multiplyWide: unsafe abacus_check_multiply_wide(call)
  case .softmaxWide: unsafe abacus_check_softmax_wide(call)
  case .codedProject: unsafe abacus_check_coded_project(call)
  case .codedConvolution: unsafe abacus_check_coded_convolution(call)
  case .sparseProject: unsafe abacus_check_sparse_project(call)
  case nil: ABACUS_UNSUPPORTED_OPERATOR
  }
}

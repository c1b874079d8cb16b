#if !hasFeature(Embedded)
import AbacusFormat
import CAbacus

extension Model {
  /// The form of the kernel that each operator of a blob runs; 0 for operators whose kernels have one form only.
  ///
  /// A form is what a kernel's loops are made for, such as elements of 8 or 16 bits. Programs for one model link the forms
  /// that it needs, and refuse others.
  public static func kernelForms(of blob: [UInt8]) throws(Status) -> [UInt32] {
    let memory = GuardedMemory(copying: blob)
    var raw = abacus_requirements()
    try unsafe check(abacus_inspect(memory.base, memory.bytes, &raw))
    let view = unsafe BlobView(memory.base)
    return (0..<Int(raw.operator_count)).map { index in
      let opcode = unsafe Opcode(rawValue: view.operatorRecord(index).pointee.opcode)
      return unsafe withUnsafePointer(to: view.kernelCall(index, arena: nil)) { unsafe kernelForm(opcode, $0) }
    }
  }
}

private func kernelForm(_ opcode: Opcode?, _ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  switch opcode {
  case .fullyConnected: unsafe fullyConnectedForm(call)
  case .convolution: unsafe convolutionForm(call)
  case .depthwiseConvolution: unsafe depthwiseConvolutionForm(call)
  case .softmax: unsafe softmaxForm(call)
  case .project: unsafe projectForm(call)
  case .attention: unsafe attentionForm(call)
  case .normalize: unsafe normalizeForm(call)
  case .activation: unsafe activationForm(call)
  case .copy: unsafe copyForm(call)
  case .codedProject: unsafe codedProjectForm(call)
  default: 0
  }
}
#endif

#if !hasFeature(Embedded)
import AbacusFormat
import CAbacus

/// The forms of the kernels that have several: what their loops are made for, such as elements of 8 or 16 bits. Programs
/// for one model link the forms that it needs, and refuse others.
@safe
public struct KernelForms: Sendable {
  /// As they stand in C behind `abacus_run_` and the operator, in the order of their numbers.
  public let names: [String]
  private let form: @Sendable (UnsafePointer<abacus_kernel_call>) -> UInt32

  private init(_ names: [String], _ form: @escaping @Sendable (UnsafePointer<abacus_kernel_call>) -> UInt32) {
    self.names = names
    unsafe self.form = form
  }

  /// Those of one operator; nil where its kernel has one form only.
  public static func of(_ opcode: Opcode) -> KernelForms? { all[opcode] }

  private static let all: [Opcode: KernelForms] = unsafe [
    .fullyConnected: KernelForms(["rows", "pairs"], fullyConnectedForm),
    .convolution: KernelForms(["rows", "pairs", "pairs_of_quads", "pairs_of_bytes"], convolutionForm),
    .depthwiseConvolution: KernelForms(["windows", "lines", "channels"], depthwiseConvolutionForm),
    .softmax: KernelForms(["computed", "table"], softmaxForm),
    .project: KernelForms(["rows_int8", "rows_int16", "pairs_int8", "pairs_int16"], projectForm),
    .attention: KernelForms(
      [
        "deferred_int8", "online_int8", "paper_int8", "deferred_int16", "online_int16", "paper_int16", "rows_int8",
        "rows_int16",
      ], attentionForm),
    .normalize: KernelForms(
      ["int8_int8", "int8_int16", "int16_int8", "int16_int16", "paper_int8", "paper_int16"], normalizeForm),
    .activation: KernelForms(["plain", "curve", "paper"], activationForm),
    .copy: KernelForms(["int8", "int16", "int32"], copyForm),
    .codedProject: KernelForms(["int8", "int16"], codedProjectForm),
    .sparseProject: KernelForms(["int8", "int16"], sparseProjectForm),
  ]

  fileprivate func form(of call: abacus_kernel_call) -> UInt32 {
    unsafe withUnsafePointer(to: call) { unsafe form($0) }
  }
}

extension Model {
  /// The form of the kernel that each operator of a blob runs; 0 for operators whose kernels have one form only.
  public static func kernelForms(of blob: [UInt8]) throws(Status) -> [UInt32] {
    let memory = GuardedMemory(copying: blob)
    var raw = abacus_requirements()
    try unsafe check(abacus_inspect(memory.base, memory.bytes, &raw))
    let view = unsafe BlobView(memory.base)
    return (0..<Int(raw.operator_count)).map { index in
      let opcode = unsafe Opcode(rawValue: view.operatorRecord(index).pointee.opcode)
      return unsafe opcode.flatMap(KernelForms.of)?.form(of: view.kernelCall(index, arena: nil)) ?? 0
    }
  }
}
#endif

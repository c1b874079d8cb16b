import AbacusFormat
import AbacusRuntime

/// An operator that a model uses, and in which forms of its kernel.
public struct NeededKernel: Equatable, Sendable {
  public let opcode: Opcode
  /// In ascending order; empty where the kernel has one form only.
  public let forms: [UInt32]

  /// An operator in some forms, or in all that there are.
  public init(_ opcode: Opcode, forms: some Sequence<UInt32> = []) {
    self.opcode = opcode
    self.forms = KernelForms.of(opcode) == nil ? [] : Set(forms).sorted()
  }

  /// What people read.
  public var description: String {
    guard !forms.isEmpty else { return "\(opcode.symbol)" }
    return "\(opcode.symbol) (\(forms.map(name).joined(separator: ", ")))"
  }

  private func name(_ form: UInt32) -> String { KernelForms.of(opcode)!.names[Int(form)] }

  // MARK: C

  private var run: String { "abacus_run_\(opcode.symbol)" }
  private var form: String { "abacus_form_\(opcode.symbol)(call)" }

  /// Declarations of the functions of the library that are used.
  var declarations: String {
    let functions = forms.isEmpty ? [run] : forms.map { "\(run)_\(name($0))" }
    return "extern int abacus_check_\(opcode.symbol)(const void *call);\n"
      + (forms.isEmpty ? "" : "extern uint32_t abacus_form_\(opcode.symbol)(const void *call);\n")
      + functions.map { "extern void \($0)(const void *call);\n" }.joined()
  }

  /// The case of a checked operator. Its form may be asked for only when it is known to be sound.
  var check: String {
    let check = "abacus_check_\(opcode.symbol)(call)"
    if forms.isEmpty { return "    case \(opcode.rawValue): return \(check);\n" }
    let mask = forms.reduce(UInt32(0)) { $0 | 1 << $1 }
    return """
          case \(opcode.rawValue): {
            int status = \(check);
            return status != 0 || (\(mask)u >> \(form) & 1u) ? status : unsupported;
          }

      """
  }

  /// The case of an operator that is executed.
  var execution: String {
    if forms.isEmpty { return "    case \(opcode.rawValue): \(run)(call); break;\n" }
    if forms.count == 1 { return "    case \(opcode.rawValue): \(run)_\(name(forms[0]))(call); break;\n" }
    let cases = forms.map { "        case \($0): \(run)_\(name($0))(call); break;\n" }.joined()
    return "    case \(opcode.rawValue):\n      switch (\(form)) {\n\(cases)      }\n      break;\n"
  }
}

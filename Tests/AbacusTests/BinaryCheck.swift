import Foundation
import Testing

/// Looks for what must not be in a device's program: floating-point instructions, calls of float
/// helpers, and allocators.
///
/// The rule for instructions, by architecture:
///
/// - **x86-64**: no x87 instruction (`f...`), no conversion (`cvt...`), no arithmetic, rounding or
///   comparison of packed or single floats (`addss`, `mulps`, `sqrtsd`, `ucomiss`, ...), no access to
///   MXCSR, and nothing that starts with `vf` or estimates floats (AVX-512). Integer vectors are
///   welcome, and so are the moves, shuffles and bit operations that compilers apply to integers
///   although their names end in `ps` or `sd` (`movaps`, `shufps`, `xorps`): they pass bits on and
///   never read them as a number.
/// - **Arm without MVE**: nothing that starts with `v`, and no coprocessor access.
/// - **Arm with MVE**: what a core with MVE's integer half and no floating-point unit has. That is no
///   type `.f16`, `.f32` or `.f64` anywhere in the name, no `vcvt`, no access to FPSCR; vectors are
///   `q` registers; `s` and `d` registers, which are parts of them, occur only where a lane moves to
///   or from core registers (`vmov`) and where `d8` to `d15` are saved (`vpush`, `vpop`).
/// - **RISC-V**: nothing that starts with `f` or `c.f` except `fence`, and no `vf...`.
/// - **AArch64**: nothing that starts with `f`, no `scvtf`, `ucvtf`, and no `bf...` of BFloat16; but
///   `fmov` between a core and a vector register, which is how integers get there.
///
/// An instruction that the disassembler does not know breaks the rule as well: it may be any of these.
/// The disassembler is told to know the floating-point extensions even where the file's attributes
/// deny them.
enum BinaryCheck {
  enum Architecture: Equatable {
    case x86, aarch64, riscv
    case arm(hasMVE: Bool)

    #if arch(arm64)
      static let host = Architecture.aarch64
    #else
      static let host = Architecture.x86
    #endif
  }

  struct Instruction {
    var function: String
    var mnemonic: String
    var operands: String

    var text: String { "\(function): \(mnemonic) \(operands)" }
  }

  /// What of some instructions breaks the rule.
  static func violations(_ instructions: [Instruction], _ architecture: Architecture) -> [String] {
    instructions.filter { $0.mnemonic == "<unknown>" || isFloat($0, architecture) }.map(\.text)
  }

  static func isFloat(_ instruction: Instruction, _ architecture: Architecture) -> Bool {
    let mnemonic = instruction.mnemonic
    switch architecture {
    case .x86:
      return mnemonic.hasPrefix("f") || mnemonic.hasPrefix("vf")
        || mnemonic.wholeMatch(of: x86Arithmetic) != nil
    case .aarch64:
      if mnemonic == "fmov" { return !instruction.operands.contains(/\b[wx]([0-9]|zr)/) }
      return mnemonic.hasPrefix("f") || mnemonic.wholeMatch(of: /[su]cvtf|bf(dot|mmla|mlalb|mlalt|cvt.*)/) != nil
    case .riscv:
      return mnemonic.wholeMatch(of: /(c\.)?f(?!ence).*|vf.*/) != nil
    case .arm(let hasMVE):
      if ["mcr", "mrc", "cdp", "ldc", "stc"].contains(where: mnemonic.hasPrefix) { return true }
      guard mnemonic.hasPrefix("v") else { return false }
      return !hasMVE || !isIntegerMVE(mnemonic, instruction.operands)
    }
  }

  private static func isIntegerMVE(_ mnemonic: String, _ operands: String) -> Bool {
    if mnemonic.contains(/\.(f|bf)\d/) || mnemonic.hasPrefix("vcvt") { return false }
    if mnemonic.wholeMatch(of: /vpush|vpop/) != nil {
      return operands.wholeMatch(of: /\{d(8|9|1[0-5])(, d(8|9|1[0-5]))*\}/) != nil
    }
    if mnemonic == "vmrs" || mnemonic == "vmsr" { return operands.contains(/\b(p0|vpr)\b/) }
    let registers = operands.matches(of: /\b[sd]\d+\b/).count
    if registers == 0 { return true }
    // One lane, or the two of a doubleword, with as many core registers.
    let core = operands.matches(of: /\b(r\d+|lr|r1[0-2])\b/).count
    return mnemonic.wholeMatch(of: /vmov(\.(8|16|32))?/) != nil && core > 0
  }

  private nonisolated(unsafe) static let x86Arithmetic = try! Regex(
    #"v?(((add|sub|mul|div|sqrt|min|max|rcp|rsqrt|round|hadd|hsub|addsub|dp|cmp[a-z]*|u?comi)(ss|sd|ps|pd|sh|ph))"#
      + #"|cvt.*|rndscale.*|scalef.*|getexp.*|getmant.*|range[sp].*|reduce[sp].*|r(cp|sqrt)(14|28).*"#
      + #"|(ld|st)mxcsr)"#)

  /// What of some symbols must be neither linked nor called.
  static func forbidden(_ symbols: some Sequence<String>) -> [String] {
    symbols.filter { isAllocator($0) || isFloatHelper($0) }
  }

  static func isAllocator(_ symbol: String) -> Bool {
    allocators.contains(symbol)
      // Operators new and delete.
      || symbol.wholeMatch(of: /_Zn[wa].*|_Zd[la].*/) != nil
      // Not `swift_retain` and `swift_allocEmptyBox`: they return what they get, or a constant, and
      // Embedded Swift puts its own into every archive, where the linker finds them unused.
      || symbol.wholeMatch(of: /_?swift_(alloc(?!EmptyBox)|dealloc|slow|coroFrameAlloc|makeBoxUnique).*/) != nil
  }

  static func isFloatHelper(_ symbol: String) -> Bool {
    symbol.wholeMatch(of: /__aeabi_(f|d|cf|cd|h2|u?[il]2[fd]).*/) != nil
      || symbol.wholeMatch(of: /__(add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|unord|cmp|powi)[hsdtx]f[23]/) != nil
      || symbol.wholeMatch(of: /__(fix(uns)?[hsdtx]f[sdt]i|float(un)?[sdt]i[hsdtxb]f)/) != nil
      || symbol.wholeMatch(of: /__(mul|div)[hsdtx]c3/) != nil
      || symbol.wholeMatch(of: /__(extend|trunc)[hsdtxb]f[hsdtxb]f2|__gnu_(h2f|f2h)_ieee/) != nil
      || mathematics.contains(symbol)
  }

  private static let allocators: Set = [
    "malloc", "free", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign",
    "valloc", "pvalloc", "strdup", "sbrk", "_sbrk", "brk", "mmap",
  ]

  /// Of libm; `sqrtf` and `sqrtl` too.
  private static let mathematics: Set<String> = Set(
    [
      "sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "sin", "cos", "tan", "sinh",
      "cosh", "tanh", "asin", "acos", "atan", "atan2", "erf", "floor", "ceil", "round", "lround", "rint", "lrint",
      "nearbyint", "trunc", "fma", "fmod", "fmin", "fmax", "ldexp", "frexp",
    ].flatMap { [$0, $0 + "f", $0 + "l"] })
}

extension BinaryCheck {
  /// The instructions of a program, object file or archive.
  static func instructions(of file: String, _ architecture: Architecture) throws -> [Instruction] {
    let knowing: [String] =
      switch architecture {
      case .x86, .aarch64: []
      case .riscv: ["--mattr=+f,+d,+c"]
      case .arm(let hasMVE): [hasMVE ? "--mattr=+mve.fp,+fp64" : "--mattr=+vfp4,+fp64"]
      }
    let disassembler = try Toolchain.program("llvm-objdump")
    let data = architecture == .riscv ? try dataRanges(of: file, disassembler) : []
    let outcome = try disassembler.run(["-d", "--no-show-raw-insn"] + knowing + [file])
    try #require(outcome.succeeded, "llvm-objdump of \(file): \(outcome.errors)")
    let text = outcome.output
    var result: [Instruction] = []
    var function = ""
    for line in text.utf8.split(separator: UInt8(ascii: "\n")).map({ Substring($0) }) {
      if line.hasSuffix(">:"), let start = line.firstIndex(of: "<") {
        function = String(line[line.index(after: start)...].dropLast(2))
        continue
      }
      // "   1c4: \tmovl\t%eax, (%rdi)"; lines without tabulators are headings or bytes of data.
      let columns = line.split(separator: "\t", maxSplits: 1)
      guard columns.count == 2, columns[0].contains(":"), columns[1].first != ".",
        let address = UInt64(columns[0].prefix { $0 != ":" }.drop { $0 == " " }, radix: 16),
        !data.contains(where: { $0.contains(address) })
      else { continue }
      var words = columns[1].split(maxSplits: 2) { $0 == " " || $0 == "\t" }.map(String.init)
      if words.count > 1, prefixes.contains(words[0]) { words.removeFirst() }
      let operands = words.dropFirst().joined(separator: " ")
      result.append(Instruction(function: function, mnemonic: words[0], operands: operands))
    }
    return result
  }

  /// What stands before a mnemonic of x86 in a column of its own.
  private static let prefixes: Set = ["lock", "rep", "repe", "repne", "repz", "notrack", "data16"]

  /// Where a linked image has constants among code: from a symbol `$d` to the next `$x`. This
  /// disassembler heeds them for Arm only.
  private static func dataRanges(of file: String, _ disassembler: Program) throws -> [Range<UInt64>] {
    // Sections of an object file all start at 0, but hold either code or data.
    guard try Data(contentsOf: URL(filePath: file)).dropFirst(16).first == executable else { return [] }
    let marks = try disassembler("-t", file).split(separator: "\n").compactMap { line -> (UInt64, Bool)? in
      guard let found = line.wholeMatch(of: /([0-9a-f]+) .* \.text\t.* \$([dx]).*/),
        let address = UInt64(found.1, radix: 16)
      else { return nil }
      return (address, found.2 == "d")
    }.sorted { $0.0 < $1.0 }
    var ranges: [Range<UInt64>] = []
    var start: UInt64?
    for (address, isData) in marks {
      if isData {
        start = start ?? address
      } else if let begun = start {
        ranges.append(begun..<address)
        start = nil
      }
    }
    return ranges + (start.map { [$0..<UInt64.max] } ?? [])
  }

  /// Type of an ELF file that is linked.
  private static let executable: UInt8 = 2

  /// Names that a file defines, and names that it leaves to others.
  static func symbols(of file: String) throws -> (defined: Set<String>, undefined: Set<String>) {
    let text = try Toolchain.program("llvm-nm")("--format=posix", "--quiet", file)
    var defined: Set<String> = [], undefined: Set<String> = []
    for line in text.split(separator: "\n") {
      // Names of string constants contain spaces.
      guard let found = line.wholeMatch(of: /(.+?) ([A-Za-z])( [0-9a-f]+){0,2} */) else { continue }
      if ["U", "w", "v"].contains(found.2) {
        undefined.insert(String(found.1))
      } else {
        defined.insert(String(found.1))
      }
    }
    return (defined, undefined.subtracting(defined))
  }
}

import AbacusPack
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10)))  // The first run builds every firmware.
struct BinaryCheckTests {
  /// What a program that embeds the library has to have.
  private static let wanted: Set = ["memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"]

  static let emulated = Result { try Board.all().filter { $0.machine != nil } }

  @Test func allBoardsAreChecked() throws {
    let boards = try Self.emulated.get()
    #expect(boards.count == 8)
  }

  @Test(arguments: try Self.emulated.get().map(\.name))
  func firmwareHasNeitherFloatsNorAllocators(name: String) throws {
    let board = try Board.named(name)
    let image = try FirmwareBuilder(board: board).generic().path(percentEncoded: false)
    let findings = try findings(in: image, architecture(of: board))
    #expect(findings.instructions > 10_000)
    #expect(findings.symbols > 100)
    #expect(findings.all == [], "\(findings.all.prefix(20))")
  }

  @Test func hostLibraryHasNeitherFloatsNorAllocators() throws {
    let library = Paths.library + "/lib/libabacus.a"
    if !FileManager.default.fileExists(atPath: library) {
      let build = try Program(path: Paths.file("tools/build-library")).run(["linux"], timeLimit: 600)
      try #require(build.succeeded, "\(build.report)")
    }
    let findings = try findings(in: library, .host)
    #expect(findings.instructions > 10_000)
    #expect(findings.all == [], "\(findings.all.prefix(20))")
    #expect(findings.undefined.subtracting(Self.wanted) == [])
  }

  /// The inner loops reach the instructions that a CPU has for them.
  @Test(arguments: [("mps3-an547", "vmlava"), ("mps2-an386", "smlad"), ("mps2-an500", "smlad")])
  func dotProductsUseTheirInstruction(name: String, instruction: String) throws {
    let board = try Board.named(name)
    let image = try FirmwareBuilder(board: board).generic().path(percentEncoded: false)
    let instructions = try BinaryCheck.instructions(of: image, architecture(of: board))
    #expect(instructions.contains { $0.mnemonic.hasPrefix(instruction) })
  }

  // MARK: The check can fail

  private static let multiply = "float canary(float a, float b) { return a * b; }"
  private static let allocate = "void *malloc(unsigned long); void *canary(void) { return malloc(8); }"
  private static let clean = "int canary(int a, int *b) { for (int i = 0; i < 64; i++) a += b[i] * 3; return a; }"

  private static let hardFloat: [(board: String, options: [String])] = [
    ("linux", []),
    ("mps2-an386", ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]),
    ("mps3-an547", ["-mfloat-abi=hard"]),
    ("riscv32-virt", ["-march=rv32imfc", "-mabi=ilp32f"]),
  ]

  @Test(arguments: hardFloat)
  func floatInstructionsAreFound(board: String, options: [String]) throws {
    try withCanary(Self.multiply, board, options) { object, architecture in
      let findings = try findings(in: object, architecture)
      #expect(findings.violations.contains { $0.contains("mul") }, "\(findings)")
    }
  }

  @Test(arguments: [
    ("microbit", "__aeabi_fmul"), ("mps2-an385", "__aeabi_fmul"), ("mps2-an386", "__aeabi_fmul"),
    ("riscv32-virt", "__mulsf3"),
  ])
  func floatHelpersAreFound(board: String, helper: String) throws {
    // The triples and CPUs of boards leave clang the choice of hardware: take it away.
    let options = board == "riscv32-virt" ? [] : ["-mfloat-abi=soft"]
    try withCanary(Self.multiply, board, options) { object, architecture in
      let findings = try findings(in: object, architecture)
      #expect(findings.forbidden == [helper])
    }
  }

  @Test(arguments: ["linux", "microbit", "mps2-an386", "mps3-an547", "riscv32-virt", "aarch64-virt"])
  func allocatorsAreFound(board: String) throws {
    try withCanary(Self.allocate, board) { object, architecture in
      let findings = try findings(in: object, architecture)
      #expect(findings.forbidden == ["malloc"])
    }
  }

  @Test(arguments: ["linux", "microbit", "mps2-an386", "mps3-an547", "riscv32-virt", "aarch64-virt"])
  func integersPass(board: String) throws {
    try withCanary(Self.clean, board) { object, architecture in
      let findings = try findings(in: object, architecture)
      #expect(findings.instructions > 0)
      #expect(findings.all == [])
    }
  }

  /// In an image, helper and allocator are defined, and constants stand between functions.
  @Test(arguments: [
    ("mps2-an386", ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]), ("riscv32-virt", ["-march=rv32imfc", "-mabi=ilp32f"]),
  ])
  func linkedImagesAreSearched(board: String, options: [String]) throws {
    let source = """
      static char heap[64];
      const unsigned pattern[] = {0x00000053, 0xFFFFFFFF};
      void *malloc(unsigned long bytes) { return heap + bytes; }
      float _start(float a, float b) { return malloc(pattern[a > b]) ? a * b : a; }
      """
    try withCanary(source, board, options) { object, architecture in
      let image = object + ".image", script = object + ".ld"
      try Data("SECTIONS { .text : { *(.rodata*) *(.text*) } }".utf8).write(to: URL(filePath: script))
      try Toolchain.program("ld.lld")("-T", script, "-o", image, object)
      let findings = try findings(in: image, architecture)
      #expect(findings.violations.contains { $0.hasPrefix("_start") && $0.contains("mul") }, "\(findings)")
      #expect(!findings.violations.contains { $0.hasPrefix("pattern") }, "\(findings)")
      #expect(findings.forbidden == ["malloc"])
    }
  }

  // MARK: The rules, name by name

  @Test(arguments: [
    (BinaryCheck.Architecture.x86, "addss mulps vdivsd sqrtsd cmpltps ucomiss vcomisd cvtsi2ss vcvtps2dq roundss"),
    (.x86, "flds fmulp fstpl vfmadd213ss haddps dpps minss maxpd rcpps rsqrtss vrcp14ps ldmxcsr <unknown>"),
    (.riscv, "fmul.s fadd.d flw fsw c.flw c.fsdsp fcvt.w.s feq.s fmv.x.w frcsr vfadd.vv <unknown>"),
    (.aarch64, "fmul fadd fcvtzs scvtf ucvtf fcmp fmov bfcvt bfdot"),
    (.arm(hasMVE: false), "vmul.f32 vadd.i32 vmov vldr vpush mcr mrc2 cdp ldcl stc <unknown>"),
    (.arm(hasMVE: true), "vmul.f32 vadd.f16 vfma.f32 vcvt.s32.f32 vcvtb.f16.f32 vsqrt.f32 vcmp.f32 mrc cdp <unknown>"),
  ])
  func floatMnemonics(architecture: BinaryCheck.Architecture, mnemonics: String) {
    for mnemonic in mnemonics.split(separator: " ") {
      #expect(breaks(mnemonic, "", architecture), "\(mnemonic)")
    }
  }

  @Test(arguments: [
    (BinaryCheck.Architecture.x86, "movaps movups movsd xorps andps shufps unpcklps pmuludq vpaddd cmpl addl ud2"),
    (.riscv, "fence fence.i mul c.add lw div csrr"),
    (.aarch64, "mul bfi bfxil bfm sdiv add"),
    (.arm(hasMVE: false), "mul smlad udiv ldr strd"),
    (.arm(hasMVE: true), "vldrb.s32 vmul.i32 vmlava.s8 vaddva.s8 vcmp.s32 vpstttt vctp.8 vmax.s8 vdup.32 vmlavt.s8"),
  ])
  func integerMnemonics(architecture: BinaryCheck.Architecture, mnemonics: String) {
    for mnemonic in mnemonics.split(separator: " ") {
      #expect(!breaks(mnemonic, "", architecture), "\(mnemonic)")
    }
  }

  /// Where operands decide.
  @Test(arguments: [
    ("vmov", "r0, s16", false), ("vmov", "q0, q5", false), ("vmov", "q1[2], q1[0], r6, r10", false),
    ("vmov", "r0, r1, d4", false), ("vpush", "{d8, d9}", false), ("vmrs", "r0, p0", false),
    ("vmov", "s0, s1", true), ("vmov.f32", "s0, #1.0", true), ("vpush", "{d0}", true), ("vldr", "s0, [r0]", true),
    ("vmrs", "APSR_nzcv, fpscr", true), ("vldmia", "r0, {d0, d1}", true),
  ])
  func operandsOfMVE(mnemonic: String, operands: String, isFloat: Bool) {
    #expect(breaks(mnemonic[...], operands, .arm(hasMVE: true)) == isFloat)
  }

  @Test func integersReachVectorRegistersOfAArch64() {
    #expect(!breaks("fmov", "w0, s0", .aarch64))
    #expect(!breaks("fmov", "d1, x2", .aarch64))
    #expect(breaks("fmov", "s0, s1", .aarch64))
  }

  @Test func namesOfSymbols() {
    let floats = """
      __aeabi_fmul __aeabi_dadd __aeabi_cfcmple __aeabi_i2f __aeabi_ul2d __aeabi_h2f __aeabi_f2iz __addsf3 __muldf3
      __floatsisf __floatundidf __fixsfsi __fixunsdfdi __extendsfdf2 __truncdfsf2 __ltsf2 __powisf2 sqrtf expf floor
      """
    let allocators = """
      malloc free calloc realloc posix_memalign aligned_alloc swift_allocObject swift_slowAlloc
      swift_deallocClassInstance _Znwm _Znaj _ZdlPv
      """
    for names in [floats, allocators] {
      let symbols = names.split(whereSeparator: \.isWhitespace).map(String.init)
      #expect(BinaryCheck.forbidden(symbols) == symbols)
    }
    #expect(
      BinaryCheck.forbidden([
        "__aeabi_idiv", "__aeabi_uidivmod", "__aeabi_ldivmod", "__aeabi_lmul", "__aeabi_memcpy", "__aeabi_memclr4",
        "__aeabi_llsl", "__divdi3", "__udivsi3", "__ashldi3", "memcpy", "abacus_run", "swift_retain",
        "swift_allocEmptyBox",
      ]) == [])
  }
}

extension BinaryCheckTests {
  private struct Findings {
    var instructions: Int
    var symbols: Int
    var undefined: Set<String>
    var violations: [String]
    var forbidden: [String]

    var all: [String] { violations + forbidden }
  }

  private func findings(in file: String, _ architecture: BinaryCheck.Architecture) throws -> Findings {
    let instructions = try BinaryCheck.instructions(of: file, architecture)
    let symbols = try BinaryCheck.symbols(of: file)
    return Findings(
      instructions: instructions.count, symbols: symbols.defined.count, undefined: symbols.undefined,
      violations: BinaryCheck.violations(instructions, architecture),
      forbidden: BinaryCheck.forbidden(symbols.defined.union(symbols.undefined)).sorted())
  }

  private func breaks(_ mnemonic: Substring, _ operands: String, _ architecture: BinaryCheck.Architecture) -> Bool {
    let instruction = BinaryCheck.Instruction(function: "", mnemonic: String(mnemonic), operands: operands)
    return !BinaryCheck.violations([instruction], architecture).isEmpty
  }

  private func architecture(of board: Board) -> BinaryCheck.Architecture {
    guard let triple = board.triple else { return .host }
    if triple.hasPrefix("aarch64") { return .aarch64 }
    return triple.hasPrefix("riscv") ? .riscv : .arm(hasMVE: board.cpu == "cortex-m55")
  }

  /// Compiles a C program as the board's own C files are, and hands over the object file.
  private func withCanary(
    _ source: String, _ name: String, _ options: [String] = [],
    _ body: (String, BinaryCheck.Architecture) throws -> Void
  ) throws {
    let board = try Board.named(name)
    try withTemporaryFolder { folder in
      let file = try folder.write(source, to: "canary.c"), object = folder.path(of: "canary.o")
      let outcome = try Toolchain.program("clang").run(
        Toolchain.compilerOptions(of: board) + options + ["-c", file, "-o", object])
      try #require(outcome.succeeded, "\(outcome.report)")
      try body(object, architecture(of: board))
    }
  }
}

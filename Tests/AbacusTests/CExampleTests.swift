import AbacusFormat
import Foundation
import Testing

/// What a C programmer does with the library, by gcc and by clang, with every warning an error.
@Suite(.serialized) struct CExampleTests {
  static let compilers = ["gcc", "clang"]
  static let warnings = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]

  /// The library, built where it is missing.
  private func library() throws -> String {
    if !FileManager.default.fileExists(atPath: Paths.library + "/lib/libabacus.a") {
      try Program(path: Paths.file("tools/build-library"))("linux")
    }
    return Paths.library
  }

  private func flags() throws -> (compile: [String], link: [String]) {
    let library = try library()
    return (["-I\(library)/include"], ["-L\(library)/lib", "-labacus", "-Wl,--gc-sections"])
  }

  /// A folder with model.abm and what `abacus embed` writes for it.
  private func withEmbeddedModel(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try Abacus.pack(into: folder)
      try Abacus.program()("embed", folder.path(of: "model.abm"), "-o", folder.path(of: "model"), "--name", "model")
      try body(folder)
    }
  }

  @Test(arguments: compilers)
  func everyFunctionAndStatus(_ compiler: String) throws {
    try withEmbeddedModel { folder in
      try folder.write(CExercise.source, to: "exercise.c")
      let flags = try flags()
      let wraps = CExercise.wrapped.map { "-Wl,--wrap=\($0)" }
      let compile = try Program(named: compiler).run(
        Self.warnings + flags.compile + ["exercise.c", "model.S", "-o", "exercise"] + wraps + flags.link, in: folder)
      try #require(compile.succeeded, "\(compile.report)")
      let run = try Program(path: folder.path(of: "exercise")).run([])
      #expect(run.succeeded, "\(run.report)")
      let checked = try Program(named: "valgrind").run(
        ["--quiet", "--error-exitcode=99", "--leak-check=full", folder.path(of: "exercise")])
      #expect(checked.succeeded && checked.errors.isEmpty, "\(checked.report)")
      #expect(checked.output == run.output)
    }
  }

  /// The count of allocations can be other than zero: a call of malloc in the program is counted.
  @Test func theAllocationCountCanFail() throws {
    try withEmbeddedModel { folder in
      let source = CExercise.source.replacing(
        "EXPECT(allocations == 0);", with: "EXPECT(malloc(3) == NULL);\n  EXPECT(allocations == 0);")
      try folder.write(source, to: "exercise.c")
      let flags = try flags()
      let wraps = CExercise.wrapped.map { "-Wl,--wrap=\($0)" }
      let compile = try Program(named: "gcc").run(
        ["-std=c11", "-fno-builtin"] + flags.compile + ["exercise.c", "model.S", "-o", "exercise"] + wraps
          + flags.link, in: folder)
      try #require(compile.succeeded, "\(compile.report)")
      let run = try Program(path: folder.path(of: "exercise")).run([])
      #expect(!run.succeeded && run.output.contains("allocations == 0"))
    }
  }

  /// Targets/linux, with the model as a file and as part of the program.
  @Test(arguments: compilers)
  func theExampleAgreesWithTheCommand(_ compiler: String) throws {
    try withEmbeddedModel { folder in
      _ = try library()
      let make = try Program(named: "make")
      let example = Paths.file("Targets/linux")
      try make("-C", example, "clean")
      try make("-C", example, "CC=\(compiler)")
      try make("-C", example, "CC=\(compiler)", "MODEL=\(folder.path(percentEncoded: false))")
      let input = try folder.write((0..<784).map { UInt8(truncatingIfNeeded: $0 * 31) }, to: "input.bin")

      let json = try Abacus.program()("run", folder.path(of: "model.abm"), "--input", input, "--json")
      struct Output: Decodable { var codes: [Int] }
      let wanted = try #require(try JSONDecoder().decode([[Output]].self, from: Data(json.utf8)).first?.first)
      let line = "Identity " + wanted.codes.map(String.init).joined(separator: " ")

      let classify = Program(path: Paths.library + "/bin/classify")
      #expect(try classify(folder.path(of: "model.abm"), input).contains(line))
      #expect(try Program(path: Paths.library + "/bin/classify-embedded")(input).contains(line))
      let checked = try Program(named: "valgrind").run(
        ["--quiet", "--error-exitcode=99", classify.path, folder.path(of: "model.abm"), input])
      #expect(checked.succeeded && checked.errors.isEmpty, "\(checked.report)")
    }
  }

  /// A program with a dispatch of its own carries the kernels of its model, and no others.
  @Test func onlyTheKernelsThatAreNamedAreLinked() throws {
    try withEmbeddedModel { folder in
      try folder.write(CExercise.source, to: "exercise.c")
      let flags = try flags()
      let wraps = CExercise.wrapped.map { "-Wl,--wrap=\($0)" }
      func kernels(_ sources: [String]) throws -> Set<Substring> {
        let compile = try Program(named: "gcc").run(
          ["-std=c11"] + flags.compile + sources + ["-o", "exercise"] + wraps + flags.link, in: folder)
        try #require(compile.succeeded, "\(compile.report)")
        #expect(try Program(path: folder.path(of: "exercise")).run([]).succeeded)
        let symbols = try Program(named: "nm")(folder.path(of: "exercise"))
        return Set(symbols.split(whereSeparator: \.isWhitespace).filter { $0.hasPrefix("abacus_run_") })
      }
      let all = try kernels(["exercise.c", "model.S"])
      let own = try kernels(["exercise.c", "model.S", "model_kernels.c"])
      let operators = (0...UInt8.max).compactMap(Opcode.init).map { "abacus_run_\($0.symbol)" }
      #expect(operators.count == Int(Opcode.count) && all.isSuperset(of: operators.map { $0[...] }))
      // In one form or several: compilers merge those that are the same on this machine.
      #expect(
        operators.filter { name in own.contains { $0 == name || $0.hasPrefix(name + "_") } } == [
          "abacus_run_fully_connected", "abacus_run_convolution", "abacus_run_depthwise_convolution",
          "abacus_run_average_pool", "abacus_run_softmax",
        ])
    }
  }

  /// A model that needs another kernel than those that are linked is refused at open.
  @Test func aMissingKernelIsRefused() throws {
    try withEmbeddedModel { folder in
      let kernels = try String(contentsOfFile: folder.path(of: "model_kernels.c"), encoding: .utf8)
      try folder.write(
        kernels.replacing("    case \(Opcode.averagePool.rawValue): return abacus_check_average_pool(call);\n", with: "")
          .replacing("    case \(Opcode.averagePool.rawValue): abacus_run_average_pool(call); break;\n", with: ""),
        to: "fewer.c")
      try folder.write(
        """
        #include <abacus.h>
        #include "model.h"
        static _Alignas(16) uint8_t arena[MODEL_ARENA_BYTES];
        int main(void) {
          abacus_session session;
          return abacus_open(&session, model_blob, MODEL_BLOB_BYTES, arena, sizeof arena);
        }
        """, to: "main.c")
      let flags = try flags()
      let compile = try Program(named: "gcc").run(
        ["-std=c11"] + flags.compile + ["main.c", "fewer.c", "model.S", "-o", "main"] + flags.link, in: folder)
      try #require(compile.succeeded, "\(compile.report)")
      #expect(try Program(path: folder.path(of: "main")).run([]).status == 4)  // ABACUS_UNSUPPORTED_OPERATOR
    }
  }

  @Test(arguments: ["g++", "clang++"])
  func theHeaderIsAlsoCPlusPlus(_ compiler: String) throws {
    try withTemporaryFolder { folder in
      try folder.write(
        "#include <abacus.h>\nint main() { return abacus_version() == 0x100 ? 0 : 1; }\n", to: "main.cpp")
      let flags = try flags()
      let compile = try Program(named: compiler).run(
        ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"] + flags.compile + ["main.cpp", "-o", "main"]
          + flags.link, in: folder)
      try #require(compile.succeeded, "\(compile.report)")
      #expect(try Program(path: folder.path(of: "main")).run([]).succeeded)
    }
  }

  /// pkg-config finds the library wherever its folder lies.
  @Test func pkgConfigIsRelocatable() throws {
    let library = try library()
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(atPath: library + "/lib", toPath: folder.path(of: "lib"))
      let flags = try Program(named: "pkg-config").run(
        ["--cflags", "--libs", "abacus"], environment: ["PKG_CONFIG_PATH": folder.path(of: "lib/pkgconfig")])
      #expect(flags.succeeded && flags.output.contains("-labacus"), "\(flags.report)")
      #expect(flags.output.contains(folder.lastPathComponent), "\(flags.report)")
    }
  }
}

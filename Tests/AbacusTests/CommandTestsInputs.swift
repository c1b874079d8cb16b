import AbacusPack
import Foundation
import Testing

/// What cannot be used as an input or as expected outputs, boards that cannot be used, wrong usage.
@Suite struct CommandTestsInputs {
  @Test func inputs() throws {
    try CommandBench.use { bench in
      func array(_ shape: [Int], _ type: DataType, _ bytes: Int) throws -> NumericArray {
        try NumericArray(shape: shape, type: type, bytes: [UInt8](repeating: 0, count: bytes))
      }
      try NumPyFile.write(array([1, 27, 28, 1], .int8, 756), to: bench.folder.path(of: "narrow.npy"))
      try NumPyFile.write(array([1, 28, 28, 1], .int16, 1_568), to: bench.folder.path(of: "wide.npy"))
      try bench.folder.write(bench.bytes("zeros.npy").dropLast(), to: "cut.npy")
      let picture = try Data(contentsOf: URL(filePath: CommandBench.photos[0]))
      try bench.folder.write(picture.prefix(picture.count / 2), to: "cut.png")

      for verb in [
        ["run", "model.abm"], ["emulate", "model.abm", "--board", "mps2-an386"],
        ["compare", "model.abm", "--expected", "zeros.npy"],
      ] {
        func refuses(_ file: String, _ words: String) throws {
          try bench.refuses(verb + ["--input", file], .file, saying: file, words)
        }
        try refuses("narrow.npy", "has shape 1 x 27 x 28 x 1; a multiple of 784 elements")
        try refuses("wide.npy", "holds int16, but input \"input\" takes int8")
        try refuses("cut.npy", "takes 784 bytes; the file has 783")
        try refuses("cut.png", "damaged")
        try refuses("text.txt", "not a whole number of samples of 784 bytes")
        try refuses("none.npy", "no such file")
        try refuses("folder", "is a directory")
        try refuses("empty", "is empty")
      }
      // One bad file among good ones.
      try bench.refuses(
        ["run", "model.abm", "--output-file", "out.npy", "--input", "zeros.npy", "narrow.npy"], .file,
        saying: "narrow.npy")
      try bench.refuses(["run", "model.abm"], .file, saying: "the model has 1 input(s): input [1, 28, 28, 1] int8")
    }
  }

  @Test(.enabled(if: Paths.shared != nil, Comment(rawValue: Paths.sharedIsMissing)))
  func imageForAModelWithoutImages() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("pack", try sharedModel("mlperf-tiny/ad01_int8.tflite"), "-o", "sound.abm")
      try bench.refuses(
        ["run", "sound.abm", "--input", CommandBench.photos[0]], .file, saying: CommandBench.photos[0],
        "[1, 640], which is not an image")
    }
  }

  @Test func expectedOutputs() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("run", "model.abm", "--input", "zeros.npy", "--output-file", "out.npy")
      let given = ["compare", "model.abm", "--input", "zeros.npy"]
      try bench.refuses(given, .file, saying: "the model has 1 output(s); --expected was given 0 times")
      try bench.refuses(
        given + ["--expected", "out.npy", "--expected", "out.npy"], .file, saying: "--expected was given 2 times")
      try bench.refuses(given + ["--expected", "zeros.npy"], .file, saying: "zeros.npy has shape", "multiple of 10")
      try bench.refuses(given + ["zeros.npy", "--expected", "out.npy"], .file, saying: "2 samples of inputs, but [1]")
      try bench.refuses(["compare", "model.abm", "text.txt"], .file, saying: "text.txt: is not a zip archive")
      try bench.refuses(["compare", "model.abm", "none.npz"], .file, saying: "none.npz: no such file")
      // A zip archive without members.
      try bench.folder.write([0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18), to: "nothing.npz")
      try bench.refuses(["compare", "model.abm", "nothing.npz"], .file, saying: "nothing.npz")
    }
  }

  @Test func boards() throws {
    try CommandBench.use { bench in
      let all = try FileManager.default.contentsOfDirectory(atPath: Paths.file("Targets"))
        .filter { FileManager.default.fileExists(atPath: Paths.file("Targets/\($0)/board.json")) }.sorted()
      #expect(all.count == 9)
      try bench.refuses(
        ["emulate", "model.abm", "--board", "abacus9000"], .unsupported, saying: "no board abacus9000",
        all.joined(separator: ", "))
      try bench.refuses(["emulate", "model.abm", "--board", "linux"], .unsupported, saying: "linux is not emulated")
      for (board, emulator) in [("mps2-an386", "qemu-system-arm"), ("all", "qemu-system-aarch64")] {
        try bench.refuses(
          ["emulate", "model.abm", "--board", board], .tool, saying: "\(emulator) is not installed", "package",
          environment: ["PATH": bench.folder.path(of: "folder")])
      }
      try bench.refuses(
        ["emulate", "model.abm", "--board", "mps2-an386"], .file, saying: "ABACUS_HOME names",
        environment: ["ABACUS_HOME": bench.folder.path(of: "folder")])
    }
  }

  /// Too small a board says how much is needed, which then suffices, while a byte less does not.
  @Test(arguments: [
    ("--ram", "2K", "2048", "needs ([0-9]+) bytes of RAM"), ("--flash", "1K", "1024", "needs ([0-9]+) bytes of flash"),
  ])
  func boardTooSmall(_ option: String, _ size: String, _ given: String, _ pattern: String) throws {
    try CommandBench.use { bench in
      // Builds the firmware where that is still to do.
      _ = try bench.answer("emulate", "model.abm", "--board", "mps2-an386")
      let emulate = ["emulate", "model.abm", "--board", "mps2-an386", option]
      try bench.refuses(emulate + [size], .doesNotFit, saying: "given \(given)")
      let message = try bench.run(emulate + [size]).errors
      let match = try #require(try Regex(pattern).firstMatch(in: message), "\(message)")
      let needed = try #require(match[1].substring.flatMap { Int($0) })
      let enough = try bench.run(emulate + ["\(needed)"])
      #expect(enough.succeeded, "\(enough.report)")
      try bench.refuses(
        emulate + ["\(needed - 1)"], .doesNotFit, saying: "needs \(needed) bytes", "given \(needed - 1)")
    }
  }

  @Test func usage() throws {
    try CommandBench.use { bench in
      try bench.refusesUsage(["bake"], saying: "bake")
      try bench.refusesUsage(["pack"], saying: "<model>")
      try bench.refusesUsage(["pack", CommandBench.classifier], saying: "--output <file>")
      try bench.refusesUsage(["pack", CommandBench.classifier, "-o", "new.abm", "--stripe"], saying: "--stripe")
      try bench.refusesUsage(["run"], saying: "<blob>")
      try bench.refusesUsage(["run", "model.abm", "--input"], saying: "--input")
      try bench.refusesUsage(["run", "model.abm", "--input", "zeros.npy", "--top", "many"], saying: "many")
      try bench.refusesUsage(["run", "model.abm", "--input", "zeros.npy", "--mean", "0.5"], saying: "--deviation")
      try bench.refusesUsage(["inspect", "model.abm", "--html"], saying: "--html")
      try bench.refusesUsage(["embed", "model.abm"], saying: "--output <prefix>")
      try bench.refusesUsage(["compare", "model.abm", "--max-difference", "small"], saying: "small")
      try bench.refusesUsage(["emulate", "model.abm"], saying: "--board <board>")
      for size in ["0", "-4", "K", "16M", "99999999999999999999", "9223372036854775807K"] {
        try bench.refusesUsage(["emulate", "model.abm", "--board", "mps2-an386", "--ram=\(size)"], saying: size)
      }
    }
  }
}

import AbacusPack
import Foundation
import Testing

/// What the command answers where everything is right.
@Suite struct CommandTests {
  @Test(arguments: ["pack", "inspect", "run", "compare", "embed", "emulate", "generate"])
  func help(_ verb: String) throws {
    let outcome = try Abacus.run([verb, "--help"])
    #expect(outcome.succeeded && outcome.errors == "")
    let examples = outcome.output.components(separatedBy: "Examples:\n").dropFirst().joined()
    #expect(examples.contains("  abacus \(verb) model."), "\(outcome.output)")
    #expect(outcome.output.contains("USAGE: abacus \(verb) "))
    #expect(try Abacus.run(["--help"]).output.contains("  abacus \(verb) model."))
  }

  /// The help names every exit code.
  @Test func exitCodes() throws {
    let help = try Abacus.run(["--help"]).output
    let codes = try #require(help.components(separatedBy: "Exit codes:").dropFirst().first)
    for code in ["0 success"] + (3...8).map({ "\($0) " }) + ["64 "] { #expect(codes.contains(code), "\(code)") }
  }

  @Test func labels() throws {
    try CommandBench.use { bench in
      let labels = try String(contentsOfFile: Paths.golden("fmnist-labels.txt"), encoding: .utf8)
        .split(separator: "\n").map(String.init)
      let output = try bench.run(["run", "model.abm", "--top", "1", "--input"] + CommandBench.photos)
      #expect(output.succeeded && output.errors == "")
      let rows = output.output.split(separator: "\n").dropFirst(2)
      #expect(rows.count == 10)
      for (index, row) in rows.enumerated() {
        let columns = row.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        let label = columns.dropFirst(3).dropLast(2).joined(separator: " ")
        #expect(columns.prefix(3) == ["\(index)", "Identity", "\(index)"] && label == labels[index], "\(row)")
      }
    }
  }

  @Test func packIsDeterministic() throws {
    try CommandBench.use { bench in
      let labels = Paths.golden("fmnist-labels.txt")
      try FileManager.default.copyItem(atPath: CommandBench.classifier, toPath: bench.folder.path(of: "other.tflite"))
      _ = try bench.answer("pack", "other.tflite", "-o", "folder/again.abm", "--labels", labels)
      #expect(try bench.bytes("folder/again.abm") == bench.bytes("model.abm"))
      // Without labels it is another one.
      _ = try bench.answer("pack", "other.tflite", "-o", "plain.abm")
      #expect(try bench.bytes("plain.abm") != bench.bytes("model.abm"))
    }
  }

  @Test func strip() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("pack", CommandBench.classifier, "-o", "bare.abm", "--strip")
      #expect(try bench.bytes("bare.abm").count < bench.bytes("model.abm").count)
      for name in ["model", "bare"] {
        let outcome = try bench.run(
          ["run", "\(name).abm", "--output-file", "\(name).npy", "--input"] + CommandBench.photos)
        #expect(outcome.succeeded && outcome.output == "" && outcome.errors == "", "\(outcome.report)")
      }
      let outputs = try NumPyFile.read(bench.folder.path(of: "bare.npy"))
      #expect(outputs.shape == [10, 10] && Set(outputs.bytes).count > 2)
      #expect(try bench.bytes("bare.npy") == bench.bytes("model.npy"))
      let text = String(decoding: try bench.bytes("bare.abm"), as: Unicode.ASCII.self)
      #expect(!text.contains("Trouser") && !text.contains("Identity"))
      #expect(String(decoding: try bench.bytes("model.abm"), as: Unicode.ASCII.self).contains("Trouser"))
    }
  }

  /// Into a pipe or a file goes the answer: neither colours nor progress nor a summary.
  @Test func pipes() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("run", "model.abm", "--input", "zeros.npy", "--output-file", "out.npy")
      let expected = ["--input", "zeros.npy", "--expected", "out.npy"]
      for arguments in [
        ["pack", CommandBench.classifier, "-o", "new.abm"],
        ["inspect", "model.abm"], ["inspect", "model.abm", "--bounds"],
        ["run", "model.abm", "--input"] + CommandBench.photos,
        ["run", "model.abm", "--show", "--input"] + CommandBench.photos,
        ["compare", "model.abm"] + expected, ["embed", "model.abm", "-o", "net"],
      ] {
        let outcome = try bench.run(arguments, environment: ["TERM": "xterm-256color"])
        #expect(outcome.succeeded && outcome.errors == "", "\(outcome.report)")
        #expect(!outcome.output.isEmpty)
        #expect(outcome.output.unicodeScalars.allSatisfy { $0 == "\n" || $0 >= " " }, "\(outcome.report)")
      }
      // The summary of pack does not get into a blob that goes to the standard output.
      let copy = try Program(path: "/bin/sh").run(
        ["-c", "\"$0\" pack \"$1\" --labels \"$2\" -o /dev/stdout > piped.abm", try Abacus.program().path,
          CommandBench.classifier, Paths.golden("fmnist-labels.txt")], in: bench.folder)
      #expect(copy.succeeded && copy.errors == "", "\(copy.report)")
      #expect(try bench.bytes("piped.abm") == bench.bytes("model.abm"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder.path(of: "temporary")).isEmpty)
    }
  }

  @Test func picture() throws {
    try CommandBench.use { bench in
      #expect(try bench.answer("inspect", "model.abm", "--html", "page.html") == "")
      let page = String(decoding: try bench.bytes("page.html"), as: UTF8.self)
      #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("<svg") && page.contains("</svg>"))
      #expect(page.contains("</html>") && !page.contains("http-equiv") && !page.contains("<script"))
    }
  }

  @Test func compare() throws {
    try CommandBench.use { bench in
      let inputs = ["--input"] + CommandBench.photos
      _ = try bench.run(["run", "model.abm", "--output-file", "same.npy"] + inputs)
      let same = try NumPyFile.read(bench.folder.path(of: "same.npy"))
      var bytes = same.bytes
      // The sixth class of the fourth picture: far from the first place, so that this stays what it is.
      #expect(Int8(bitPattern: bytes[35]) < 0)
      bytes[35] &+= 5
      try NumPyFile.write(
        NumericArray(shape: same.shape, type: same.type, bytes: bytes), to: bench.folder.path(of: "altered.npy"))

      func compare(_ file: String, _ limits: String...) throws -> Program.Outcome {
        try bench.run(["compare", "model.abm", "--expected", file] + limits + inputs)
      }
      let equal = try compare("same.npy", "--max-difference", "0", "--max-mean", "0")
      #expect(equal.succeeded && equal.output.contains("largest 0"), "\(equal.report)")
      for (limit, value) in [("--max-difference", "0"), ("--max-difference", "4"), ("--max-mean", "0.04")] {
        let different = try compare("altered.npy", limit, value)
        #expect(different.status == PackError.Kind.mismatch.rawValue && !different.crashed, "\(different.report)")
        #expect(different.errors.hasPrefix("error: output \"Identity\" differs by "))
        #expect(different.errors.contains("more than \(value)"))
        #expect(different.output.contains("mean difference 0.05, largest 5, same top in 10"), "\(different.report)")
      }
      #expect(try compare("altered.npy", "--max-difference", "5", "--max-mean", "0.05").succeeded)
      #expect(try compare("altered.npy").succeeded)
    }
  }

  @Test(.enabled(if: Paths.shared != nil, Comment(rawValue: Paths.sharedIsMissing)))
  func compareWithAnArchive() throws {
    try CommandBench.use { bench in
      _ = try bench.answer("pack", try sharedModel("tflm/hello_world_int8.tflite"), "-o", "hello.abm")
      let archive = try sharedModel("tflm/hello_world_int8.litert.npz")
      #expect(try bench.answer("compare", "hello.abm", archive, "--max-difference", "0").contains("largest 0"))
      // Its samples are of another shape than the classifier's.
      try bench.refuses(["compare", "model.abm", archive], .file, saying: archive, "in0_0", "multiple of 784")
    }
  }
}

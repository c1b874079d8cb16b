import AbacusPack
import Foundation
import Testing

/// What cannot be used as a model, and places where nothing can be written.
@Suite struct CommandTestsModels {
  @Test(arguments: [1, 4, 7, 8, 12, 100, 1_000, 10_000, 20_000, -1])
  func truncatedTFLite(_ length: Int) throws {
    try CommandBench.use { bench in
      let whole = try Data(contentsOf: URL(filePath: CommandBench.classifier))
      try bench.folder.write(whole.prefix(length < 0 ? whole.count + length : length), to: "cut.tflite")
      try bench.refuses(["pack", "cut.tflite", "-o", "new.abm"], .malformed, saying: "cut.tflite", "TFLite")
      // What was packed before stays.
      try bench.refuses(["pack", "cut.tflite", "-o", "model.abm"], .malformed, saying: "cut.tflite")
    }
  }

  /// A name stands in a message once.
  @Test func nameOnce() throws {
    try CommandBench.use { bench in
      let outcome = try bench.run(["pack", "text.txt", "-o", "new.abm"])
      #expect(outcome.errors.ranges(of: "text.txt").count == 1, "\(outcome.report)")
    }
  }

  @Test func filesThatAreNoModels() throws {
    try CommandBench.use { bench in
      let none = bench.folder.path(of: "none.tflite")
      try bench.refuses(["pack", none, "-o", "new.abm"], .file, saying: "\(none): no such file")
      try bench.refuses(["pack", "folder", "-o", "new.abm"], .file, saying: "folder: is a directory")
      try bench.refuses(["pack", "empty", "-o", "new.abm"], .file, saying: "empty: is empty")
      try bench.refuses(["pack", "text.txt", "-o", "new.abm"], .malformed, saying: "text.txt is no model that can be read")
      try bench.refuses(
        ["pack", "model.abm", "-o", "new.abm"], .file, saying: "model.abm is packed already", "abacus inspect")
      try bench.refuses(
        ["pack", CommandBench.classifier, "-o", "new.abm", "--labels", "none.txt"], .file,
        saying: "none.txt: no such file")
    }
  }

  @Test(.enabled(if: Paths.shared != nil, Comment(rawValue: Paths.sharedIsMissing)))
  func unsupportedOperator() throws {
    try CommandBench.use { bench in
      let model = try sharedModel("tflm/trained_lstm_int8.tflite")
      try bench.refuses(
        ["pack", model, "-o", "new.abm"], .unsupported, saying: model, "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "not supported")
    }
  }

  @Test(.enabled(if: Paths.shared != nil, Comment(rawValue: Paths.sharedIsMissing)))
  func floatModel() throws {
    try CommandBench.use { bench in
      let model = try sharedModel("fmnist-cnn/dscnn-float.tflite")
      try bench.refuses(["pack", model, "-o", "new.abm"], .unsupported, saying: model, "float32", "Quantise")
    }
  }

  @Test func placesThatCannotBeWritten() throws {
    try CommandBench.use { bench in
      let pack = ["pack", CommandBench.classifier, "-o"]
      let run = ["run", "model.abm", "--input", "zeros.npy", "--output-file"]
      for verb in [pack, run, ["inspect", "model.abm", "--html"]] {
        try bench.refuses(verb + ["none/file"], .file, saying: "none/file: the directory none does not exist")
        try bench.refuses(verb + ["folder"], .file, saying: "folder: is a directory")
        try bench.refuses(verb + [""], .file, saying: "empty")
      }
    }
  }

  /// Embed writes all of its files or none.
  @Test(arguments: [".h", ".S", "_kernels.c"])
  func embeddedFilesThatCannotBeWritten(_ suffix: String) throws {
    try CommandBench.use { bench in
      try FileManager.default.createDirectory(
        at: bench.folder.appending(path: "net\(suffix)"), withIntermediateDirectories: false)
      try bench.refuses(["embed", "model.abm", "-o", "net"], .file, saying: "net\(suffix): is a directory")
    }
  }

  @Test func embedNames() throws {
    try CommandBench.use { bench in
      for name in ["9lives", "a b", "caf\u{E9}", "a.b", "x;y", ""] {
        try bench.refuses(
          ["embed", "model.abm", "-o", "net", "--name", name], .file, saying: "\"\(name)\" is not a C identifier",
          "--name")
      }
      try bench.refuses(["embed", "model.abm", "-o", "9lives"], .file, saying: "is not a C identifier")
      try bench.refuses(["embed", "model.abm", "-o", "folder/"], .file, saying: "ends in a slash")
      try bench.refuses(["embed", "model.abm", "-o", "none/net"], .file, saying: "the directory none does not exist")
    }
  }

  /// Every verb that takes a blob, on what is none or is damaged.
  @Test(arguments: [
    ["run", "--input", "zeros.npy"], ["inspect"], ["inspect", "--bounds"], ["inspect", "--html", "page.html"],
    ["embed", "-o", "net"], ["emulate", "--board", "mps2-an386"],
    ["compare", "--input", "zeros.npy", "--expected", "zeros.npy"],
  ])
  func blobs(_ verb: [String]) throws {
    try CommandBench.use { bench in
      func refuses(_ file: String, _ kind: PackError.Kind, _ word: String) throws {
        try bench.refuses([verb[0], file] + verb.dropFirst(), kind, saying: "\(file): \(word)")
      }
      let whole = try bench.bytes("model.abm")
      for length in [1, 3, 4, 16, 63, 64, 200, 20_000, whole.count - 1] {
        try bench.folder.write(whole.prefix(length), to: "cut.abm")
        try refuses("cut.abm", .malformed, length < 4 ? "not an Abacus model" : "damaged")
      }
      for position in [9, 40, 1_000, whole.count / 2, whole.count - 1] {
        var bytes = whole
        bytes[position] ^= 0x10
        try bench.folder.write(bytes, to: "flipped.abm")
        try refuses("flipped.abm", .malformed, "damaged")
      }
      try refuses("text.txt", .malformed, "not an Abacus model")
      try refuses(CommandBench.classifier, .malformed, "not an Abacus model")
      try refuses("empty", .file, "is empty")
      try refuses("folder", .file, "is a directory")
      try refuses("none.abm", .file, "no such file")
    }
  }
}

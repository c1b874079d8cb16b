import AbacusFormat
import AbacusPack
import ArgumentParser
import Foundation

@main
struct Abacus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "abacus",
    abstract: "Pack quantised neural networks for devices with kilobytes of memory.",
    discussion: """
      Examples:
        abacus pack model.tflite -o model.abm
        abacus pack model.onnx --calibrate samples.npy -o model.abm
        abacus quantize model.onnx --calibrate samples.npy --report
        abacus inspect model.abm --html model.html
        abacus run model.abm --input photo.png
        abacus compare model.abm expected.npz
        abacus embed model.abm -o src/model
        abacus emulate model.abm --board mps2-an386 --input photo.png
        abacus generate model.abm --tokenizer vocab.json --prompt "ROMEO:"

      Exit codes: 0 success, 3 a file cannot be used, 4 a malformed model, 5 an unsupported model,
      6 it does not fit, 7 a missing or failing tool, 8 outputs differ, 64 wrong usage.
      """,
    version: "\(libraryVersion >> 16).\(libraryVersion >> 8 & 0xFF).\(libraryVersion & 0xFF) (blob format \(formatVersion))",
    subcommands: [Pack.self, Quantize.self, Inspect.self, Run.self, Compare.self, Embed.self, Emulate.self, Generate.self, Search.self])

  /// Errors of the packer end with their own exit code and one message on stderr.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as PackError {
      fail(error.description, error.kind.rawValue)
    } catch let error as Status {
      fail(error.explanation, PackError.Kind.malformed.rawValue)
    } catch {
      exit(withError: error)
    }
  }

  private static func fail(_ message: String, _ code: Int32) -> Never {
    let prefix = Terminal.isTerminal(STDERR_FILENO) && Terminal.hasColour ? "\u{1B}[31merror:\u{1B}[0m" : "error:"
    FileHandle.standardError.write(Data("\(prefix) \(message)\n".utf8))
    Foundation.exit(code)
  }
}

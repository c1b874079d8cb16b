import AbacusPack
import ArgumentParser
import Foundation

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a blob as C and assembly files for firmware.",
    discussion: """
      Writes PREFIX.h (sizes and symbol), PREFIX.S (the bytes, aligned, in read-only memory) and
      PREFIX_kernels.c (names the operators the model needs, so that the linker leaves out the rest).

      Examples:
        abacus embed model.abm -o src/model
        abacus embed model.abm -o src/model --name keyword_spotter
      """)

  @Argument(help: "A packed model.")
  var blob: String

  @Option(name: .shortAndLong, help: ArgumentHelp("Folder and name of the files, without ending.", valueName: "prefix"))
  var output: String

  @Option(help: "C identifier of the model; the name of the files unless given.")
  var name: String?

  func run() throws {
    guard !output.hasSuffix("/") else {
      throw PackError(.file, "\(output): ends in a slash; give a folder and the name of the files in it")
    }
    let bytes = try readFile(blob)
    let description = try BlobDescription(bytes, name: blob)
    let fileName = URL(fileURLWithPath: output).lastPathComponent
    let writer = try EmbedWriter(
      name: name ?? fileName.replacingOccurrences(of: "-", with: "_"), blob: bytes, description: description)
    // The header includes nothing of the others, so each file is complete in itself.
    var created: [String] = []
    do {
      for (suffix, text) in [(".h", writer.header), (".S", writer.assembly), ("_kernels.c", writer.kernels)] {
        let isNew = !FileManager.default.fileExists(atPath: output + suffix)
        try AtomicFile.write(text, to: output + suffix)
        if isNew { created.append(output + suffix) }
      }
    } catch {
      for file in created { try? FileManager.default.removeItem(atPath: file) }
      throw error
    }
    let kernels = description.neededKernels.map(\.description).joined(separator: ", ")
    print("\(output).h, \(output).S, \(output)_kernels.c: \(NumberText.grouped(bytes.count)) bytes; kernels: \(kernels)")
  }
}

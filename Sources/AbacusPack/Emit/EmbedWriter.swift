import AbacusFormat

/// The files that put a blob into a C program: a header, an assembly file with the bytes, and a C
/// file that names the model's kernels, so that the linker leaves the others out.
public struct EmbedWriter {
  /// A C identifier; prefix of all names.
  public let name: String
  private let blob: [UInt8]
  private let description: BlobDescription

  /// - Throws: where `name` is not a C identifier.
  public init(name: String, blob: [UInt8], description: BlobDescription) throws {
    let isIdentifier =
      !name.isEmpty && !name.first!.isNumber
      && name.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_") }
    guard isIdentifier else {
      throw PackError(.file, "\"\(name)\" is not a C identifier; choose another with --name")
    }
    self.name = name
    self.blob = blob
    self.description = description
  }

  private var macro: String { name.uppercased() }

  /// name.h: sizes and the symbol of the blob.
  public var header: String {
    let input = description.inputs.first.map { description.tensors[$0] }
    let output = description.outputs.first.map { description.tensors[$0] }
    return """
      /* \(name).h: written by abacus embed. Link \(name).S and \(name)_kernels.c. */
      #ifndef \(macro)_H
      #define \(macro)_H

      #include <stdint.h>

      #ifdef __cplusplus
      extern "C" {
      #endif

      #define \(macro)_BLOB_BYTES   \(blob.count)
      #define \(macro)_ARENA_BYTES  \(description.header.arenaBytes)
      #define \(macro)_STACK_BYTES  \(description.header.stackBytes)
      #define \(macro)_INPUTS       \(description.inputs.count)
      #define \(macro)_OUTPUTS      \(description.outputs.count)
      #define \(macro)_INPUT_BYTES  \(input?.byteCount ?? 0)  /* of input 0 */
      #define \(macro)_OUTPUT_BYTES \(output?.byteCount ?? 0)  /* of output 0 */
      #define \(macro)_MACS         \(description.header.multiplyAccumulates)ull

      extern const uint8_t \(name)_blob[\(macro)_BLOB_BYTES];

      #ifdef __cplusplus
      }
      #endif

      #endif /* \(macro)_H */

      """
  }

  /// name.S: the bytes, in read-only memory, aligned as the runtime demands.
  public var assembly: String {
    var text = """
      /* \(name).S: written by abacus embed. */
          .section .rodata.\(name)_blob, "a"
          .global \(name)_blob
          .balign 16
      \(name)_blob:

      """
    for start in stride(from: 0, to: blob.count, by: 16) {
      let bytes = blob[start..<min(start + 16, blob.count)].map { String($0) }
      text += "    .byte \(bytes.joined(separator: ","))\n"
    }
    // ELF: mark the stack as not executable where the assembler knows how.
    return text + """

      #if defined(__linux__) && defined(__ELF__)
          .section .note.GNU-stack, "", %progbits
      #endif

      """
  }

  /// name_kernels.c: the dispatch functions of kernel.h for the kernels of this model only.
  public var kernels: String { EmbedWriter.kernels(description.neededKernels, name: name) }

  /// The dispatch functions for some kernels.
  public static func kernels(_ kernels: [NeededKernel], name: String) -> String {
    """
    /* \(name)_kernels.c: written by abacus embed. It defines the two functions that the
       library would otherwise bring with every kernel: the linker keeps only these. */
    #include <stdint.h>

    \(kernels.map(\.declarations).joined())
    int abacus_dispatch_check(uint32_t opcode, const void *call);
    void abacus_dispatch_run(uint32_t opcode, const void *call);

    int abacus_dispatch_check(uint32_t opcode, const void *call) {
      enum { unsupported = 4 }; /* ABACUS_UNSUPPORTED_OPERATOR */
      switch (opcode) {
    \(kernels.map(\.check).joined())    default: return unsupported;
      }
    }

    void abacus_dispatch_run(uint32_t opcode, const void *call) {
      switch (opcode) {
    \(kernels.map(\.execution).joined())    default: break;
      }
    }

    """
  }
}

import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Embeddings of both widths, with indices inside and outside the table.
@Suite struct EmbedTests {
  @Test(arguments: [ElementType.int8, .int16])
  func rows(_ type: ElementType) throws {
    var random = RandomCodes(seed: UInt64(type.rawValue) + 50)
    for (entries, length) in [(1, 1), (3, 5), (17, 8)] {
      var program = GoldenProgram("embeddings")
      let indices = [0, entries - 1, entries, -1, Int(Int32.min), Int(Int32.max), entries / 2]
      let table = (0..<entries).map { _ in random.codes(length, .int8) }
      let multipliers = (0..<entries).map { _ in random.number(Int(Int32.min)...Int(Int32.max)) }
      let stage = random.stage(type, shift: type == .int8 ? 31 : 25)
      let wanted = IntegerReference.embed(indices, table: table, multipliers: multipliers, stage)
      program.step(
        .embed,
        [
          Operands.input: program.input([indices.count], .int32, indices),
          Operands.output: program.output([indices.count, length], type, wanted, "\(entries) x \(length)"),
          Operands.weights: program.words([entries, length], table.flatMap { $0 }, .int8),
          Operands.channels: program.words([entries], multipliers),
        ], EmbedParameters(stage: stage, entries: UInt32(entries), rowLength: UInt32(length)),
        units: indices.count)
      program.expect(try Model(try program.hand.blob())(program.sample))
    }
  }
}

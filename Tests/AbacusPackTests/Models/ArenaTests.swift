import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

@Suite struct ArenaTests {
  /// The arena that the header names is enough, and one byte less is refused.
  @Test(arguments: ModelCase.available)
  func arenaIsExact(_ model: ModelCase) throws {
    let packed = try Packer.pack(try model.graph)
    let bytes = packed.planned.plan.arenaBytes
    #expect(try Model.requirements(of: packed.blob).arenaBytes == bytes)
    _ = try Model(packed.blob, arenaBytes: bytes)
    #expect(throws: Status.arenaTooSmall) { try Model(packed.blob, arenaBytes: bytes - 1) }
  }

  /// Every real model's plan is proved optimal, or nearly: no order and no placement needs less.
  @Test(arguments: ModelCase.available)
  func planIsAsSmallAsItsBound(_ model: ModelCase) throws {
    let planned = try Packer.pack(try model.graph).planned
    #expect(planned.isOptimal || ["vww_96_int8", "person_detect"].contains(model.name))
    #expect(100 * planned.plan.arenaBytes <= 104 * planned.lowerBound)
  }

  /// The same model gives the same bytes.
  @Test(arguments: ModelCase.available)
  func packingIsDeterministic(_ model: ModelCase) throws {
    #expect(try Packer.pack(try model.graph).blob == Packer.pack(try model.graph).blob)
  }

  /// The certificate holds, and is the packer's own bound.
  @Test(arguments: ModelCase.available)
  func accumulatorsFit(_ model: ModelCase) throws {
    let packed = try Packer.pack(try model.graph)
    let certificate = BoundsCertificate(try BlobDescription(packed.blob, name: model.name))
    #expect(certificate.holds)
    for row in certificate.rows {
      #expect(row.bound == packed.planned.program.steps[row.step].accumulatorBound, "operator \(row.step)")
    }
  }
}

import AbacusFormat
import Testing

@testable import AbacusPack

/// The certificate of the operators of attention: what their accumulators can reach.
@Suite struct AttentionBoundsTests {
  @Test func decoder() throws {
    let blob = try BlobDescription(try SampleBlobs.attention().blob, name: "sample")
    let certificate = BoundsCertificate(blob)
    #expect(certificate.holds)
    let bounds = Dictionary(grouping: certificate.rows, by: \.opcode).mapValues { $0.map(\.bound) }
    // Both magnitudes of each entry of the table add up to 16384.
    #expect(bounds[.rotary] == Array(repeating: 16384 * 128, count: 2))
    let values: Int64 = 5 * 32767 * 128
    let scores: Int64 = 2 * 4 * 128 * 128
    #expect(bounds[.attention] == [values, values, scores])
    #expect(bounds[.multiplyWide] == [32768 * 128])
    #expect(bounds[.softmaxWide] == [8 << 20])
    #expect(bounds[.append] == nil && bounds[.addWide] == nil)
  }

  /// The limit of keys is the largest number whose sum fits 32 bits.
  @Test func limitOfKeys() {
    let most = Int64(Limits.maximumAttentionKeys)
    #expect(most * 32767 * 128 <= Int64(Int32.max) && (most + 1) * 32767 * 128 > Int64(Int32.max))
  }
}

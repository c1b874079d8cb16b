import Testing

@testable import AbacusPack

@Suite struct ArchiveTests {
  @Test func readsStoredAndDeflated() throws {
    let stored = try NumPyArchive(bytes: NumPyFixture.stored, name: "a.npz")
    #expect(stored.names == ["x", "names"])
    #expect(try stored.array("x").int32s() == [0, 1, 2, 3, 4, 5])
    #expect(try stored.strings("names") == ["a", "bc"])
    let deflated = try NumPyArchive(bytes: NumPyFixture.deflated, name: "a.npz")
    #expect(try deflated.array("zeros").shape == [5000])
    #expect(try deflated.array("y").doubles() == (0..<300).map(Double.init))
    let error = #expect(throws: PackError.self) { try deflated.array("z") }
    #expect(error?.description == "a.npz: has no array 'z'; it has: zeros, y")
  }

  @Test func boundsWhatMembersUnpackTo() throws {
    let archive = try ZipArchive(NumPyFixture.deflated, name: "a.npz")
    let member = try #require(archive.members.first)
    #expect(throws: PackError.self) { try archive.content(member, limit: member.unpackedBytes - 1) }
    // A member that unpacks to more than its directory entry says.
    var small = member
    small.unpackedBytes -= 1
    #expect(throws: PackError.self) { try archive.content(small) }
    var bomb = member
    bomb.unpackedBytes = 1 << 29
    #expect(throws: PackError.self) { try archive.content(bomb) }
    for offset in [-1, .max, 1 << 48] {
      var astray = member
      astray.offset = offset
      #expect(throws: PackError.self) { try archive.content(astray) }
    }
  }

  @Test func survivesDamage() {
    for fixture in [NumPyFixture.stored, NumPyFixture.deflated] {
      let refused = expectSurvival(of: fixture, mutations: 1500) { data, name throws(PackError) in
        let archive = try NumPyArchive(bytes: data, name: name)
        for member in archive.names {
          do throws(PackError) { _ = try archive.array(member) } catch { _ = try archive.strings(member) }
        }
      }
      #expect(refused >= fixture.count)
    }
  }

  @Test func readsIDX() throws {
    let array = try IDXFile.decode(ImageFixture.idx, name: "a.gz")
    #expect(array.shape == [2, 2, 3] && array.bytes == Array(0..<12))
    let plain = try Gzip.unpack(ImageFixture.idx, name: "a.gz")
    #expect(try IDXFile.decode(plain, name: "a") == array)
    #expect(
      try IDXFile.decode([0, 0, 0x0B, 1, 0, 0, 0, 2, 1, 2, 0xFF, 0xFE], name: "a").int32s() == [258, -2])
    try TestFolder.temporary { folder in
      try AtomicFile.write(ImageFixture.idx, to: folder + "/images.gz")
      #expect(try IDXFile.images(folder + "/images.gz") == array)
      #expect(throws: PackError.self) { try IDXFile.labels(folder + "/images.gz") }
      try AtomicFile.write([0, 0, 8, 1, 0, 0, 0, 2, 9, 3], to: folder + "/labels")
      #expect(try IDXFile.labels(folder + "/labels") == [9, 3])
      #expect(throws: PackError.self) { try IDXFile.images(folder + "/labels") }
    }
  }

  @Test func gunzipsSeveralMembersAndKeepsTheLimit() throws {
    let one = try Gzip.unpack(ImageFixture.idx, name: "a.gz")
    #expect(try Gzip.unpack(ImageFixture.idx + ImageFixture.idx, name: "a.gz") == one + one)
    #expect(try Gzip.unpack(ImageFixture.idx, name: "a.gz", limit: one.count) == one)
    #expect(throws: PackError.self) {
      try Gzip.unpack(ImageFixture.idx, name: "a.gz", limit: one.count - 1)
    }
    #expect(throws: PackError.self) { try Gzip.unpack(ImageFixture.idx + [0], name: "a.gz") }
    let refused = expectSurvival(of: ImageFixture.idx, mutations: 1000) { data, name throws(PackError) in
      _ = try IDXFile.decode(data, name: name)
    }
    #expect(refused >= ImageFixture.idx.count)
    expectSurvival(of: one, mutations: 1000) { data, name throws(PackError) in
      _ = try IDXFile.decode(data, name: name)
    }
  }

  @Test(.enabled(if: TestFolder.shared != nil, "the folder shared/models is not there"))
  func readsTheSharedFiles() throws {
    let archive = try NumPyArchive(TestFolder.model("fmnist-cnn/samples.npz"))
    #expect(archive.names == ["images", "labels", "test_index"])
    let images = try archive.array("images")
    #expect(images.shape == [10, 28, 28] && images.type == .uint8)
    #expect(images.bytes.reduce(0) { $0 + Int($1) } == 502_830)
    #expect(try archive.array("labels").int32s() == Array(0..<10))
    #expect(try archive.array("test_index").int32s() == [19, 2, 1, 13, 6, 8, 4, 9, 18, 0])

    let logits = try NumPyFile.read(TestFolder.model("fmnist-vit/ref_logits_t10k.npy"))
    #expect(logits.shape == [10000, 10])
    #expect(abs(logits.doubles().reduce(0, +) + 14541.550640466623) < 1e-6)
    let calibration = try NumPyFile.read(TestFolder.model("fmnist-cnn/calib_idx.npy"))
    #expect(try calibration.int64s().reduce(0, +) == 7_425_777)

    let words = try NumPyArchive(TestFolder.model("mlperf-tiny/kws_sc12_mfcc_int8.npz"))
    #expect(try words.strings("labels").prefix(3) == ["down", "go", "left"])
    #expect(try words.array("x").shape == [4890, 49, 10])
  }
}

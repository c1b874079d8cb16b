import Foundation
import Testing

@testable import AbacusPack

@Suite struct FileTests {
  private func message(_ body: () throws(PackError) -> Void) -> String {
    do throws(PackError) {
      try body()
      return "no error"
    } catch {
      #expect(error.kind == .file)
      return error.description
    }
  }

  private func entries(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func writesAndReplaces() throws {
    try TestFolder.temporary { folder in
      let path = folder + "/model.abm"
      try AtomicFile.write([1, 2, 3], to: path)
      #expect(try readFile(path) == [1, 2, 3])
      #expect(chmod(path, 0o640) == 0)
      try AtomicFile.write("text", to: path)
      #expect(try readFile(path) == Array("text".utf8))
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o640)
      #expect(try entries(folder) == ["model.abm"])
    }
  }

  @Test func keepsTheOldFileWhenWritingFails() throws {
    try TestFolder.temporary { folder in
      let path = folder + "/model.abm"
      try AtomicFile.write([7], to: path)
      let text = message { () throws(PackError) in
        try AtomicFile.write(to: path) { descriptor throws(PackError) in
          try AtomicFile.writeAll([1, 2, 3], to: descriptor, path: path)
          throw PackError(.file, "the disk is full")
        }
      }
      #expect(text == "the disk is full")
      #expect(try readFile(path) == [7])
      #expect(try entries(folder) == ["model.abm"])
    }
  }

  @Test func followsLinks() throws {
    try TestFolder.temporary { folder in
      try AtomicFile.write([7], to: folder + "/real")
      #expect(symlink("real", folder + "/link") == 0)
      try AtomicFile.write([8], to: folder + "/link")
      #expect(try readFile(folder + "/real") == [8])
      #expect(symlink("nowhere", folder + "/dangling") == 0)
      #expect(
        message { () throws(PackError) in try AtomicFile.write([1], to: folder + "/dangling") }.contains(
          "link"))
      #expect(try entries(folder) == ["dangling", "link", "real"])
    }
  }

  @Test func refusesImpossibleDestinations() throws {
    try TestFolder.temporary { folder in
      func write(_ path: String) -> String {
        message { () throws(PackError) in try AtomicFile.write([1], to: path) }
      }
      #expect(write(folder).contains("is a directory"))
      #expect(write(folder + "/no/such").contains("\(folder)/no does not exist"))
      #expect(write(folder + "/new/").contains("does not exist"))
      #expect(write("").contains("empty"))
      #expect(write(folder + "/" + String(repeating: "x", count: 300)).contains("cannot be written"))
      try AtomicFile.write([1], to: folder + "/file")
      #expect(write(folder + "/file/inside").contains("cannot be written"))
      #expect(write("/dev/full").contains("cannot be written"))
      #expect(try entries(folder) == ["file"])
    }
  }

  @Test func writesToDevicesAndPipes() throws {
    try AtomicFile.write([1, 2, 3], to: "/dev/null")
    let kind = try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType
    #expect(kind == .typeCharacterSpecial)
    try TestFolder.temporary { folder in
      let pipe = folder + "/pipe"
      #expect(mkfifo(pipe, 0o600) == 0)
      let reader = open(pipe, O_RDWR)
      defer { _ = close(reader) }
      try AtomicFile.write([5, 6], to: pipe)
      var received = [UInt8](repeating: 0, count: 2)
      #expect(read(reader, &received, 2) == 2)
      #expect(received == [5, 6])
    }
  }

  @Test func readsWithGoodErrors() throws {
    try TestFolder.temporary { folder in
      func read(_ path: String, limit: Int = 100) -> String {
        message { () throws(PackError) in _ = try readFile(path, limit: limit) }
      }
      #expect(read(folder + "/none") == "\(folder)/none: no such file")
      #expect(read(folder).contains("is a directory"))
      #expect(read("").contains("empty"))
      #expect(read("a\0b").contains("NUL"))
      #expect(read("/dev/null").contains("is empty"))
      #expect(read("/dev/zero").contains("larger than 100 bytes"))
      try AtomicFile.write([UInt8](repeating: 1, count: 101), to: folder + "/big")
      #expect(read(folder + "/big").contains("larger than 100 bytes"))
      #expect(read(folder + "/big", limit: 101) == "no error")
      try AtomicFile.write([UInt8](), to: folder + "/empty")
      #expect(read(folder + "/empty").contains("is empty"))
    }
  }
}

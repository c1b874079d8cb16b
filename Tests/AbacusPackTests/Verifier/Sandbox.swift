import CAbacus
import Foundation
import Testing

/// Memory that ends where a forbidden page begins: whoever reads or writes behind it crashes.
final class GuardedPages {
  private static let page = Int(getpagesize())
  private let mapping: UnsafeMutableRawPointer
  private let length: Int
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = (capacity + Self.page - 1) / Self.page * Self.page
    length = self.capacity + 2 * Self.page
    mapping = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(mapping != MAP_FAILED)
    mprotect(mapping, Self.page, PROT_NONE)
    mprotect(mapping + Self.page + self.capacity, Self.page, PROT_NONE)
  }

  deinit { munmap(mapping, length) }

  /// `count` bytes, aligned to 16, that end at the forbidden page or less than 16 bytes before it.
  func end(_ count: Int) -> UnsafeMutableRawPointer {
    precondition(count <= capacity)
    return mapping + Self.page + capacity - (count + 15) / 16 * 16
  }

  func forbidWriting(_ forbidden: Bool) {
    mprotect(mapping + Self.page, capacity, forbidden ? PROT_READ : PROT_READ | PROT_WRITE)
  }
}

/// A blob that cannot be written and an arena of exactly the size it asks for, both before
/// forbidden pages, and a session.
final class Sandbox {
  private static let arenaCapacity = 1 << 16
  private let blobPages: GuardedPages
  private let arenaPages = GuardedPages(capacity: Sandbox.arenaCapacity)
  private(set) var blob: UnsafeMutableRawPointer
  private(set) var bytes = 0
  var session = abacus_session()

  init(capacity: Int = 1 << 14) {
    blobPages = GuardedPages(capacity: capacity)
    blob = blobPages.end(0)
  }

  func load(_ content: [UInt8]) {
    blobPages.forbidWriting(false)
    bytes = content.count
    blob = blobPages.end(bytes)
    // What lies between the blob and the forbidden page must not matter.
    memset(blob, 0xA5, (bytes + 15) / 16 * 16)
    content.withUnsafeBytes { if let base = $0.baseAddress { blob.copyMemory(from: base, byteCount: bytes) } }
    blobPages.forbidWriting(true)
  }

  /// Opens what was loaded, in an arena of just the size that it asks for.
  func open() -> abacus_status {
    var requirements = abacus_requirements()
    let status = abacus_inspect(blob, bytes, &requirements)
    if status != ABACUS_OK {
      // Opening checks the same.
      #expect(abacus_open(&session, blob, bytes, arenaPages.end(Self.arenaCapacity), Self.arenaCapacity) == status)
      #expect(abacus_run(&session) == ABACUS_NOT_READY)
      return status
    }
    let arenaBytes = Int(requirements.arena_bytes)
    if arenaBytes > Self.arenaCapacity {
      return abacus_open(&session, blob, bytes, arenaPages.end(Self.arenaCapacity), Self.arenaCapacity)
    }
    return abacus_open(&session, blob, bytes, arenaPages.end(arenaBytes), arenaBytes)
  }

  /// Opens and, where that succeeds, runs.
  func openAndRun() -> abacus_status {
    let status = open()
    if status != ABACUS_OK { return status }
    let result = abacus_run(&session)
    var view = abacus_tensor()
    if abacus_output(&session, 0, &view) == ABACUS_OK { checksum &+= Int(view.bytes) + strlen(view.name) }
    return result
  }

  /// Keeps the compiler from dropping what only reads.
  private(set) var checksum = 0

  func contentChecksum() -> abacus_status { abacus_checksum(blob, bytes) }
}

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A regular file of which parts are read as they are needed: weights and samples may be larger than
/// what should be in memory at once.
final class RandomAccessFile: Sendable {
  let path: String
  /// Its size when it was opened.
  let byteCount: Int
  private let descriptor: Int32

  /// Throws a ``PackError`` of kind `file` where it is missing, not readable or no regular file.
  init(_ path: String) throws(PackError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw PackError(.file, "a file name is empty or contains a NUL")
    }
    // Without O_NONBLOCK a pipe that nobody writes would be waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw PackError(.file, "\(path): cannot be opened: \(systemErrorText(errno))")
    }
    var information = stat()
    guard fstat(descriptor, &information) == 0, information.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG)
    else {
      _ = close(descriptor)
      throw PackError(.file, "\(path): is not a regular file")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(information.st_size)
  }

  deinit { _ = close(descriptor) }

  /// `count` bytes from `offset`; throws where the file does not have them.
  func read(at offset: Int, count: Int) throws(PackError) -> [UInt8] {
    guard offset >= 0, count >= 0, count <= byteCount, offset <= byteCount - count else {
      throw PackError(
        .file, "\(path): \(count) bytes at offset \(offset) are beyond its end (\(byteCount) bytes)")
    }
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
        if got < 0 && errno == EINTR { continue }
        if got <= 0 {
          failure = got < 0 ? errno : 0
          return
        }
        filled += got
      }
    }
    if let failure {
      let reason = failure == 0 ? "it became shorter while it was read" : systemErrorText(failure)
      throw PackError(.file, "\(path): cannot be read: \(reason)")
    }
    return bytes
  }
}

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Writes files whole or not at all.
public enum AtomicFile {
  /// Puts `bytes` at `path`: into a temporary file beside it, to the disk, then renamed over it.
  ///
  /// Whatever fails, a file that stood at `path` stays as it was and the temporary file is removed.
  /// A symbolic link is followed, and an existing file keeps its permissions. Character devices
  /// (`/dev/null`), pipes and `/dev/stdout` are written to directly; nothing else that is not a
  /// regular file is touched. Throws a ``PackError`` of kind `file`.
  public static func write(_ bytes: [UInt8], to path: String) throws(PackError) {
    try write(to: path) { descriptor throws(PackError) in
      try writeAll(bytes, to: descriptor, path: path)
    }
  }

  /// Puts text at `path`, as UTF-8.
  public static func write(_ text: String, to path: String) throws(PackError) {
    try write(Array(text.utf8), to: path)
  }

  /// What ``write(_:to:)`` does, with the bytes coming from `body`, which is given the descriptor.
  static func write(to path: String, body: (Int32) throws(PackError) -> Void) throws(PackError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw PackError(.file, "the name of a file to write is empty or contains a NUL")
    }
    if isDescriptor(path) { return try writeDirectly(to: path, body: body) }
    var information = stat()
    if stat(path, &information) == 0 {
      switch information.st_mode & mode_t(S_IFMT) {
      case mode_t(S_IFREG):
        guard access(path, W_OK) == 0 else {
          throw PackError(.file, "\(path): exists and is write-protected; choose another name")
        }
        try replace(resolved(path), mode: information.st_mode & 0o777, body: body)
      case mode_t(S_IFDIR):
        throw PackError(.file, "\(path): is a directory; give the name of a file in it")
      case mode_t(S_IFCHR), mode_t(S_IFIFO):
        try writeDirectly(to: path, body: body)
      default:
        throw PackError(.file, "\(path): is neither a regular file nor a pipe; it is left alone")
      }
    } else if errno == ENOENT {
      if lstat(path, &information) == 0 {
        throw PackError(.file, "\(path): is a symbolic link to a file that does not exist")
      }
      try replace(path, mode: nil, body: body)
    } else {
      throw PackError(.file, "\(path): cannot be written: \(systemErrorText(errno))")
    }
  }

  /// Writes all of `bytes` to an open descriptor.
  static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(PackError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        systemWrite(descriptor, raw.baseAddress! + done, min(raw.count - done, 1 << 30))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw PackError(.file, "\(path): cannot be written: \(systemErrorText(errno))")
      }
      done += count
    }
  }

  private static func replace(
    _ path: String, mode: mode_t?, body: (Int32) throws(PackError) -> Void
  ) throws(PackError) {
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var information = stat()
    guard stat(directory, &information) == 0 else {
      throw PackError(.file, "\(path): the directory \(directory) does not exist; create it first")
    }
    if slash.map({ path.utf8.index(after: $0) == path.endIndex }) == true {
      throw PackError(.file, "\(path): ends in a slash; give the name of a file")
    }

    let (temporary, descriptor) = try openTemporary(in: directory, for: path)
    var isOpen = true
    do throws(PackError) {
      try body(descriptor)
      if let mode { _ = fchmod(descriptor, mode) }
      guard fsync(descriptor) == 0 else { throw failure(path, "cannot be written to the disk") }
      isOpen = false
      guard close(descriptor) == 0 else { throw failure(path, "cannot be written") }
      guard rename(temporary, path) == 0 else { throw failure(path, "cannot be put in place") }
    } catch {
      if isOpen { _ = close(descriptor) }
      _ = unlink(temporary)
      throw error
    }
    // The file is complete either way; this makes its new name survive a power cut as well.
    let parent = open(directory, O_RDONLY | O_CLOEXEC)
    if parent >= 0 {
      _ = fsync(parent)
      _ = close(parent)
    }
  }

  /// A new file in `directory` that nobody else has, with the permissions of any new file.
  private static func openTemporary(
    in directory: String, for path: String
  ) throws(PackError) -> (String, Int32) {
    for _ in 0..<100 {
      let name = "\(directory)/.abacus-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
      let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 { return (name, descriptor) }
      if errno != EEXIST { break }
    }
    throw failure(path, "no file can be created in \(directory)")
  }

  private static func writeDirectly(
    to path: String, body: (Int32) throws(PackError) -> Void
  ) throws(PackError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, "cannot be opened for writing") }
    defer { _ = close(descriptor) }
    try body(descriptor)
  }

  /// Names of this process's own open files: replacing what they stand for would bypass them.
  private static func isDescriptor(_ path: String) -> Bool {
    path == "/dev/stdout" || path == "/dev/stderr" || path.hasPrefix("/dev/fd/")
      || path.hasPrefix("/proc/self/fd/")
  }

  private static func resolved(_ path: String) throws(PackError) -> String {
    guard let real = realpath(path, nil) else { throw failure(path, "cannot be followed") }
    defer { free(real) }
    return String(cString: real)
  }

  private static func failure(_ path: String, _ what: String) -> PackError {
    PackError(.file, "\(path): \(what): \(systemErrorText(errno))")
  }
}

/// `write` of the C library, which a method of the same name would hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}

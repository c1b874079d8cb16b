#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The whole content of a file, pipe or device.
///
/// Throws a ``PackError`` of kind `file` where the file is missing, a directory, not readable,
/// empty, or longer than `limit` bytes; the limit holds for pipes and devices too.
public func readFile(_ path: String, limit: Int = InputLimits.fileBytes) throws(PackError) -> [UInt8] {
  guard !path.isEmpty, !path.utf8.contains(0) else {
    throw PackError(.file, "a file name is empty or contains a NUL")
  }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    switch errno {
    case ENOENT: throw PackError(.file, "\(path): no such file")
    case EACCES, EPERM: throw PackError(.file, "\(path): no permission to read it")
    default: throw PackError(.file, "\(path): cannot be opened: \(systemErrorText(errno))")
    }
  }
  defer { _ = close(descriptor) }

  var information = stat()
  guard fstat(descriptor, &information) == 0 else {
    throw PackError(.file, "\(path): cannot be examined: \(systemErrorText(errno))")
  }
  let kind = information.st_mode & mode_t(S_IFMT)
  if kind == mode_t(S_IFDIR) { throw PackError(.file, "\(path): is a directory, not a file") }
  let tooLarge = PackError(.file, "\(path): larger than \(limit) bytes, the most that is read")
  // The size is a hint only: files grow, and files of /proc claim none.
  let announced = kind == mode_t(S_IFREG) ? Int(information.st_size) : 0
  if announced > limit { throw tooLarge }

  var bytes: [UInt8] = []
  bytes.reserveCapacity(announced)
  var chunk = [UInt8](repeating: 0, count: 1 << 18)
  while true {
    let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    if count < 0 {
      if errno == EINTR { continue }
      throw PackError(.file, "\(path): cannot be read: \(systemErrorText(errno))")
    }
    if count == 0 { break }
    if bytes.count + count > limit { throw tooLarge }
    bytes.append(contentsOf: chunk[..<count])
  }
  if bytes.isEmpty { throw PackError(.file, "\(path): is empty") }
  return bytes
}

/// What the system calls the error `code`.
func systemErrorText(_ code: Int32) -> String {
  var text = [CChar](repeating: 0, count: 256)
  guard strerror_r(code, &text, text.count - 1) == 0 else { return "system error \(code)" }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

import CImage

/// Decompression by zlib, with the output bounded before it is made.
enum Inflate {
  enum Wrapper: Int32 {
    /// Bare deflate, as in zip archives.
    case raw = -15
    /// One gzip member with its header and checksum.
    case gzip = 31
  }

  /// Unpacks one stream that begins at `start` to the end of `output`; returns the offset behind it.
  ///
  /// Throws where the stream is damaged or ends early, or `output` would exceed `limit` bytes.
  static func unpack(
    _ bytes: [UInt8], from start: Int, to end: Int, wrapper: Wrapper, into output: inout [UInt8],
    limit: Int, name: String
  ) throws(PackError) -> Int {
    var stream = z_stream()
    let version = zlibVersion()
    guard
      inflateInit2_(&stream, wrapper.rawValue, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw PackError(.file, "\(name): zlib cannot be started") }
    defer { _ = inflateEnd(&stream) }

    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    var position = start
    var code = Z_OK
    while code != Z_STREAM_END {
      let available = min(end - position, 1 << 30)
      let (used, made) = bytes.withUnsafeBufferPointer { input in
        chunk.withUnsafeMutableBufferPointer { buffer in
          // zlib declares its input mutable but does not write to it.
          stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress! + position)
          stream.avail_in = uInt(available)
          stream.next_out = buffer.baseAddress
          stream.avail_out = uInt(buffer.count)
          code = inflate(&stream, Z_NO_FLUSH)
          return (available - Int(stream.avail_in), buffer.count - Int(stream.avail_out))
        }
      }
      position += used
      if output.count + made > limit {
        throw PackError(.file, "\(name): unpacks to more than \(limit) bytes, the most that is accepted")
      }
      output.append(contentsOf: chunk[..<made])
      switch code {
      case Z_STREAM_END: break
      case Z_OK where used > 0 || made > 0: continue
      case Z_OK, Z_BUF_ERROR: throw PackError(.file, "\(name): the compressed data is cut short")
      default: throw PackError(.file, "\(name): the compressed data is damaged")
      }
    }
    return position
  }
}

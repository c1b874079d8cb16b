import AbacusFormat

/// A blob where it lies: typed access to its records. Only ``BlobVerifier`` decides whether what it
/// reads may be trusted.
@safe
struct BlobView {
  private let base: UnsafeRawPointer

  init(_ base: UnsafeRawPointer) {
    unsafe self.base = base
  }

  /// Read where it lies: nothing of it is copied.
  var header: HeaderRecord {
    @inline(__always) unsafeAddress { unsafe base.assumingMemoryBound(to: HeaderRecord.self) }
  }

  @inline(__always)
  func section(_ section: Section) -> SectionRecord { header.sections[section.rawValue] }

  /// Address of a byte of a section.
  @inline(__always)
  func address(_ section: Section, _ offset: UInt32 = 0) -> UnsafeRawPointer {
    unsafe base + Int(truncatingIfNeeded: self.section(section).offset)
      + Int(truncatingIfNeeded: offset)
  }

  @inline(__always)
  func tensor(_ index: Int) -> Tensor {
    unsafe Tensor(address(.tensors).assumingMemoryBound(to: TensorRecord.self) + index)
  }

  @inline(__always)
  func operatorRecord(_ index: Int) -> UnsafePointer<OperatorRecord> {
    unsafe address(.operators).assumingMemoryBound(to: OperatorRecord.self) + index
  }

  /// Tensor index of a boundary tensor; inputs come first.
  @inline(__always)
  func boundary(_ index: Int) -> Int {
    unsafe Int(truncatingIfNeeded: address(.boundary).assumingMemoryBound(to: UInt16.self)[index])
  }

  /// A word of the blob; `index` counts words from its start.
  @inline(__always)
  func word(_ index: Int) -> UInt32 {
    unsafe base.assumingMemoryBound(to: UInt32.self)[index]
  }

  @inline(__always)
  func byte(_ index: Int) -> UInt8 {
    unsafe base.assumingMemoryBound(to: UInt8.self)[index]
  }

  /// Offset of a tensor's name within the names section, or nil where names were stripped.
  func nameOffset(_ index: Int) -> UInt32? {
    if section(.names).bytes == 0 { return nil }
    return unsafe address(.names).assumingMemoryBound(to: UInt32.self)[index]
  }
}

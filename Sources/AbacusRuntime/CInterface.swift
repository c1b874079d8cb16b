import AbacusFormat
import CAbacus

// The C interface: argument checks, and nothing else. abacus.h documents each function.

@c @implementation
public func abacus_inspect(
  _ blob: UnsafeRawPointer?, _ blobBytes: Int, _ out: UnsafeMutablePointer<abacus_requirements>?
) -> abacus_status {
  guard let blob = unsafe blob, let out = unsafe out else { return ABACUS_BAD_ARGUMENT }
  do {
    let view = unsafe try verified(blob, blobBytes)
    unsafe out.pointee = abacus_requirements(
      arena_bytes: view.header.arenaBytes, stack_bytes: view.header.stackBytes,
      operator_count: view.header.operatorCount, input_count: UInt32(view.header.inputCount),
      output_count: UInt32(view.header.outputCount),
      multiply_accumulates: view.header.multiplyAccumulates)
    return ABACUS_OK
  } catch {
    return abacus_status(rawValue: error.rawValue)
  }
}

@c @implementation
public func abacus_open(
  _ session: UnsafeMutablePointer<abacus_session>?, _ blob: UnsafeRawPointer?, _ blobBytes: Int,
  _ arena: UnsafeMutableRawPointer?, _ arenaBytes: Int
) -> abacus_status {
  guard let session = unsafe session else { return ABACUS_BAD_ARGUMENT }
  let storage = UnsafeMutableRawPointer(session)
  unsafe storage.storeBytes(of: 0, as: UInt64.self)
  guard let blob = unsafe blob else { return ABACUS_BAD_ARGUMENT }
  do {
    let view = unsafe try verified(blob, blobBytes)
    // A model without run-time tensors needs no arena.
    try require(
      UInt(bitPattern: arenaBytes) >= UInt(view.header.arenaBytes), .arenaTooSmall)
    guard let arena = unsafe arena else { return ABACUS_BAD_ARGUMENT }
    try require(unsafe isAligned(arena, Int(Limits.arenaAlignment)), .misaligned)
    unsafe storage.initializeMemory(as: Session.self, to: Session(blob: view, arena: arena)).pointee.reset()
    return ABACUS_OK
  } catch {
    return abacus_status(rawValue: error.rawValue)
  }
}

@c @implementation
public func abacus_input(
  _ session: UnsafeMutablePointer<abacus_session>?, _ index: UInt32,
  _ out: UnsafeMutablePointer<abacus_tensor>?
) -> abacus_status {
  unsafe boundary(session, index, isOutput: false, out)
}

@c @implementation
public func abacus_output(
  _ session: UnsafeMutablePointer<abacus_session>?, _ index: UInt32,
  _ out: UnsafeMutablePointer<abacus_tensor>?
) -> abacus_status {
  unsafe boundary(session, index, isOutput: true, out)
}

@inline(never)
private func boundary(
  _ session: UnsafeMutablePointer<abacus_session>?, _ index: UInt32, isOutput: Bool,
  _ out: UnsafeMutablePointer<abacus_tensor>?
) -> abacus_status {
  guard let out = unsafe out, unsafe session != nil else { return ABACUS_BAD_ARGUMENT }
  guard let opened = unsafe ready(session) else { return ABACUS_NOT_READY }
  let inputCount = unsafe UInt32(opened.pointee.blob.header.inputCount)
  let outputCount = unsafe UInt32(opened.pointee.blob.header.outputCount)
  guard index < (isOutput ? outputCount : inputCount) else { return ABACUS_BAD_ARGUMENT }
  unsafe opened.pointee.describe(Int(truncatingIfNeeded: isOutput ? inputCount &+ index : index), out)
  return ABACUS_OK
}

@c @implementation
public func abacus_run(_ session: UnsafeMutablePointer<abacus_session>?) -> abacus_status {
  let status = unsafe mayAdvance(session)
  if status == ABACUS_OK { unsafe ready(session)?.pointee.run() }
  return status
}

@c @implementation
public func abacus_step(_ session: UnsafeMutablePointer<abacus_session>?) -> abacus_status {
  let status = unsafe mayAdvance(session)
  guard status == ABACUS_OK, let opened = unsafe ready(session) else { return status }
  return unsafe opened.pointee.step() ? ABACUS_IN_PROGRESS : ABACUS_OK
}

/// Whether a run may begin or go on.
@inline(never)
private func mayAdvance(_ session: UnsafeMutablePointer<abacus_session>?) -> abacus_status {
  guard unsafe session != nil else { return ABACUS_BAD_ARGUMENT }
  guard let opened = unsafe ready(session) else { return ABACUS_NOT_READY }
  return unsafe opened.pointee.isBetweenRuns && !opened.pointee.mayBegin ? ABACUS_LENGTH_LIMIT : ABACUS_OK
}

@c @implementation
public func abacus_reset(_ session: UnsafeMutablePointer<abacus_session>?) -> abacus_status {
  guard unsafe session != nil else { return ABACUS_BAD_ARGUMENT }
  guard let opened = unsafe ready(session) else { return ABACUS_NOT_READY }
  unsafe opened.pointee.reset()
  return ABACUS_OK
}

@c @implementation
public func abacus_checksum(_ blob: UnsafeRawPointer?, _ blobBytes: Int) -> abacus_status {
  guard let blob = unsafe blob else { return ABACUS_BAD_ARGUMENT }
  do {
    try require(unsafe isAligned(blob, Int(Limits.sectionAlignment)), .misaligned)
    let verifier = unsafe BlobVerifier(BlobView(blob), bytes: blobBytes)
    try verifier.verifyHeader()
    try verifier.verifyContentChecksum()
    return ABACUS_OK
  } catch {
    return abacus_status(rawValue: error.rawValue)
  }
}

@c @implementation
public func abacus_status_text(_ status: abacus_status) -> UnsafePointer<CChar>? {
  let text: StaticString =
    switch status {
    case ABACUS_OK: "ok"
    case ABACUS_NOT_A_MODEL: "not an Abacus model"
    case ABACUS_UNSUPPORTED_VERSION: "blob has another format version"
    case ABACUS_CORRUPT: "blob is damaged"
    case ABACUS_UNSUPPORTED_OPERATOR: "this build leaves out an operator of the model"
    case ABACUS_MISALIGNED: "blob or arena is not aligned to 16 bytes"
    case ABACUS_ARENA_TOO_SMALL: "arena is too small"
    case ABACUS_BAD_ARGUMENT: "null pointer or index out of range"
    case ABACUS_NOT_READY: "session is not open"
    case ABACUS_IN_PROGRESS: "more steps remain"
    case ABACUS_LENGTH_LIMIT: "the key/value cache is full"
    default: "unknown status"
    }
  return unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func abacus_version() -> UInt32 { libraryVersion }

// MARK: Helpers

private func isAligned(_ pointer: UnsafeRawPointer, _ alignment: Int) -> Bool {
  UInt(bitPattern: pointer) & UInt(bitPattern: alignment &- 1) == 0
}

/// A blob that has passed every check.
private func verified(_ blob: UnsafeRawPointer, _ bytes: Int) throws(Status) -> BlobView {
  try require(unsafe isAligned(blob, Int(Limits.sectionAlignment)), .misaligned)
  let view = unsafe BlobView(blob)
  try BlobVerifier(view, bytes: bytes).verify()
  return view
}

/// The session, if it is open.
private func ready(_ session: UnsafeMutablePointer<abacus_session>?) -> UnsafeMutablePointer<Session>? {
  guard let session = unsafe session else { return nil }
  let opened = unsafe UnsafeMutableRawPointer(session).assumingMemoryBound(to: Session.self)
  return unsafe opened.pointee.tag == Session.readyTag ? opened : nil
}

#if !hasFeature(Embedded)
import AbacusFormat
import CAbacus

/// A model bound to an arena of its own: the runtime for Swift hosts.
///
/// Everything goes through the C interface; what this class adds is ownership of aligned memory and
/// safe access to inputs and outputs. Both blob and arena lie between guard bytes.
@safe
public final class Model {
  /// A description of one input or output. real = (stored - zeroPoint) * scale.
  public struct Boundary: Sendable {
    public let name: String
    public let shape: [Int]
    public let type: ElementType
    public let byteCount: Int
    public let scale: Double
    public let zeroPoint: Int
  }

  /// What a blob asks for.
  public struct Requirements: Sendable {
    public let arenaBytes: Int
    public let stackBytes: Int
    public let operatorCount: Int
    public let inputCount: Int
    public let outputCount: Int
    public let multiplyAccumulates: UInt64
  }

  public let requirements: Requirements
  public private(set) var inputs: [Boundary] = []
  public private(set) var outputs: [Boundary] = []
  private let blob: GuardedMemory
  private let arena: GuardedMemory
  private let session: UnsafeMutablePointer<abacus_session>

  /// Checks a blob and opens it.
  ///
  /// - Parameters:
  ///   - blob: the bytes of a packed model.
  ///   - arenaBytes: size of the arena; what the blob asks for unless given.
  ///   - vectors: which inner loops run, of those that this CPU has; the fastest unless given.
  public init(_ blob: [UInt8], arenaBytes: Int? = nil, vectors: VectorInstructions? = nil) throws(Status) {
    self.blob = GuardedMemory(copying: blob)
    requirements = try Model.requirements(of: self.blob)
    arena = GuardedMemory(bytes: arenaBytes ?? requirements.arenaBytes)
    unsafe session = .allocate(capacity: 1)
    unsafe session.initialize(to: abacus_session())
    try unsafe check(
      abacus_open(session, self.blob.base, self.blob.bytes, arena.base, arena.bytes))
    if let vectors {
      guard vectors.isHere else { throw .badArgument }
      unsafe UnsafeMutableRawPointer(session).assumingMemoryBound(to: Session.self).pointee.vectors = vectors
    }
    for index in 0..<requirements.inputCount { inputs.append(try unsafe boundary(abacus_input, index)) }
    for index in 0..<requirements.outputCount { outputs.append(try unsafe boundary(abacus_output, index)) }
  }

  deinit {
    unsafe session.deallocate()
  }

  /// What a blob asks for, if it is sound.
  public static func requirements(of blob: [UInt8]) throws(Status) -> Requirements {
    try requirements(of: GuardedMemory(copying: blob))
  }

  private static func requirements(of blob: GuardedMemory) throws(Status) -> Requirements {
    var raw = abacus_requirements()
    try unsafe check(abacus_inspect(blob.base, blob.bytes, &raw))
    return Requirements(
      arenaBytes: Int(raw.arena_bytes), stackBytes: Int(raw.stack_bytes),
      operatorCount: Int(raw.operator_count), inputCount: Int(raw.input_count),
      outputCount: Int(raw.output_count), multiplyAccumulates: raw.multiply_accumulates)
  }

  /// Compares the content with its CRC-32.
  public func verifyChecksum() throws(Status) {
    try unsafe check(abacus_checksum(blob.base, blob.bytes))
  }

  /// A sample of nothing: each input is its zero point throughout.
  public var zeroSample: [[UInt8]] {
    inputs.map { [UInt8](repeating: UInt8(truncatingIfNeeded: $0.zeroPoint), count: $0.byteCount) }
  }

  /// Writes an input; inputs are written anew before each run.
  public func setInput(_ index: Int, _ bytes: [UInt8]) throws(Status) {
    var view = unsafe abacus_tensor()
    guard let position = UInt32(exactly: index) else { throw .badArgument }
    try unsafe check(abacus_input(session, position, &view))
    guard unsafe bytes.count == Int(view.bytes) else { throw .badArgument }
    unsafe view.data.copyMemory(from: bytes, byteCount: bytes.count)
  }

  /// The bytes of an output after a run.
  public func output(_ index: Int) throws(Status) -> [UInt8] {
    var view = unsafe abacus_tensor()
    guard let position = UInt32(exactly: index) else { throw .badArgument }
    try unsafe check(abacus_output(session, position, &view))
    return unsafe [UInt8](UnsafeRawBufferPointer(start: view.data, count: Int(view.bytes)))
  }

  public func run() throws(Status) {
    try unsafe check(abacus_run(session))
  }

  /// Executes one step; true while more remain.
  public func step() throws(Status) -> Bool {
    let status = unsafe abacus_step(session)
    if status == ABACUS_IN_PROGRESS { return true }
    try check(status)
    return false
  }

  /// Sets state tensors to their initial values.
  public func reset() throws(Status) {
    try unsafe check(abacus_reset(session))
  }

  /// Inputs to outputs, in one call.
  public func callAsFunction(_ inputs: [[UInt8]]) throws(Status) -> [[UInt8]] {
    guard inputs.count == self.inputs.count else { throw .badArgument }
    for index in inputs.indices { try setInput(index, inputs[index]) }
    try run()
    var results: [[UInt8]] = []
    for index in outputs.indices { results.append(try output(index)) }
    return results
  }

  /// False if anything was written just before or behind the blob or the arena.
  public var guardsAreIntact: Bool { blob.guardsAreIntact && arena.guardsAreIntact }

  private func boundary(
    _ get: (UnsafeMutablePointer<abacus_session>?, UInt32, UnsafeMutablePointer<abacus_tensor>?) ->
      abacus_status, _ index: Int
  ) throws(Status) -> Boundary {
    var view = unsafe abacus_tensor()
    try unsafe check(get(session, UInt32(index), &view))
    let dims = unsafe [
      view.dims.0, view.dims.1, view.dims.2, view.dims.3, view.dims.4, view.dims.5,
    ]
    guard let type = unsafe ElementType(rawValue: UInt8(view.dtype.rawValue)) else { throw .corrupt }
    let scale = unsafe Double(view.multiplier) * Double(sign: .plus, exponent: -Int(view.shift), significand: 1)
    return unsafe Boundary(
      name: String(cString: view.name), shape: dims.prefix(Int(view.rank)).map(Int.init), type: type,
      byteCount: Int(view.bytes), scale: scale, zeroPoint: Int(view.zero_point))
  }
}

/// Aligned memory between guard bytes.
@safe
final class GuardedMemory {
  private static let guardBytes = 64
  private static let pattern: UInt8 = 0xA5

  let bytes: Int
  private let storage: UnsafeMutableRawPointer

  init(bytes: Int) {
    self.bytes = bytes
    let total = bytes + 2 * Self.guardBytes
    unsafe storage = .allocate(byteCount: total, alignment: Int(Limits.arenaAlignment))
    unsafe storage.initializeMemory(as: UInt8.self, repeating: Self.pattern, count: total)
  }

  convenience init(copying content: [UInt8]) {
    self.init(bytes: content.count)
    unsafe base.copyMemory(from: content, byteCount: content.count)
  }

  deinit {
    unsafe storage.deallocate()
  }

  var base: UnsafeMutableRawPointer { unsafe storage + Self.guardBytes }

  var guardsAreIntact: Bool {
    unsafe UnsafeRawBufferPointer(start: storage, count: Self.guardBytes)
      .allSatisfy { $0 == Self.pattern }
      && UnsafeRawBufferPointer(start: base + bytes, count: Self.guardBytes)
        .allSatisfy { $0 == Self.pattern }
  }
}

func check(_ status: abacus_status) throws(Status) {
  if status != ABACUS_OK { throw Status(rawValue: status.rawValue) ?? .corrupt }
}
#endif

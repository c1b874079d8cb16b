import AbacusFormat
import AbacusRuntime

/// A blob read back: what `abacus inspect` shows. Only for blobs that the runtime accepts.
public struct BlobDescription {
  public let header: HeaderRecord
  public let tensors: [TensorRecord]
  public let names: [String]
  public let operators: [OperatorRecord]
  public let inputs: [Int]
  public let outputs: [Int]
  public let metadata: [(key: String, value: String)]
  /// The form of each operator's kernel.
  private let forms: [UInt32]
  private let blob: [UInt8]

  /// - Throws: `PackError` with the runtime's verdict where it refuses the blob.
  public init(_ blob: [UInt8], name: String) throws {
    do {
      forms = try Model.kernelForms(of: blob)
    } catch {
      throw PackError(.malformed, "\(name): \(error.explanation)")
    }
    self.blob = blob
    let header = BlobDescription.load(blob, 0, HeaderRecord.self)
    self.header = header
    // The runtime leaves this to the firmware (abacus_checksum); a host has the time.
    var content = CRC32()
    for byte in blob[..<HeaderRecord.checkedBytes] { content.add(byte) }
    for byte in blob[HeaderRecord.bytes..<Int(header.blobBytes)] { content.add(byte) }
    guard content.value == header.contentChecksum else {
      throw PackError(.malformed, "\(name): \(Status.corrupt.explanation)")
    }
    func records<Record: BitwiseCopyable>(_ section: Section, _ count: Int, _: Record.Type) -> [Record] {
      let offset = Int(header.sections[section.rawValue].offset)
      return (0..<count).map {
        BlobDescription.load(blob, offset + $0 * MemoryLayout<Record>.stride, Record.self)
      }
    }
    tensors = records(.tensors, Int(header.tensorCount), TensorRecord.self)
    operators = records(.operators, Int(header.operatorCount), OperatorRecord.self)
    let boundary = records(.boundary, Int(header.inputCount) + Int(header.outputCount), UInt16.self)
    inputs = boundary.prefix(Int(header.inputCount)).map(Int.init)
    outputs = boundary.dropFirst(Int(header.inputCount)).map(Int.init)
    let section = header.sections[Section.names.rawValue]
    let hasNames = section.bytes > 0
    names = records(.names, hasNames ? tensors.count : 0, UInt32.self).map {
      BlobDescription.string(blob, Int(section.offset) + Int($0))
    }
    metadata = BlobDescription.pairs(blob, header.sections[Section.metadata.rawValue])
  }

  /// Bytes of one section.
  public func bytes(of section: Section) -> Int { Int(header.sections[section.rawValue].bytes) }

  /// The name of a tensor; for one without, what it is to the first operator that uses it.
  public func name(_ tensor: Int) -> String {
    if !names.isEmpty && !names[tensor].isEmpty { return names[tensor] }
    for index in operators.indices {
      for slot in 0..<Limits.maximumOperands where operand(index, slot) == tensor {
        return "\(Operands.name(slot)) of operator \(index)"
      }
    }
    return "tensor \(tensor)"
  }

  public func opcode(_ index: Int) -> Opcode? { Opcode(rawValue: operators[index].opcode) }

  /// Tensor in an operand slot of an operator.
  public func operand(_ index: Int, _ slot: Int) -> Int? {
    let operand = operators[index].operands[slot]
    return operand == TensorRecord.none ? nil : Int(operand)
  }

  /// Type of the elements of an operand that the runtime has found there.
  func type(_ index: Int, _ slot: Int) -> ElementType {
    operand(index, slot).flatMap { ElementType(rawValue: tensors[$0].elementType) } ?? .int8
  }

  /// The parameter record of an operator.
  public func parameters<Record: BitwiseCopyable>(_ index: Int, _: Record.Type) -> Record {
    let offset =
      Int(header.sections[Section.parameters.rawValue].offset) + Int(operators[index].parameterOffset)
    return BlobDescription.load(blob, offset, Record.self)
  }

  /// Elements of a constant.
  public func constant<Element: BitwiseCopyable>(_ tensor: Int, _: Element.Type) -> [Element] {
    let record = tensors[tensor]
    let start = Int(header.sections[Section.constants.rawValue].offset) + Int(record.offset)
    return (0..<Int(record.byteCount) / MemoryLayout<Element>.size).map {
      BlobDescription.load(blob, start + $0 * MemoryLayout<Element>.size, Element.self)
    }
  }

  public func metadata(_ key: String) -> String? { metadata.first { $0.key == key }?.value }

  /// Names of the classes, where the model has them.
  public var labels: [String] {
    metadata("labels")?.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) ?? []
  }

  /// The kernels that the blob needs, in the order of their opcodes.
  public var neededKernels: [NeededKernel] {
    let uses = zip(operators, forms).reduce(into: [UInt8: Set<UInt32>]()) { $0[$1.0.opcode, default: []].insert($1.1) }
    return uses.sorted { $0.key < $1.key }.compactMap { use in
      Opcode(rawValue: use.key).map { NeededKernel($0, forms: use.value) }
    }
  }

  /// First and last operator that touches each tensor in the arena; inputs live from before the
  /// first operator (-1), outputs to behind the last.
  public func lifetimes() -> [Int: ClosedRange<Int>] {
    var result: [Int: ClosedRange<Int>] = [:]
    func extend(_ tensor: Int, _ step: Int) {
      guard tensors[tensor].placement != Placement.constant.rawValue else { return }
      let known = result[tensor] ?? step...step
      result[tensor] = min(known.lowerBound, step)...max(known.upperBound, step)
    }
    inputs.forEach { extend($0, -1) }
    for index in operators.indices {
      for slot in 0..<Limits.maximumOperands {
        if let tensor = operand(index, slot) { extend(tensor, index) }
      }
    }
    outputs.forEach { extend($0, operators.count) }
    return result
  }

  /// The operator that each `abacus_step` of a run works on, in the order of the steps: long operators
  /// take several, and the operators of a loop take turns.
  public var operatorOfEachStep: [Int] {
    func continuesLoop(_ index: Int) -> Bool {
      index < operators.count && operators[index].flags & OperatorRecord.Flags.continuesLoop != 0
    }
    var steps: [Int] = []
    var index = 0
    while index < operators.count {
      let end = operators.indices[(index + 1)...].first { !continuesLoop($0) } ?? operators.count
      let last = operators[end - 1]
      let rounds = (last.units + last.delay - 1) / last.unitsPerStep + 1
      for _ in 0..<rounds { steps += index..<end }
      index = end
    }
    return steps
  }

  // MARK: Raw access

  private static func load<Value: BitwiseCopyable>(_ bytes: [UInt8], _ offset: Int, _: Value.Type) -> Value {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
  }

  private static func string(_ bytes: [UInt8], _ offset: Int) -> String {
    String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func pairs(_ blob: [UInt8], _ section: SectionRecord) -> [(key: String, value: String)] {
    let bytes = blob[Int(section.offset)..<Int(section.offset + section.bytes)]
    let strings = bytes.split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    return stride(from: 0, to: strings.count - 1, by: 2).map { (strings[$0], strings[$0 + 1]) }
  }
}

extension Status {
  /// The status in words.
  public var explanation: String {
    switch self {
    case .notAModel: "not an Abacus model"
    case .unsupportedVersion: "written for another version of the blob format"
    case .corrupt: "damaged: a checksum, offset, size or plan does not hold"
    case .unsupportedOperator: "it needs an operator that this build does not have"
    case .misaligned: "blob or arena is not aligned to 16 bytes"
    case .arenaTooSmall: "the arena is too small"
    case .badArgument: "an input has the wrong size, or an index is out of range"
    case .notReady: "the model is not open"
    case .inProgress: "more steps remain"
    case .lengthLimit: "the key/value cache is full; a reset starts anew"
    }
  }
}

extension Operands {
  /// What an operand slot holds.
  static func name(_ slot: Int) -> String {
    switch slot {
    case output: "output"
    case input: "input"
    case second: "second input"
    case weights: "weights"
    case channels: "bias and multiplier"
    case shifts: "shifts"
    case scratch: "scratch"
    default: "operand \(slot)"
    }
  }
}

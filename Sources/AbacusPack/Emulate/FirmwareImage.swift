import Foundation

/// A linked image (little-endian ELF of 32 or 64 bits, whose addresses fit 32): what it occupies, and where its symbols are.
public struct FirmwareImage: Sendable {
  /// Code, read-only data and the initial values of variables.
  public let flashBytes: Int
  /// Variables, initialised or not; neither stack nor arena.
  public let staticRAMBytes: Int
  /// What has a name and a size, in the order of addresses; of several names for one thing the first.
  public let symbols: [Symbol]
  private let addresses: [String: UInt32]

  /// A function or an object.
  public struct Symbol: Sendable {
    public enum Kind: String, Sendable, Encodable { case code, constant, variable }

    public var name: String
    public var address: UInt32
    public var bytes: Int
    public var kind: Kind
  }

  private static let allocated: UInt32 = 2, writable: UInt32 = 1
  private static let symbolTable: UInt32 = 2, noBits: UInt32 = 8
  private static let function: UInt8 = 2

  public init(contentsOf file: URL) throws(PackError) {
    guard let data = try? Data(contentsOf: file) else {
      throw PackError(.file, "\(file.path) cannot be read")
    }
    let reader = Reader(bytes: [UInt8](data))
    guard let layout = Layout(reader) else {
      throw PackError(.file, "\(file.path) is not an ELF image")
    }
    let table = Int(reader.word(at: layout.sectionTable))
    let entryBytes = Int(reader.half(at: layout.sectionCounts)), count = Int(reader.half(at: layout.sectionCounts + 2))
    let sections = (0..<count).map { Section(reader, at: table + $0 * entryBytes, layout) }

    let loaded = sections.filter { $0.flags & Self.allocated != 0 }
    flashBytes = loaded.filter { $0.type != Self.noBits }.reduce(0) { $0 + $1.bytes }
    staticRAMBytes = loaded.filter { $0.flags & Self.writable != 0 }.reduce(0) { $0 + $1.bytes }

    var addresses: [String: UInt32] = [:]
    var symbols: [UInt32: Symbol] = [:]
    for section in sections where section.type == Self.symbolTable && section.link < count {
      let names = sections[section.link]
      for entry in stride(from: section.offset, to: section.offset + section.bytes, by: layout.symbolBytes) {
        let name = reader.text(at: names.offset + Int(reader.word(at: entry)))
        let address = reader.word(at: entry + layout.symbolValue)
        let bytes = Int(reader.word(at: entry + layout.symbolSize))
        addresses[name] = address
        let home = Int(reader.half(at: entry + layout.symbolSection))
        guard bytes > 0, sections.indices.contains(home), symbols[address] == nil else { continue }
        let isFunction = reader.byte(at: entry + layout.symbolKind) & 15 == Self.function
        let isVariable = sections[home].flags & Self.writable != 0
        symbols[address] = Symbol(
          name: name, address: address, bytes: bytes, kind: isFunction ? .code : isVariable ? .variable : .constant)
      }
    }
    self.addresses = addresses
    self.symbols = symbols.values.sorted { $0.address < $1.address }
  }

  /// The value of a symbol of the linker script.
  func address(of symbol: String) throws(PackError) -> UInt32 {
    guard let value = addresses[symbol] else {
      throw PackError(.tool, "the firmware does not define \(symbol); its linker script is incomplete")
    }
    return value
  }

  /// Where the fields are that are read; of those of 64 bits the lower half.
  private struct Layout {
    var sectionTable = 32, sectionCounts = 46
    var sectionOffset = 16, sectionBytes = 20, sectionLink = 24
    var symbolBytes = 16, symbolValue = 4, symbolSize = 8, symbolKind = 12, symbolSection = 14

    init?(_ reader: Reader) {
      if reader.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 1, 1]) { return }
      guard reader.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
      (sectionTable, sectionCounts) = (40, 58)
      (sectionOffset, sectionBytes, sectionLink) = (24, 32, 40)
      (symbolBytes, symbolValue, symbolSize, symbolKind, symbolSection) = (24, 8, 16, 4, 6)
    }
  }

  private struct Section {
    var type: UInt32, flags: UInt32, offset: Int, bytes: Int, link: Int

    init(_ reader: Reader, at position: Int, _ layout: Layout) {
      type = reader.word(at: position + 4)
      flags = reader.word(at: position + 8)
      offset = Int(reader.word(at: position + layout.sectionOffset))
      bytes = Int(reader.word(at: position + layout.sectionBytes))
      link = Int(reader.word(at: position + layout.sectionLink))
    }
  }

  /// Reads past the end give zeros: a truncated image then lacks the symbols that are asked for.
  private struct Reader {
    let bytes: [UInt8]

    func byte(at position: Int) -> UInt8 { position < bytes.count ? bytes[position] : 0 }
    func half(at position: Int) -> UInt16 { UInt16(byte(at: position)) | UInt16(byte(at: position + 1)) << 8 }
    func word(at position: Int) -> UInt32 { UInt32(half(at: position)) | UInt32(half(at: position + 2)) << 16 }
    func text(at position: Int) -> String {
      guard position < bytes.count else { return "" }
      return String(decoding: bytes[position...].prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

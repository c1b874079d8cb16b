import AbacusFormat
import Foundation

/// A board or host that Abacus builds for, as its folder in Targets describes it in `board.json`.
public struct Board: Decodable, Sendable {
  /// A span of addresses.
  public struct Region: Decodable, Sendable {
    public var origin: UInt32
    public var bytes: Int

    enum CodingKeys: CodingKey {
      case origin, bytes
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      let text = try values.decode(String.self, forKey: .origin)
      guard text.hasPrefix("0x"), let origin = UInt32(text.dropFirst(2), radix: 16) else {
        throw DecodingError.dataCorruptedError(
          forKey: .origin, in: values, debugDescription: "an address looks like 0x20000000, not \(text)")
      }
      self.origin = origin
      bytes = try values.decode(Int.self, forKey: .bytes)
    }
  }

  /// The clock that the firmware reads. With `-icount shift=n` an instruction takes 2^n
  /// nanoseconds; the shift is chosen such that every instruction takes more than two ticks, which
  /// makes the count exact.
  public struct Counter: Decodable, Sendable {
    public var kind: String
    public var icountShift: Int
    public var nanosecondsPerTick: Double

    func instructions(ticks: UInt64) -> Int {
      Int((Double(ticks) * nanosecondsPerTick / Double(1 << icountShift)).rounded())
    }
  }

  /// How QEMU plays the board.
  public struct Machine: Decodable, Sendable {
    public var program: String
    /// Debian's name for the package that has it.
    public var package: String
    public var arguments: [String]
    public var counter: Counter
  }

  public var name: String
  public var title: String
  public var cpu: String
  /// Nil stands for the machine that builds.
  public var triple: String?
  public var flash: Region?
  public var ram: Region?
  /// Nil where there is nothing to emulate.
  public var machine: Machine?

  /// Its core has loops of its own for weights in pairs of channels.
  public var wantsPairs: Bool { ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "rv32imc"].contains(cpu) }

  /// The order of weights that its inner loops are fastest with.
  public var weightOrder: PackOptions.WeightOrder { wantsPairs ? .pairs : is64Bit ? .quads : .rows }

  public var is64Bit: Bool { triple?.hasPrefix("aarch64") ?? true }

  /// What a run may take of the stack: frames of 64-bit CPUs are wider.
  public var stackBytes: Int { Int(Limits.stackBytes) * (is64Bit ? 3 : 1) }

  public static func named(_ name: String) throws(PackError) -> Board {
    let boards = try all()
    guard let board = boards.first(where: { $0.name == name }) else {
      let names = boards.map(\.name).joined(separator: ", ")
      throw PackError(.unsupported, "there is no board \(name); there are \(names)")
    }
    return board
  }

  /// Every board, by name.
  public static func all() throws(PackError) -> [Board] {
    let folder = try Project.located().targets
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().compactMap {
        let file = folder.appending(path: "\($0)/board.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try JSONDecoder().decode(Board.self, from: Data(contentsOf: file))
      }
    } catch {
      throw PackError(.file, "the boards in \(folder.path) cannot be read: \(error)")
    }
  }
}

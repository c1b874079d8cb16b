import AbacusFormat

/// The bytes that QEMU's loader places at `__store_start`: the words of `board_parameters`, the
/// model and its samples.
struct EmulatorStore {
  var address: UInt32
  var bytes: [UInt8]

  private static let magic: UInt32 = 0x4D42_4145
  private static let noStop = UInt32.max
  private static let parameterBytes = 9 * MemoryLayout<UInt32>.size

  init(
    image: FirmwareImage, board: Board, blob: [UInt8], samples: [[[UInt8]]], arenaEnd: UInt32,
    continuation: Continuation?, stepByStep: Bool
  ) throws(PackError) {
    func aligned(_ address: UInt32) -> UInt32 {
      (address + Limits.sectionAlignment - 1) / Limits.sectionAlignment * Limits.sectionAlignment
    }
    let inputs = samples.joined().joined()
    address = try image.address(of: "__store_start")
    let space = Int(try image.address(of: "__store_end") - address)
    let needed = Self.parameterBytes + blob.count + inputs.count + 2 * Int(Limits.sectionAlignment)
    guard needed <= space else {
      throw PackError(
        .doesNotFit,
        "model and inputs need \(needed) bytes of read-only memory beside the firmware, "
          + "\(board.name) has \(space)")
    }
    let blobAddress = aligned(address + UInt32(Self.parameterBytes))
    let samplesAddress = aligned(blobAddress + UInt32(blob.count))
    let words = [
      Self.magic, blobAddress, UInt32(blob.count), samplesAddress, UInt32(samples.count), arenaEnd,
      UInt32(clamping: continuation?.choices ?? 0), continuation?.stop.flatMap(UInt32.init(exactly:)) ?? Self.noStop,
      stepByStep ? 1 : 0,
    ]
    bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    pad(to: blobAddress)
    bytes += blob
    pad(to: samplesAddress)
    bytes += inputs
  }

  private mutating func pad(to end: UInt32) {
    bytes += [UInt8](repeating: 0, count: Int(end - address) - bytes.count)
  }
}

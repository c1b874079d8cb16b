/// What we are measured against, as we measured it: the same models on the same emulated boards, counted
/// in the same way, release flags (gcc 12.2; for Cortex-M55 clang 21, which is faster there).
enum Peer {
  static let name = "TensorFlow Lite Micro 90b983c with CMSIS-NN 4ab83cc"

  struct Figures: Sendable {
    var instructions: Int
    /// Bytes and start-up were measured on Cortex-M4 alone; code is built with -Os, int8 kernels only.
    var arenaBytes: Int?
    var codeBytes: Int?
    var stackBytes: Int?
    var openInstructions: Int?
  }

  private static let models = ["KWS", "VWW", "IC", "AD", "SWW"]

  /// Instructions per inference, by CPU, for each of `models`.
  private static let instructions: [String: [Int]] = [
    "cortex-m0": [29_004_000, 86_904_000, 97_558_000, 1_763_000, 9_546_000],
    "cortex-m3": [10_535_000, 31_959_000, 41_847_000, 956_000, 4_729_000],
    "cortex-m4": [7_581_000, 23_776_000, 29_781_000, 583_000, 2_199_000],
    "cortex-m7": [7_598_000, 23_884_000, 29_961_000, 583_000, 2_184_000],
    "cortex-m55": [1_731_000, 6_159_000, 4_519_000, 120_000, 395_000],
  ]

  private static let arenaBytes = [22_820, 100_708, 54_996, 2_580, 16_596]
  private static let codeBytes = [48_292, 48_292, 45_424, 25_780, 46_236]
  private static let stackBytes = [948, 948, 948, 676, 792]
  private static let openInstructions = [789_000, 3_521_000, 540_000, 85_000, 1_088_000]

  static func figures(_ model: String, cpu: String) -> Figures? {
    guard let column = models.firstIndex(of: model), let row = instructions[cpu] else { return nil }
    guard cpu == "cortex-m4" else { return Figures(instructions: row[column]) }
    return Figures(
      instructions: row[column], arenaBytes: arenaBytes[column], codeBytes: codeBytes[column],
      stackBytes: stackBytes[column], openInstructions: openInstructions[column])
  }
}

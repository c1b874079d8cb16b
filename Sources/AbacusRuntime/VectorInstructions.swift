import CAbacus

/// The vector instructions for which a host has inner loops; boards have theirs compiled in.
public enum VectorInstructions: UInt32, Sendable {
  /// Those that every CPU of the kind has, in plain loops.
  case common = 0
  /// x86-64 with AVX2.
  case avx2
  /// x86-64 with AVX-512 and VNNI.
  case vnni

  /// The best that this CPU has.
  static var best: VectorInstructions {
    #if arch(x86_64)
    if X86Features.hasVNNI { return .vnni }
    if X86Features.hasAVX2 { return .avx2 }
    #endif
    return .common
  }

  /// This CPU has them.
  public var isHere: Bool { rawValue <= VectorInstructions.best.rawValue }
}

#if !hasFeature(Embedded)
extension VectorInstructions: CaseIterable {}
#endif

#if arch(x86_64)
/// What CPUID tells, and whether the system saves the registers.
private enum X86Features {
  static var hasAVX2: Bool { savesRegisters(0x6) && leaf7.b & (1 &<< 5) != 0 }

  static var hasVNNI: Bool {
    let words: UInt32 = 1 &<< 16 | 1 &<< 17 | 1 &<< 30 | 1 &<< 31 | 1 &<< 8
    return savesRegisters(0xE6) && leaf7.b & words == words && leaf7.c & (1 &<< 11) != 0
  }

  /// F, DQ, BW, VL, BMI2 in B; VNNI in C.
  private static var leaf7: abacus_cpuid_registers {
    abacus_cpuid(0).a >= 7 ? abacus_cpuid(7) : abacus_cpuid_registers()
  }

  /// - Parameter mask: XMM, YMM and, for AVX-512, masks and ZMM.
  private static func savesRegisters(_ mask: UInt32) -> Bool {
    abacus_cpuid(1).c & (1 &<< 27) != 0 && abacus_saved_registers() & mask == mask
  }
}
#endif

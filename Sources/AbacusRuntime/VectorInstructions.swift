import CAbacus

/// The vector instructions for which 64-bit CPUs have inner loops, each kind in a module of its own;
/// microcontrollers have theirs compiled in.
public enum VectorInstructions: UInt32, Sendable {
  /// Those that every CPU of the kind has, in plain loops.
  case common = 0
  /// x86-64 with AVX2.
  case avx2
  /// x86-64 with AVX-512 and VNNI.
  case vnni
  /// AArch64 with SDOT.
  case sdot

  /// The best that this CPU has.
  static var best: VectorInstructions {
    #if arch(x86_64)
    if VectorInstructions.vnni.isHere { return .vnni }
    if VectorInstructions.avx2.isHere { return .avx2 }
    #elseif arch(arm64)
    if VectorInstructions.sdot.isHere { return .sdot }
    #endif
    return .common
  }

  /// This CPU has them, and the system saves their registers.
  public var isHere: Bool {
    #if arch(x86_64)
    switch self {
    case .common: return true
    case .avx2: return X86Features.hasAVX2
    case .vnni: return X86Features.hasVNNI
    case .sdot: return false
    }
    #elseif arch(arm64) && os(macOS)
    return self == .common || self == .sdot
    #elseif arch(arm64)
    return self == .common || self == .sdot && abacus_instruction_features() &>> 44 & 15 != 0
    #else
    return self == .common
    #endif
  }
}

#if !hasFeature(Embedded)
extension VectorInstructions: CaseIterable {}
#endif

#if arch(x86_64)
/// What CPUID and XGETBV tell.
private enum X86Features {
  static var hasAVX2: Bool { savesRegisters(0x6) && leaf7.b & (1 &<< 5) != 0 }

  static var hasVNNI: Bool {
    // F, DQ, BW, VL and BMI2; VNNI.
    let words: UInt32 = 1 &<< 16 | 1 &<< 17 | 1 &<< 30 | 1 &<< 31 | 1 &<< 8
    return savesRegisters(0xE6) && leaf7.b & words == words && leaf7.c & (1 &<< 11) != 0
  }

  private static var leaf7: abacus_cpuid_registers {
    abacus_cpuid(0).a >= 7 ? abacus_cpuid(7) : abacus_cpuid_registers()
  }

  /// - Parameter mask: XMM, YMM and, for AVX-512, masks and ZMM.
  private static func savesRegisters(_ mask: UInt32) -> Bool {
    abacus_cpuid(1).c & (1 &<< 27) != 0 && abacus_saved_registers() & mask == mask
  }
}
#endif

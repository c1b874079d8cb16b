import AbacusFormat
import CAbacus

// Element-wise operators with two inputs; `BinaryParameters` has their formulas.

private enum Add: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    weightedSum(a, p.multiplierA, b, p.multiplierB, shift: p.stage.shift)
  }
}

/// Of codes of 8 or 16 bits.
enum Multiply: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    requantize(a &* b, p.multiplierA, shift: p.stage.shift)
  }
}

private enum SquaredDifference: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    let t = weightedSum(a, p.multiplierA, b, p.multiplierB, shift: p.innerShift)
    return requantize(t &* t, p.outerMultiplier, shift: p.stage.shift)
  }
}

private enum Maximum: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    max(
      requantize(a, p.multiplierA, shift: p.stage.shift),
      requantize(b, p.multiplierB, shift: p.stage.shift))
  }
}

private enum Minimum: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    min(
      requantize(a, p.multiplierA, shift: p.stage.shift),
      requantize(b, p.multiplierB, shift: p.stage.shift))
  }
}

private enum Prelu: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    a >= 0
      ? requantize(a, p.multiplierA, shift: p.stage.shift)
      : requantize(a &* b, p.multiplierB, shift: p.stage.shift)
  }
}

@c(abacus_run_add)
public func runAdd(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if DenseAdd.suits(call.parameters(BinaryParameters.self)) { addDense(call) } else { broadcast(call, Add.self) }
}

private func addDense(_ call: Invocation) {
  let p = call.parameters(BinaryParameters.self)
  let a: Elements<Int8> = call.elements(Operands.input)
  let b: Elements<Int8> = call.elements(Operands.second)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let length = Int(truncatingIfNeeded: p.dims[5])
  #if ABACUS_MVE
  if VectorAdd.suits(p) {
    let sum = VectorAdd(p)
    for unit in call.units {
      let start = p.start(of: unit)
      sum.run(a.dropping(start.a), b.dropping(start.b), output.dropping(unit &* length), length)
    }
    return
  }
  #endif
  let sum = DenseAdd(p)
  for unit in call.units {
    let start = p.start(of: unit)
    let target = output.dropping(unit &* length)
    #if arch(x86_64) || arch(arm64)
    if call.vectors != .common {
      sum.run(call.vectors, a.dropping(start.a), b.dropping(start.b), target, length)
      continue
    }
    #endif
    sum.run(a.dropping(start.a), b.dropping(start.b), target, length)
  }
}

@c(abacus_run_multiply)
public func runMultiply(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcast(Invocation(call), Multiply.self)
}

@c(abacus_run_squared_difference)
public func runSquaredDifference(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcast(Invocation(call), SquaredDifference.self)
}

@c(abacus_run_maximum)
public func runMaximum(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcast(Invocation(call), Maximum.self)
}

@c(abacus_run_minimum)
public func runMinimum(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcast(Invocation(call), Minimum.self)
}

@c(abacus_run_prelu)
public func runPrelu(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcast(Invocation(call), Prelu.self)
}

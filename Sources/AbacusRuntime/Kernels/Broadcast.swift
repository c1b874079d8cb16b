import AbacusFormat

/// What an element-wise operator with two inputs does to one pair of codes.
protocol BinaryKernel {
  /// The unclamped result, before the zero point of the output is added.
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32
}

/// Runs `Kernel` over two tensors with broadcasting. A unit is one run of the last dimension.
@inline(__always)
func broadcast<Kernel: BinaryKernel>(_ call: Invocation, _: Kernel.Type) {
  let p = call.parameters(BinaryParameters.self)
  let a: Elements<Int8> = call.elements(Operands.input)
  let b: Elements<Int8> = call.elements(Operands.second)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let length = Int(truncatingIfNeeded: p.dims[5])
  let strideA = Int(truncatingIfNeeded: p.strideA[5])
  let strideB = Int(truncatingIfNeeded: p.strideB[5])

  for unit in call.units {
    let start = p.start(of: unit)
    for i in 0..<length {
      let value = Kernel.combine(
        Int32(a[start.a &+ i &* strideA]) &- p.zeroPointA,
        Int32(b[start.b &+ i &* strideB]) &- p.zeroPointB, p)
      output[unit &* length &+ i] = Int8(truncatingIfNeeded: p.stage.finish(value))
    }
  }
}

/// The same for operands of any width, and where the operator's table says *rows*.
@inline(__always)
func broadcastWide<Kernel: BinaryKernel>(_ call: Invocation, _: Kernel.Type) {
  let p = call.parameters(BinaryParameters.self)
  let a = WideElements(call, Operands.input)
  let b = WideElements(call, Operands.second)
  let output = WideOutput(call)
  let length = Int(truncatingIfNeeded: p.dims[5])
  let strideA = Int(truncatingIfNeeded: p.strideA[5])
  let strideB = Int(truncatingIfNeeded: p.strideB[5])

  for unit in call.units {
    let start = p.start(of: unit)
    // A block of rows has the strides of the output.
    let startA = start.a &- call.origin(Operands.input) &* length
    let startB = start.b &- call.origin(Operands.second) &* length
    let target = (unit &- call.origin(Operands.output)) &* length
    for i in 0..<length {
      let value = Kernel.combine(
        a[startA &+ i &* strideA] &- p.zeroPointA, b[startB &+ i &* strideB] &- p.zeroPointB, p)
      output.store(p.stage.finish(value), at: target &+ i)
    }
  }
}

extension BinaryParameters {
  /// Where the runs of a unit begin in both inputs.
  @inline(__always)
  func start(of unit: Int) -> (a: Int, b: Int) {
    var rest = unit
    var start = (a: 0, b: 0)
    for step in 0..<5 {
      let dimension = 4 &- step
      let extent = Int(truncatingIfNeeded: dims[dimension])
      if extent == 1 { continue }
      let index = rest % extent
      rest = rest / extent
      start.a = start.a &+ index &* Int(truncatingIfNeeded: strideA[dimension])
      start.b = start.b &+ index &* Int(truncatingIfNeeded: strideB[dimension])
    }
    return start
  }
}

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
    var rest = unit
    var startA = 0
    var startB = 0
    for step in 0..<5 {
      let dimension = 4 &- step
      let extent = Int(truncatingIfNeeded: p.dims[dimension])
      if extent == 1 { continue }
      let index = rest % extent
      rest = rest / extent
      startA = startA &+ index &* Int(truncatingIfNeeded: p.strideA[dimension])
      startB = startB &+ index &* Int(truncatingIfNeeded: p.strideB[dimension])
    }
    for i in 0..<length {
      let value = Kernel.combine(
        Int32(a[startA &+ i &* strideA]) &- p.zeroPointA,
        Int32(b[startB &+ i &* strideB]) &- p.zeroPointB, p)
      output[unit &* length &+ i] = Int8(truncatingIfNeeded: p.stage.finish(value))
    }
  }
}

import AbacusFormat

@testable import AbacusPack

// Wrong parameters and operands of each operator.

extension Refusal {
  /// Changes the tensor in a slot of the first operator with an opcode.
  static func operand(
    _ opcode: Opcode, _ slot: Int, _ name: String, _ status: AbacusFormat.Status = .corrupt,
    _ change: @escaping @Sendable (inout TensorRecord) -> Void
  ) -> Refusal {
    Refusal("\(opcode): \(name)", status) { $0.tensor($0.operand(opcode, slot), change) }
  }

  static func parameters<Record: BitwiseCopyable>(
    _ opcode: Opcode, _ type: Record.Type, _ name: String,
    _ change: @escaping @Sendable (inout Record) -> Void
  ) -> Refusal {
    Refusal("\(opcode): \(name)") { $0.parameters(opcode, type, change) }
  }

  static func missing(_ opcode: Opcode, _ slot: Int) -> Refusal {
    Refusal("\(opcode): nothing in slot \(slot)") { editor in
      editor.step(editor.first(opcode)) { $0.operands[slot] = TensorRecord.none }
    }
  }

  /// Changes the first operator with an opcode and a variant.
  static func form(
    _ opcode: Opcode, _ variant: UInt8, _ name: String,
    _ change: @escaping @Sendable (inout BlobEditor, Int) -> Void
  ) -> Refusal {
    Refusal("\(opcode), variant \(variant): \(name)") { editor in
      let index = (0..<Int(editor.header.operatorCount)).first {
        editor.record($0).opcode == opcode.rawValue && editor.record($0).variant == variant
      }!
      change(&editor, index)
    }
  }

  static func formParameters<Record: BitwiseCopyable>(
    _ opcode: Opcode, _ variant: UInt8, _ type: Record.Type, _ name: String,
    _ change: @escaping @Sendable (inout Record) -> Void
  ) -> Refusal {
    form(opcode, variant, name) { editor, index in
      editor.edit(.parameters, Int(editor.record(index).parameterOffset), type, change)
    }
  }

  static let imageOperators: [Refusal] =
    [Opcode.convolution, .depthwiseConvolution].flatMap { opcode -> [Refusal] in
      let type = ConvolutionParameters.self
      return [
        parameters(opcode, type, "shift 0") { $0.stage.shift = 0 },
        parameters(opcode, type, "shift 63") { $0.stage.shift = 63 },
        parameters(opcode, type, "clamp upside down") { ($0.stage.low, $0.stage.high) = (1, 0) },
        parameters(opcode, type, "clamp below int8") { $0.stage.low = -129 },
        parameters(opcode, type, "clamp above int8") { $0.stage.high = 128 },
        parameters(opcode, type, "zero point") { $0.stage.zeroPoint = 128 },
        parameters(opcode, type, "window") { $0.window.height = 0 },
        parameters(opcode, type, "window that is not the weights'") { $0.window.width = 4 },
        parameters(opcode, type, "stride") { $0.window.strideHeight = .max },
        parameters(opcode, type, "stride of 16 bits") { $0.window.strideWidth = 1 << 15 },
        parameters(opcode, type, "dilation 0") { $0.window.dilationWidth = 0 },
        parameters(opcode, type, "dilation") { $0.window.dilationWidth = 1 << 16 },
        parameters(opcode, type, "padding") { $0.window.padLeft = 1 << 16 },
        missing(opcode, Operands.weights), missing(opcode, Operands.channels),
        operand(opcode, Operands.channels, "too few channels") {
          $0.dims[0] -= 1
          $0.byteCount -= 8
        },
        operand(opcode, Operands.shifts, "too few shifts") {
          $0.dims[0] -= 1
          $0.byteCount -= 1
        },
        operand(opcode, Operands.weights, "unsigned weights", .unsupportedOperator) { $0.elementType = 2 },
      ]
    } + [
      missing(.convolution, Operands.scratch),
      operand(.convolution, Operands.scratch, "too little scratch") {
        $0.dims[0] -= 4
        $0.byteCount -= 4
      },
      parameters(.maxPool, PoolParameters.self, "dilation") { $0.window.dilationHeight = 2 },
      parameters(.maxPool, PoolParameters.self, "clamp") { $0.stage.high = 1000 },
      parameters(.averagePool, PoolParameters.self, "more taps than reciprocals") { $0.window.height = 3 },
      missing(.averagePool, Operands.weights),
      parameters(.fullyConnected, FullyConnectedParameters.self, "shift") { $0.stage.shift = -1 },
      operand(.fullyConnected, Operands.weights, "rank of weights") { ($0.rank, $0.dims[2]) = (3, 1) },
      operand(.fullyConnected, Operands.weights, "depth") { ($0.dims[0], $0.dims[1]) = (16, 3) },
      parameters(.softmax, SoftmaxParameters.self, "row of 0") { $0.rowLength = 0 },
      parameters(.softmax, SoftmaxParameters.self, "row of 4096") { $0.rowLength = 4096 },
      parameters(.softmax, SoftmaxParameters.self, "row of another length") { $0.rowLength = 2 },
      parameters(.softmax, SoftmaxParameters.self, "negative multiplier") { $0.multiplier = -2 },
      parameters(.softmax, SoftmaxParameters.self, "shift") { $0.shift = 0 },
    ]

  static let sequenceOperators: [Refusal] =
    [Opcode.add, .multiply, .squaredDifference, .maximum, .minimum, .prelu].flatMap { opcode -> [Refusal] in
      let type = BinaryParameters.self
      return [
        parameters(opcode, type, "extent") { $0.dims[5] += 1 },
        parameters(opcode, type, "extent 0") { $0.dims[0] = 0 },
        parameters(opcode, type, "stride of A") { $0.strideA[5] = 100 },
        parameters(opcode, type, "stride of B") { $0.strideB[5] = 1 << 31 },
        parameters(opcode, type, "shift") { $0.stage.shift = 64 },
        parameters(opcode, type, "inner shift") { $0.innerShift = 0 },
        missing(opcode, Operands.second),
      ]
    } + [
      parameters(.matrixMultiply, MatrixMultiplyParameters.self, "depth") { $0.depth = 40 },
      parameters(.matrixMultiply, MatrixMultiplyParameters.self, "endless depth") {
        ($0.depth, $0.depthStrideA, $0.depthStrideB) = (.max, 0, 0)
      },
      parameters(.matrixMultiply, MatrixMultiplyParameters.self, "columns") { $0.columns = 2 },
      parameters(.matrixMultiply, MatrixMultiplyParameters.self, "batch stride") { $0.batchStrideB[3] = 99 },
      parameters(.matrixMultiply, MatrixMultiplyParameters.self, "batch 0") { $0.batch[0] = 0 },
      parameters(.reduce, ReduceParameters.self, "axes that do not exist") { $0.axes |= 1 << 6 },
      parameters(.reduce, ReduceParameters.self, "axes") { $0.axes = 1 },
      Refusal("reduce: variant", .unsupportedOperator) { editor in
        editor.step(editor.first(.reduce)) { $0.variant = 3 }
      },
      Refusal("copy: variant", .unsupportedOperator) { editor in
        editor.step(editor.first(.copy)) { $0.variant = 2 }
      },
      parameters(.copy, CopyParameters.self, "source offset") { $0.sourceOffset = 24 },
      parameters(.copy, CopyParameters.self, "destination offset") { $0.destinationOffset = 1 << 30 },
      parameters(.copy, CopyParameters.self, "source before the start") { $0.sourceStrides[5] = -1 },
      parameters(.copy, CopyParameters.self, "least stride") { $0.sourceStrides[5] = .min },
      parameters(.copy, CopyParameters.self, "destination stride") { $0.destinationStrides[5] = 1000 },
      parameters(.copy, CopyParameters.self, "endless extent") {
        ($0.dims[5], $0.sourceStrides[5], $0.destinationStrides[5]) = (.max, 0, 0)
      },
      parameters(.copy, CopyParameters.self, "extent 0") { $0.dims[5] = 0 },
      parameters(.gather, GatherParameters.self, "axis") { $0.axis = 4 },
      parameters(.gather, GatherParameters.self, "inner") { $0.inner = 0 },
      parameters(.gather, GatherParameters.self, "indices") { $0.indices = 3 },
      missing(.gather, Operands.second),
      missing(.table, Operands.weights),
      operand(.table, Operands.weights, "too short") { ($0.dims[0], $0.byteCount) = (128, 128) },
      parameters(.requantize, RequantizeParameters.self, "clamp above int16") { $0.stage.high = 40_000 },
      parameters(.requantize, RequantizeParameters.self, "shift") { $0.stage.shift = 0 },
      operand(.requantize, Operands.output, "another size") { ($0.dims[1], $0.byteCount) = (5, 80) },
    ]
}

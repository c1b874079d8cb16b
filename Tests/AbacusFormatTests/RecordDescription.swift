import Testing

@testable import AbacusFormat

/// The fields of one record with their offsets in memory, under the heading of its table in the
/// specification.
struct RecordDescription: Sendable, CustomTestStringConvertible {
  let heading: String
  let fields: [String: Int]

  var testDescription: String { heading }

  private init<Record>(
    _ heading: String, _: Record.Type, _ fields: KeyValuePairs<String, PartialKeyPath<Record>>
  ) {
    self.heading = heading
    self.fields = Dictionary(
      uniqueKeysWithValues: fields.map { ($0.key, MemoryLayout<Record>.offset(of: $0.value) ?? -1) })
  }

  static let all = [
    RecordDescription(
      "Header", HeaderRecord.self,
      [
        "magic": \.magic, "formatVersion": \.formatVersion, "headerBytes": \.headerBytes,
        "blobBytes": \.blobBytes, "libraryVersion": \.libraryVersion, "arenaBytes": \.arenaBytes,
        "stackBytes": \.stackBytes, "multiplyAccumulates": \.multiplyAccumulates,
        "tensorCount": \.tensorCount, "operatorCount": \.operatorCount, "inputCount": \.inputCount,
        "outputCount": \.outputCount, "flags": \.flags, "sections": \.sections, "positionTensor": \.positionTensor,
        "positionStep": \.positionStep, "positionLimit": \.positionLimit,
        "planChecksum": \.planChecksum, "contentChecksum": \.contentChecksum,
      ]),
    RecordDescription(
      "Tensors", TensorRecord.self,
      [
        "elementType": \.elementType, "placement": \.placement, "rank": \.rank, "layout": \.layout,
        "offset": \.offset, "byteCount": \.byteCount, "dims": \.dims,
        "scaleMultiplier": \.scaleMultiplier, "zeroPoint": \.zeroPoint, "scaleShift": \.scaleShift,
        "flags": \.flags, "blockRows": \.blockRows, "blockColumns": \.blockColumns,
        "auxiliary": \.auxiliary,
      ]),
    RecordDescription(
      "Operators", OperatorRecord.self,
      [
        "opcode": \.opcode, "variant": \.variant, "flags": \.flags,
        "parameterOffset": \.parameterOffset, "units": \.units, "unitsPerStep": \.unitsPerStep,
        "delay": \.delay, "operands": \.operands,
      ]),
    RecordDescription(
      "Output stage", OutputStage.self,
      ["shift": \.shift, "zeroPoint": \.zeroPoint, "low": \.low, "high": \.high]),
    RecordDescription(
      "Window", Window.self,
      [
        "height": \.height, "width": \.width, "strideHeight": \.strideHeight,
        "strideWidth": \.strideWidth, "dilationHeight": \.dilationHeight,
        "dilationWidth": \.dilationWidth, "padTop": \.padTop, "padLeft": \.padLeft,
      ]),
    RecordDescription(
      "1 fully_connected", FullyConnectedParameters.self,
      ["stage": \.stage, "weightZeroPoint": \.weightZeroPoint]),
    RecordDescription(
      "2 convolution, 3 depthwise_convolution", ConvolutionParameters.self,
      [
        "window": \.window, "stage": \.stage, "inputZeroPoint": \.inputZeroPoint,
        "weightZeroPoint": \.weightZeroPoint,
      ]),
    RecordDescription(
      "4 matrix_multiply", MatrixMultiplyParameters.self,
      [
        "batch": \.batch, "batchStrideA": \.batchStrideA, "batchStrideB": \.batchStrideB,
        "rows": \.rows, "columns": \.columns, "depth": \.depth, "rowStrideA": \.rowStrideA,
        "depthStrideA": \.depthStrideA, "columnStrideB": \.columnStrideB,
        "depthStrideB": \.depthStrideB, "zeroPointA": \.zeroPointA, "zeroPointB": \.zeroPointB,
        "multiplier": \.multiplier, "stage": \.stage,
      ]),
    RecordDescription(
      "5 add, 6 multiply, 7 squared_difference, 8 maximum, 9 minimum, 10 prelu", BinaryParameters.self,
      [
        "dims": \.dims, "strideA": \.strideA, "strideB": \.strideB, "zeroPointA": \.zeroPointA,
        "zeroPointB": \.zeroPointB, "multiplierA": \.multiplierA, "multiplierB": \.multiplierB,
        "innerShift": \.innerShift, "outerMultiplier": \.outerMultiplier, "stage": \.stage,
      ]),
    RecordDescription(
      "11 max_pool, 12 average_pool", PoolParameters.self,
      ["window": \.window, "stage": \.stage, "inputZeroPoint": \.inputZeroPoint]),
    RecordDescription(
      "13 reduce", ReduceParameters.self,
      [
        "axes": \.axes, "inputZeroPoint": \.inputZeroPoint, "multiplier": \.multiplier,
        "stage": \.stage,
      ]),
    RecordDescription(
      "14 copy", CopyParameters.self,
      [
        "dims": \.dims, "sourceStrides": \.sourceStrides, "destinationStrides": \.destinationStrides,
        "sourceOffset": \.sourceOffset, "destinationOffset": \.destinationOffset, "fill": \.fill,
      ]),
    RecordDescription(
      "15 gather", GatherParameters.self,
      [
        "batch": \.batch, "outer": \.outer, "axis": \.axis, "indices": \.indices, "inner": \.inner,
      ]),
    RecordDescription(
      "16 softmax", SoftmaxParameters.self,
      ["rowLength": \.rowLength, "multiplier": \.multiplier, "shift": \.shift]),
    RecordDescription(
      "18 requantize", RequantizeParameters.self,
      ["inputZeroPoint": \.inputZeroPoint, "multiplier": \.multiplier, "stage": \.stage]),
    RecordDescription(
      "Shift exponent", ShiftExponentParameters.self,
      [
        "unit": \.unit, "octaves": \.octaves, "quotientBits": \.quotientBits, "keepsHalfBit": \.keepsHalfBit,
      ]),
    RecordDescription(
      "19 project", ProjectParameters.self,
      [
        "stage": \.stage, "residualZeroPoint": \.residualZeroPoint,
        "residualMultiplier": \.residualMultiplier, "residualShift": \.residualShift,
        "branchMultiplier": \.branchMultiplier, "branchShift": \.branchShift,
      ]),
    RecordDescription(
      "31 sparse_project", SparseProjectParameters.self, ["project": \.project, "depth": \.depth]),
    RecordDescription(
      "20 normalize", NormalizeParameters.self,
      [
        "stage": \.stage, "rowLength": \.rowLength, "inputZeroPoint": \.inputZeroPoint,
        "epsilonLow": \.epsilonLow, "epsilonHigh": \.epsilonHigh, "rootStart": \.rootStart,
      ]),
    RecordDescription(
      "21 activation", ActivationParameters.self,
      [
        "stage": \.stage, "multiplier": \.multiplier, "rowLength": \.rowLength,
        "inputZeroPoint": \.inputZeroPoint, "inputMultiplier": \.inputMultiplier,
        "inputShift": \.inputShift, "exponent": \.exponent, "isScaled": \.isScaled,
      ]),
    RecordDescription(
      "22 attention", AttentionParameters.self,
      [
        "stage": \.stage, "heads": \.heads, "keyValueHeads": \.keyValueHeads, "depth": \.depth,
        "valueDepth": \.valueDepth, "keys": \.keys, "isCausal": \.isCausal, "block": \.block,
        "exponent": \.exponent,
      ]),
    RecordDescription(
      "23 rotary", RotaryParameters.self,
      [
        "stage": \.stage, "heads": \.heads, "depth": \.depth, "positions": \.positions,
        "isInterleaved": \.isInterleaved,
      ]),
    RecordDescription("24 append", AppendParameters.self, ["rowLength": \.rowLength]),
    RecordDescription(
      "25 embed", EmbedParameters.self,
      ["stage": \.stage, "entries": \.entries, "rowLength": \.rowLength]),
    RecordDescription(
      "28 softmax_wide", SoftmaxWideParameters.self,
      [
        "rowLength": \.rowLength, "multiplier": \.multiplier, "shift": \.shift, "exponent": \.exponent,
      ]),
  ]
}

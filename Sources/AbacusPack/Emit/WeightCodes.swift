import AbacusFormat

// Weights of few bits between the packer's form and the blob's (`CodeLayout`).

extension WeightFormat {
  /// The element type of codes in a blob.
  var elementType: ElementType {
    switch bits {
    case 4: .int4
    case 2: .int2
    default: .int8
    }
  }

  var codeGrid: CodeGrid {
    switch grid {
    case .symmetric: .symmetric
    case .odd: .odd
    case .offset: .offset
    }
  }
}

extension RoundedWeights {
  /// Words of pairs of channels, as ``CodeLayout`` says. The channel that an odd number lacks holds fields of 0.
  var codeBytes: [UInt8] {
    let (type, grid) = (format.elementType, format.codeGrid)
    let perWord = CodeLayout.perWord(type)
    let wordsOfChannel = CodeLayout.words(depth: depth, type)
    var words = [UInt32](repeating: 0, count: (channels + 1) / 2 * 2 * wordsOfChannel)
    for (index, code) in codes.enumerated() {
      let (n, k) = (index / depth, index % depth)
      let field = UInt32((Int32(code) - grid.offset(type)) / grid.factor)
      words[(n / 2 * wordsOfChannel + k / perWord) * 2 + n % 2] |= field << UInt32(CodeLayout.shift(k % perWord, type))
    }
    return words.flatMap(littleEndianBytes)
  }
}

extension Tensor {
  /// Weights of few bits, be they of our own rounding or of the model's.
  var fewBits: RoundedWeights? {
    if let rounded { return rounded }
    guard type == .int4, let data, let quantization, quantization.zeroPoints.allSatisfy({ $0 == 0 }), shape.count >= 2
    else { return nil }
    return RoundedWeights(
      format: WeightFormat(bits: 4, grid: .symmetric), channels: shape[0], depth: elementCount / shape[0],
      codes: data.map { Int8(bitPattern: $0) }, scales: quantization.scales, relativeScales: [], zeros: [])
  }
}

extension BlobDescription {
  /// The integers [channels, depth] that weights of few bits stand for, whichever operator they belong to.
  func integers(ofCodes weights: Int, groupScales: Int?, groupZeros: Int?) -> [Int] {
    let record = tensors[weights]
    guard let type = ElementType(rawValue: record.elementType), let grid = CodeGrid(rawValue: record.blockColumns) else {
      return []
    }
    let channels = Int(record.dims[0])
    let depth = (1..<6).reduce(1) { $0 * Int(record.dims[$1]) }
    let words = constant(weights, UInt32.self)
    let scales = groupScales.map { constant($0, UInt8.self) }
    let zeros = groupZeros.map { constant($0, Int8.self) }
    let groupSize = scales == nil ? depth : Int(record.auxiliary)
    let groups = (depth + groupSize - 1) / groupSize
    let (perWord, wordsOfChannel) = (CodeLayout.perWord(type), CodeLayout.words(depth: depth, type))
    let mask = (UInt32(1) << type.bits) - 1
    return (0..<channels * depth).map { index in
      let (n, k) = (index / depth, index % depth)
      let word = words[(n / 2 * wordsOfChannel + k / perWord) * 2 + n % 2]
      let field = Int32(word >> UInt32(CodeLayout.shift(k % perWord, type)) & mask)
      let group = n * groups + k / groupSize
      return Int(grid.factor * field + grid.offset(type)) * Int(scales?[group] ?? record.blockRows)
        + Int(CodeLayout.zeroUnit) * Int(zeros?[group] ?? 0)
    }
  }
}

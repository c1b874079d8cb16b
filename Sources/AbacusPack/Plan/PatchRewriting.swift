import AbacusFormat

/// A stage of a program run patch by patch: its operators once for each patch of the stage's output, on the part of
/// the stage's input that the patch depends on. What neighbouring patches share is computed in each.
///
/// Operators keep their constants; shapes, padding and scratch are those of the patch. Parts of whole rows are
/// views; others are copied, and so are parts of an image that one reader needs more of than another.
struct PatchRewriting {
  private let source: Program
  private let stage: PatchStage
  private let patch: Region
  private let number: Int
  private let regions: [Program.TensorIndex: Region]
  private var result: Program
  private var steps: [Program.Step] = []
  /// The patch's own tensors, each a region of a tensor of the stage.
  private var parts: [Part: Program.TensorIndex] = [:]

  private struct Part: Hashable {
    let tensor: Program.TensorIndex
    let region: Region
  }

  /// Nil where the stage cannot be cut so.
  static func rewritten(_ program: Program, _ stage: PatchStage, _ grid: PatchGrid) -> Program? {
    var (result, steps) = (program, [Program.Step]())
    for (number, patch) in grid.regions(of: program.tensors[stage.output].shape).enumerated() {
      guard var rewriting = PatchRewriting(program, stage, patch, number, into: result), rewriting.run() else { return nil }
      result = rewriting.result
      steps += rewriting.steps
    }
    let between = stage.range.dropLast().compactMap { program.steps[$0].operands[Operands.output] }
    result.steps.replaceSubrange(stage.range, with: steps)
    result.patching = Program.Patching(
      operators: stage.range, grid: grid,
      recomputed: Int(result.multiplyAccumulates) - Int(program.multiplyAccumulates),
      bytesBetween: between.reduce(0) { $0 + program.tensors[$1].byteCount })
    return result
  }

  private init?(_ program: Program, _ stage: PatchStage, _ patch: Region, _ number: Int, into result: Program) {
    guard let regions = stage.regions(for: patch, in: program) else { return nil }
    (source, self.stage, self.patch, self.number, self.regions, self.result) = (program, stage, patch, number, regions, result)
  }

  private mutating func run() -> Bool {
    guard let region = regions[stage.input] else { return false }
    parts[Part(tensor: stage.input, region: region)] = inputPart(region)
    for index in stage.range {
      guard add(source.steps[index]) else { return false }
    }
    for index in steps.indices { steps[index].patch = number }
    return true
  }

  // MARK: Steps

  private mutating func add(_ original: Program.Step) -> Bool {
    guard let made = original.operands[Operands.output], let region = regions[made],
      let needed = PatchStage.region(neededBy: original, for: region, in: source)
    else { return false }
    var step = original
    for (slot, operand) in original.operands where slot != Operands.output {
      guard case .buffer = source.tensors[operand].storage, let whole = regions[operand] else { continue }
      let isExact = WindowSweep(original, in: source)?.isPointwise ?? true
      let starts = whole.rows.lowerBound == needed.rows.lowerBound && whole.columns.lowerBound == needed.columns.lowerBound
      // A window does not look behind what it needs.
      step.operands[slot] = part(of: operand, starts && !isExact ? whole : needed)
    }
    let height = region.rows.count, width = region.columns.count
    let isPlaced = made == stage.output ? outputView(region) : nil
    let output = isPlaced ?? addPart(of: made, region)
    step.operands[Operands.output] = output
    let pixels = source.tensors[made].shape[1] * source.tensors[made].shape[2]
    step.multiplyAccumulates = original.multiplyAccumulates / UInt64(pixels) * UInt64(region.pixels)
    if let sweep = WindowSweep(original, in: source) {
      if sweep.hasPaddedPoints { return false }
      step.units = height
      step.setPadding(
        top: sweep.padTop(at: region.rows.lowerBound), left: sweep.padLeft(at: region.columns.lowerBound))
      renewScratch(&step, height: height, width: width)
    } else {
      step.units = 1
      if original.opcode != .table { step.setRows(1, of: region.pixels * source.tensors[made].shape[3]) }
    }
    steps.append(step)
    if made == stage.output && isPlaced == nil {
      steps.append(
        .copy(
          from: output, at: (0, 0), to: made, at: (region.rows.lowerBound, region.columns.lowerBound), height: height,
          width: width, in: result, origin: original.origin))
    }
    return true
  }

  /// Scratch is a step's own, and that of depthwise lines as long as the patch.
  private mutating func renewScratch(_ step: inout Program.Step, height: Int, width: Int) {
    guard let scratch = step.operands[Operands.scratch] else { return }
    var tensor = source.tensors[scratch]
    if step.opcode == .depthwiseConvolution {
      let window = step.parameters(ConvolutionParameters.self).window
      tensor.shape = [
        Int(DepthwiseLines.scratchBytes(window, outputHeight: UInt32(height), outputWidth: UInt32(width)))
      ]
    }
    step.operands[Operands.scratch] = result.addTensor(tensor)
  }

  // MARK: Parts

  /// A region of a tensor of which the patch has at least that.
  private mutating func part(of tensor: Program.TensorIndex, _ region: Region) -> Program.TensorIndex? {
    if let known = parts[Part(tensor: tensor, region: region)] { return known }
    guard let whole = regions[tensor], let from = parts[Part(tensor: tensor, region: whole)] else { return nil }
    let part = addPart(of: tensor, region)
    let start = (region.rows.lowerBound - whole.rows.lowerBound, region.columns.lowerBound - whole.columns.lowerBound)
    steps.append(
      .copy(
        from: from, at: start, to: part, at: (0, 0), height: region.rows.count, width: region.columns.count, in: result,
        origin: "patch of \"\(source.tensors[tensor].name)\""))
    return part
  }

  /// A tensor of its own for a region. It has no name: names take flash.
  private mutating func addPart(of tensor: Program.TensorIndex, _ region: Region) -> Program.TensorIndex {
    var part = source.tensors[tensor]
    part.name = ""
    part.shape = [1, region.rows.count, region.columns.count, part.shape[3]]
    part.storage = .buffer(result.addBuffer(bytes: part.byteCount), offset: 0)
    let index = result.addTensor(part)
    parts[Part(tensor: tensor, region: region)] = index
    return index
  }

  private mutating func inputPart(_ region: Region) -> Program.TensorIndex {
    if region == Region.whole(source.tensors[stage.input].shape) { return stage.input }
    if let view = view(of: stage.input, region) { return view }
    let part = addPart(of: stage.input, region)
    steps.append(
      .copy(
        from: stage.input, at: (region.rows.lowerBound, region.columns.lowerBound), to: part, at: (0, 0),
        height: region.rows.count, width: region.columns.count, in: result,
        origin: "patch of \"\(source.tensors[stage.input].name)\""))
    return part
  }

  private mutating func outputView(_ region: Region) -> Program.TensorIndex? { view(of: stage.output, region) }

  /// Whole rows of a tensor as they lie there; nil where they are not whole or not aligned.
  private mutating func view(of tensor: Program.TensorIndex, _ region: Region) -> Program.TensorIndex? {
    var view = source.tensors[tensor]
    let start = region.rows.lowerBound * view.rowBytes
    guard region.columns.count == view.shape[2], case .buffer(let buffer, let offset) = view.storage,
      (offset + start) % Int(Limits.tensorAlignment) == 0
    else { return nil }
    view.name = ""
    view.shape[1] = region.rows.count
    view.storage = .buffer(buffer, offset: offset + start)
    return result.addTensor(view)
  }
}

extension WindowSweep {
  /// The window of an output pixel is the input pixel.
  var isPointwise: Bool {
    window.height == 1 && window.width == 1 && window.strideHeight == 1 && window.strideWidth == 1
      && window.padTop == 0 && window.padLeft == 0 && input.height == output.height && input.width == output.width
  }

  /// Windows of one pixel, some of them padding: without it they would be another kind of step.
  fileprivate var hasPaddedPoints: Bool {
    window.height == 1 && window.width == 1 && (input.height != output.height || input.width != output.width)
      && window.strideHeight == 1 && window.strideWidth == 1
  }

  /// Rows of padding above the window of an output row, and columns beside that of an output column.
  fileprivate func padTop(at row: Int) -> Int { max(Int(window.padTop) - row * Int(window.strideHeight), 0) }
  fileprivate func padLeft(at column: Int) -> Int { max(Int(window.padLeft) - column * Int(window.strideWidth), 0) }
}

extension Program.Step {
  fileprivate mutating func setPadding(top: Int, left: Int) {
    func padded(_ window: Window) -> Window {
      var window = window
      (window.padTop, window.padLeft) = (UInt32(top), UInt32(left))
      return window
    }
    switch opcode {
    case .maxPool, .averagePool:
      var parameters = self.parameters(PoolParameters.self)
      parameters.window = padded(parameters.window)
      self.parameters = littleEndianBytes(parameters)
    default:
      var parameters = self.parameters(ConvolutionParameters.self)
      parameters.window = padded(parameters.window)
      self.parameters = littleEndianBytes(parameters)
    }
  }
}

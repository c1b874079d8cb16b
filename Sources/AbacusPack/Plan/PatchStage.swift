import AbacusFormat

/// Consecutive operators from one image to another, each of which makes pixels of what lies around them, so that
/// a patch of the last image can be made from a part of the first.
struct PatchStage {
  let range: Range<Int>
  let input: Program.TensorIndex
  let output: Program.TensorIndex

  /// Every stage of a program of at least two operators.
  static func all(in program: Program) -> [PatchStage] {
    let uses = Uses(program)
    var stages: [PatchStage] = []
    for start in program.steps.indices {
      var input: Program.TensorIndex?
      var made: [Program.TensorIndex] = []
      for index in start..<program.steps.count {
        guard let output = output(program.steps[index], in: program),
          let sources = sources(program.steps[index], in: program)
        else { break }
        let outside = Set(sources).subtracting(made)
        guard outside.isSubset(of: Set([input ?? outside.first].compactMap { $0 })) else { break }
        input = input ?? outside.first
        made.append(output)
        let range = start..<index + 1
        guard let input, range.count > 1, made.dropLast().allSatisfy({ uses.areInside(range, of: $0) }),
          program.location(of: input)?.buffer != program.location(of: output)?.buffer
        else { continue }
        stages.append(PatchStage(range: range, input: input, output: output))
      }
    }
    return stages
  }

  /// The image that a step makes of its neighbourhood.
  private static func output(_ step: Program.Step, in program: Program) -> Program.TensorIndex? {
    guard step.loop == nil, let output = step.operands[Operands.output], isImage(output, in: program),
      WindowSweep(step, in: program) != nil || WindowLoop.isElementwise(step, in: program)
    else { return nil }
    return output
  }

  /// Images in the arena that a step reads; nil where there are others.
  private static func sources(_ step: Program.Step, in program: Program) -> [Program.TensorIndex]? {
    let sources = step.operands.filter { slot, operand in
      guard slot != Operands.output, case .buffer = program.tensors[operand].storage else { return false }
      return true
    }.values
    return sources.allSatisfy { isImage($0, in: program) } ? Array(sources) : nil
  }

  private static func isImage(_ tensor: Program.TensorIndex, in program: Program) -> Bool {
    let tensor = program.tensors[tensor]
    guard case .buffer = tensor.storage else { return false }
    return tensor.shape.count == 4 && tensor.shape[0] == 1 && tensor.type == .int8
  }
}

/// Which steps look at which buffers, and under which names.
private struct Uses {
  private let program: Program
  private var steps: [Program.BufferIndex: Set<Int>] = [:]
  private var tensors: [Program.BufferIndex: Set<Program.TensorIndex>] = [:]

  init(_ program: Program) {
    self.program = program
    for (index, step) in program.steps.enumerated() {
      for operand in step.operands.values {
        guard let buffer = program.location(of: operand)?.buffer else { continue }
        steps[buffer, default: []].insert(index)
        tensors[buffer, default: []].insert(operand)
      }
    }
    for tensor in program.inputs + program.outputs + program.states {
      // No step has this number.
      if let buffer = program.location(of: tensor)?.buffer { steps[buffer, default: []].insert(-1) }
    }
  }

  /// Nothing outside of the range knows the tensor, which has a buffer of its own.
  func areInside(_ range: Range<Int>, of tensor: Program.TensorIndex) -> Bool {
    guard let (buffer, offset) = program.location(of: tensor), offset == 0,
      program.buffers[buffer].bytes == program.tensors[tensor].byteCount
    else { return false }
    return tensors[buffer] == [tensor] && (steps[buffer] ?? []).allSatisfy(range.contains)
  }
}

// MARK: Regions

extension PatchStage {
  /// Pixels of every image of the stage that a patch of its output needs; nil where a window of the patch would
  /// see nothing but padding.
  func regions(for patch: Region, in program: Program) -> [Program.TensorIndex: Region]? {
    var regions = [output: patch]
    for index in range.reversed() {
      let step = program.steps[index]
      guard let made = step.operands[Operands.output], let region = regions[made] else { return nil }
      for (slot, operand) in step.operands where slot != Operands.output {
        guard case .buffer = program.tensors[operand].storage else { continue }
        guard let needed = Self.region(neededBy: step, for: region, in: program) else { return nil }
        regions[operand] = regions[operand]?.hull(needed) ?? needed
      }
    }
    return regions
  }

  /// Pixels of its input that a step needs to make a region of its output.
  static func region(neededBy step: Program.Step, for made: Region, in program: Program) -> Region? {
    guard let sweep = WindowSweep(step, in: program) else { return made }
    let window = sweep.window
    guard
      let rows = needed(
        made.rows, stride: window.strideHeight, padding: window.padTop,
        reach: (window.height - 1) * window.dilationHeight + 1, extent: sweep.input.height),
      let columns = needed(
        made.columns, stride: window.strideWidth, padding: window.padLeft,
        reach: (window.width - 1) * window.dilationWidth + 1, extent: sweep.input.width)
    else { return nil }
    return Region(rows: rows, columns: columns)
  }

  private static func needed(
    _ made: Range<Int>, stride: UInt32, padding: UInt32, reach: UInt32, extent: Int
  ) -> Range<Int>? {
    let first = made.lowerBound * Int(stride) - Int(padding)
    let end = (made.upperBound - 1) * Int(stride) - Int(padding) + Int(reach)
    guard first < extent, end > 0 else { return nil }
    return max(first, 0)..<min(end, extent)
  }
}

import AbacusFormat

/// A graph lowered to the runtime's operators, before the planner orders and places it.
///
/// Run-time tensors lie in buffers; views share one. Everything that a kernel needs is decided here
/// except addresses in the arena and the order of the steps.
public struct Program: Sendable {
  public typealias TensorIndex = Int
  public typealias BufferIndex = Int

  public struct Tensor: Sendable {
    public var name: String
    public var shape: [Int]
    public var type: ElementType
    /// nil where the tensor holds no real values (tables, multipliers, indices), or where
    /// `channelScales` has one for each element of the last dimension.
    public var scale: Double?
    public var channelScales: [Double]?
    public var zeroPoint: Int
    public var storage: Storage
    public var layout = Layout.plain
    public var blockRows = 1
    public var blockColumns = 1
    /// Set where only some rows of an image exist, around those that a loop is at.
    public var lines: Lines?

    public var elementCount: Int { shape.reduce(1, *) }
    /// Bytes of a run-time tensor.
    public var byteCount: Int { elementCount * Int(type.bits) / 8 }
    /// Bytes of a row of an image.
    var rowBytes: Int { shape[2...].reduce(1, *) }
  }

  /// Rows of an image that exist while a loop goes over it.
  public struct Lines: Sendable, Equatable {
    /// Rows by which they move on in each round.
    public var rowsPerRound: Int
    /// How many rows the first is behind: in round t it is row max(0, t * rowsPerRound - behind).
    public var behind: Int
    /// Rows that exist.
    public var count: Int

    func firstRow(inRound round: Int) -> Int { max(0, round * rowsPerRound - behind) }
  }

  public enum Storage: Sendable {
    case constant([UInt8])
    /// Bytes from the start of a buffer.
    case buffer(BufferIndex, offset: Int)
    /// Working memory of one step.
    case scratch
  }

  /// Memory that the planner places as a whole.
  public struct Buffer: Sendable {
    public var bytes: Int
    /// Set when this buffer has become part of another.
    var parent: (buffer: BufferIndex, offset: Int)?
  }

  /// One operator of the runtime.
  public struct Step: Sendable {
    public var opcode: Opcode
    public var variant: UInt8 = 0
    /// Operand slot to tensor.
    public var operands: [Int: TensorIndex] = [:]
    public var parameters: [UInt8] = []
    public var units = 1
    public var multiplyAccumulates: UInt64 = 0
    /// Largest magnitude that any accumulator of this step can reach, from the actual constants.
    public var accumulatorBound: Int64 = 0
    /// Slots of inputs whose memory the output may take, element for element.
    public var inPlaceSlots: [Int] = []
    /// Slots whose operands a unit reads or writes only at its own equal share; a step that has its
    /// output among them can be part of a loop over blocks of units.
    public var rowSlots: Set<Int> = []
    /// May split its elements into any number of equal units.
    public var takesAnyUnits = false
    /// Computing the output once more costs less than keeping it.
    public var isCheap = false
    /// Consecutive steps with the same number are a loop, which takes `unitsInLoop` units at a time.
    public var loop: Int?
    public var unitsInLoop = 1
    /// Units by which the step is behind in its loop.
    public var delay = 0
    /// Set where the units run in descending order: how many a call.
    public var unitsDescending: Int?
    /// Set in a stage that runs patch by patch (``PatchRewriting``): the number of the patch.
    public var patch: Int?
    /// Bytes of scratch that it does without, and is slower for it.
    public var droppedScratch = 0
    /// Where it comes from in the source model, for messages and reports.
    public var origin: String

    public init(_ opcode: Opcode, origin: String) {
      self.opcode = opcode
      self.origin = origin
    }

    /// An element of the output depends on the same element of the input alone.
    mutating func takeShares() {
      rowSlots = [Operands.output, Operands.input]
      takesAnyUnits = true
      isCheap = true
    }
  }

  /// What became patches.
  public struct Patching: Sendable {
    /// Operators of the program without patches.
    public var operators: Range<Int>
    public var grid: PatchGrid
    /// Multiply-accumulates that are done more than once, less those of pixels that no patch asks for.
    public var recomputed: Int
    /// Bytes of what the stage without patches has between its first image and its last.
    var bytesBetween: Int
  }

  public var name = ""
  public var tensors: [Tensor] = []
  public var buffers: [Buffer] = []
  public var steps: [Step] = []
  public var inputs: [TensorIndex] = []
  public var outputs: [TensorIndex] = []
  /// Tensors that keep their values from run to run; each is all of its buffer.
  public var states: [TensorIndex] = []
  /// The state that counts tokens, and how many a session takes.
  public var position: (tensor: TensorIndex, limit: Int)?

  /// Set where a stage of it runs patch by patch.
  public var patching: Patching?

  public var multiplyAccumulates: UInt64 { steps.reduce(0) { $0 + $1.multiplyAccumulates } }

  mutating func addTensor(_ tensor: Tensor) -> TensorIndex {
    tensors.append(tensor)
    return tensors.count - 1
  }

  mutating func addBuffer(bytes: Int) -> BufferIndex {
    buffers.append(Buffer(bytes: bytes))
    return buffers.count - 1
  }

  /// The buffer that a run-time tensor finally lies in, and where; nil for constants and scratch.
  func location(of index: TensorIndex) -> (buffer: BufferIndex, offset: Int)? {
    guard case .buffer(var buffer, var offset) = tensors[index].storage else { return nil }
    while let parent = buffers[buffer].parent {
      offset += parent.offset
      buffer = parent.buffer
    }
    return (buffer, offset)
  }

  /// Makes `child` part of `parent`.
  mutating func merge(_ child: BufferIndex, into parent: BufferIndex, at offset: Int) {
    precondition(child != parent && buffers[child].parent == nil)
    buffers[child].parent = (parent, offset)
  }
}

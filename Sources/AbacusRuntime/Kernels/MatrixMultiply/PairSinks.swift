#if ABACUS_DSP
import AbacusFormat
import CAbacus

// What becomes of the sums of products with weights in pairs of channels.

/// Rows of outputs.
protocol PairSink {
  /// Rows, of up to three, that are wanted.
  var rows: Int { get }
  /// Begins with other rows.
  mutating func move(to row: Int, rows: Int)
  /// Makes the rows at hand of up to three rows that lie interleaved.
  func three(_ product: PairedProduct, _ x: Elements<UInt32>)
  /// The same of one row that lies alone.
  func one(_ product: PairedProduct, _ x: Elements<UInt32>)
}

/// What begins and ends sums one by one.
protocol ElementSink: PairSink {
  /// Bias and multiplier of each channel.
  var channels: Elements<Int32> { get }
  var channelCount: Int { get }
  /// Makes the element of the rows at hand that an accumulator stands for.
  func put(_ accumulator: Int32, _ multiplier: Int32, _ at: Int)
  /// Ends the rows at hand.
  func finish()
}

extension ElementSink {
  @inline(__always)
  func three(_ product: PairedProduct, _ x: Elements<UInt32>) {
    product.three(x, self)
    finish()
  }

  @inline(__always)
  func one(_ product: PairedProduct, _ x: Elements<UInt32>) {
    product.one(x, self)
    finish()
  }

  /// The same for two channels, whose biases and multipliers begin with `constants`.
  @inline(__always)
  func put(_ first: Int32, _ second: Int32, _ constants: Elements<Int32>, _ at: Int) {
    put(first, constants[1], at)
    put(second, constants[3], at &+ 1)
  }
}

/// Rows of outputs.
struct RowSink<Output: SaturatedElement>: ElementSink {
  let channels: Elements<Int32>
  private let stage: OutputStage
  /// Half a step, on the grid of the high word, and the shift from there: shifts are above 32.
  private let half: Int32
  private let shift: Int32
  let channelCount: Int
  private let output: MutableElements<Output>
  private var target: MutableElements<Output>
  private(set) var rows = 3

  init(_ call: Invocation, _ stage: OutputStage, channelCount: Int) {
    channels = call.elements(Operands.channels)
    self.stage = stage
    half = 1 &<< (stage.shift &- 33)
    shift = stage.shift &- 32
    self.channelCount = channelCount
    output = call.mutableElements(Operands.output)
    target = output
  }

  @inline(__always)
  func put(_ accumulator: Int32, _ multiplier: Int32, _ at: Int) {
    let high = abacus_add_high_product(half, accumulator, multiplier)
    target[at] = .saturated(abacus_word_right(high, shift) &+ stage.zeroPoint)
  }

  @inline(__always)
  func finish() { stage.clampSaturated(target, rows &* channelCount) }

  @inline(__always)
  mutating func move(to row: Int, rows: Int) {
    self.rows = rows
    target = output.dropping(row &* channelCount)
  }
}

/// Rows of outputs of 16 bits on a grid so fine that both words of products count, with a residual of 16
/// bits added or none. There are no zero points.
struct WideSink: ElementSink {
  let channels: Elements<Int32>
  let channelCount: Int
  private let multiplier: Int32
  /// Half a step.
  private let half: UInt32
  private let shift: UInt32
  /// 32 less the shift.
  private let lift: UInt32
  private let stage: OutputStage
  private let residual: Elements<Int16>
  /// Rows of the residual before that which belongs to the output's first.
  private let rowsBefore: Int
  private let output: MutableElements<Int16>
  private var addend: Elements<Int16>
  private var target: MutableElements<Int16>
  private(set) var rows = 3

  init(_ call: Invocation, _ parameters: ProjectParameters, channelCount: Int) {
    channels = call.elements(Operands.channels)
    multiplier = call.record.variant == ProjectVariant.plain.rawValue ? 0 : parameters.residualMultiplier
    stage = parameters.stage
    shift = UInt32(bitPattern: stage.shift)
    lift = 32 &- shift
    half = 1 &<< (shift &- 1)
    self.channelCount = channelCount
    // Where there is none, its multiplier is 0.
    let slot = call.record.variant == ProjectVariant.plain.rawValue ? Operands.output : Operands.second
    residual = call.elements(slot)
    rowsBefore = call.origin(Operands.output) &- call.origin(slot)
    output = call.mutableElements(Operands.output)
    addend = residual
    target = output
  }

  /// `saturatedWeightedSum`, with two words instead of shifts of 64 bits.
  @inline(__always)
  func put(_ accumulator: Int32, _ multiplier: Int32, _ at: Int) {
    let sum =
      Int64(bitPattern: widened(half)) &+ abacus_multiply_wide(accumulator, multiplier)
      &+ abacus_multiply_wide(Int32(addend[at]), self.multiplier)
    target[at] = Int16(truncatingIfNeeded: abacus_saturate_wide(sum, shift, lift))
  }

  @inline(__always)
  func finish() { stage.clampSaturated(target, rows &* channelCount) }

  @inline(__always)
  mutating func move(to row: Int, rows: Int) {
    self.rows = rows
    addend = residual.dropping((row &+ rowsBefore) &* channelCount)
    target = output.dropping(row &* channelCount)
  }
}
#endif

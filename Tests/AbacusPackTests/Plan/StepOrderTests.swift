import AbacusRuntime
import Testing

@testable import AbacusPack

@Suite struct StepOrderTests {
  /// Two arms that each widen and narrow again, written breadth first: both wide results are alive at
  /// once. One arm after the other needs one of them.
  private func arms() -> TestGraph {
    var test = TestGraph(seed: 1)
    let input = test.input([1, 4], scale: 0.1)
    var wide: [Graph.TensorID] = []
    for _ in 0..<3 {
      let (weights, bias, scale) = test.weights(for: input, [400, 4], axis: 0, depth: 4, style: WeightStyle())
      wide.append(test.add(.fullyConnected(.none), [input, weights, bias], [1, 400], scale: scale))
    }
    var narrow: [Graph.TensorID] = []
    for tensor in wide {
      let (weights, bias, scale) = test.weights(for: tensor, [4, 400], axis: 0, depth: 400, style: WeightStyle())
      narrow.append(test.add(.fullyConnected(.none), [tensor, weights, bias], [1, 4], scale: scale))
    }
    test.graph.outputs = narrow
    return test
  }

  private func isTopological(_ graph: Graph, _ program: Program) -> Bool {
    var known = Set(program.inputs)
    for step in program.steps {
      for (slot, operand) in step.operands where slot != 0 {
        if case .buffer = program.tensors[operand].storage, !known.contains(operand) { return false }
      }
      known.insert(step.operands[0]!)
    }
    return program.outputs.allSatisfy(known.contains)
  }

  @Test func findsABetterOrderThanTheSource() throws {
    let test = arms()
    let planned = try Packer.pack(test.graph).planned
    #expect(planned.isOptimal)
    #expect(isTopological(test.graph, planned.program))
    // Source order keeps 3 x 400 bytes alive.
    #expect(planned.plan.arenaBytes <= 400 + 4 * 4)
    #expect(planned.program.steps.map(\.origin) != test.graph.nodes.map(\.origin))
    var everything = test
    everything.graph.outputs = test.graph.nodes.map { $0.outputs[0] }
    let wanted = try Execution.check(everything)
    #expect(try Execution.run(test.graph, test.inputCodes) == Array(wanted.suffix(3)))
  }

  /// Against every topological order of small random programs, counted naively.
  @Test func peakIsTheLowestOfAllOrders() throws {
    for seed in 0..<30 {
      let test = RandomGraph.elementwise(seed: seed, nodes: 6, reshapes: false, width: 4...40)
      let program = try Lowering.lower(test.graph.normalized(), options: PackOptions())
      var copying = program
      for index in copying.steps.indices { copying.steps[index].inPlaceSlots = [] }
      let search = StepOrder(copying)
      #expect(search.isOptimal)
      #expect(search.order.sorted() == Array(program.steps.indices))
      let best = orders(of: copying).map { peak(copying, $0) }.min()
      #expect(peak(copying, search.order) == best, "seed \(seed)")
    }
  }

  /// All orders in which every step follows those whose results it reads.
  private func orders(of program: Program, _ done: [Int] = []) -> [[Int]] {
    if done.count == program.steps.count { return [done] }
    return program.steps.indices.flatMap { step -> [[Int]] in
      let isReady = program.steps[step].operands.allSatisfy { slot, operand in
        slot == 0
          || program.steps.indices.allSatisfy {
            done.contains($0) || program.steps[$0].operands[0] != operand
          }
      }
      return !done.contains(step) && isReady ? orders(of: program, done + [step]) : []
    }
  }

  private func peak(_ program: Program, _ order: [Int]) -> Int {
    order.indices.map { now in
      program.buffers.indices.filter { buffer in
        func uses(_ step: Int) -> Bool {
          program.steps[step].operands.values.contains { program.location(of: $0)?.buffer == buffer }
        }
        let isEntering = program.inputs.contains { program.location(of: $0)?.buffer == buffer }
        let isLeaving = program.outputs.contains { program.location(of: $0)?.buffer == buffer }
        return (isEntering || order[...now].contains(where: uses))
          && (isLeaving || order[now...].contains(where: uses))
      }.reduce(0) { $0 + alignedSize(program.buffers[$1].bytes) }
    }.max() ?? 0
  }

  @Test func randomOrdersAreTopological() throws {
    for seed in 0..<40 {
      let test = RandomGraph.elementwise(seed: seed, nodes: 9, reshapes: false)
      let planned = try Packer.pack(test.graph).planned
      #expect(isTopological(test.graph, planned.program), "seed \(seed)")
    }
  }

  /// Too many orders to look at all of them: it settles for a good one, soon.
  @Test func wideProgramsEnd() throws {
    var test = TestGraph(seed: 1)
    let input = test.input([64], scale: 0.1)
    var parts: [Graph.TensorID] = []
    for _ in 0..<24 { parts.append(test.add(.unary(.tanh), [input], [64], scale: 0.01)) }
    while parts.count > 1 {
      let sum = test.add(.binary(.add, .none), [parts[0], parts[1]], [64], scale: 0.02)
      parts = Array(parts.dropFirst(2)) + [sum]
    }
    test.graph.outputs = parts
    let packed = try Packer.pack(test.graph)
    #expect(packed.planned.program.steps.count == 47)
    #expect(isTopological(test.graph, packed.planned.program))
  }
}

@testable import AbacusPack

/// A hand-made TFLite model: tensors by name, and operators in order.
struct TFLiteModelWriter {
  struct Operand {
    var name: String
    var shape: [Int]
    var type = "int8"
    var data: [UInt8]?
    var signature: [Int]?
    var scales: [Float] = []
    var zeroPoints: [Int] = []
    var dimension = 0
    var isVariable = false
    /// More fields of the tensor's table.
    var fields: [Int: Flat] = [:]

    /// A constant of indices or extents.
    static func ints(_ name: String, _ values: [Int], shape: [Int]? = nil) -> Operand {
      Operand(
        name: name, shape: shape ?? [values.count], type: "int32", data: Tensor.data(of: values, bytes: 4))
    }
  }

  struct Step {
    var code: String
    /// nil for an input left out.
    var inputs: [String?]
    var outputs: [String]
    var options: (kind: Int, fields: [Int: Flat])?
  }

  var operands: [Operand] = []
  var steps: [Step] = []
  var inputs: [String] = ["x"]
  var outputs: [String] = ["y"]
  var customCode: String?
  /// More fields of the model's table.
  var fields: [Int: Flat] = [:]

  /// One operator from `x`, and `constants` as further inputs, to `y`.
  static func one(
    _ code: String, _ x: Operand, _ y: Operand, constants: [Operand] = [],
    options: (kind: Int, fields: [Int: Flat])? = nil
  ) -> TFLiteModelWriter {
    let step = Step(
      code: code, inputs: [x.name] + constants.map(\.name), outputs: [y.name], options: options)
    return TFLiteModelWriter(
      operands: [x] + constants + [y], steps: [step], inputs: [x.name], outputs: [y.name])
  }

  static let types = [
    "float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "string": 5, "bool": 6, "int16": 7,
    "int8": 9, "int4": 17,
  ]

  private static func code(_ name: String) -> Int {
    (0...300).first { TFLiteNames.name(ofOperator: $0) == name } ?? 999
  }

  private func index(_ name: String?) -> Int {
    name.map { name in operands.firstIndex { $0.name == name } ?? 12345 } ?? -1
  }

  func bytes() -> [UInt8] {
    var buffers: [Flat] = [.table([:])]
    let tensors = operands.map { operand in
      var fields: [Int: Flat] = [
        0: .ints(operand.shape), 1: .byte(Self.types[operand.type]!), 3: .text(operand.name),
      ]
      if let data = operand.data {
        fields[2] = .int(buffers.count)
        buffers.append(.table([0: .bytes(data)]))
      }
      if !operand.scales.isEmpty {
        fields[4] = .table([
          2: .reals(operand.scales), 3: .longs(operand.zeroPoints), 6: .int(operand.dimension),
        ])
      }
      if operand.isVariable { fields[5] = .byte(1) }
      if let signature = operand.signature { fields[7] = .ints(signature) }
      fields.merge(operand.fields) { $1 }
      return Flat.table(fields)
    }
    let codes = steps.map { step in
      let code = Self.code(step.code)
      var fields: [Int: Flat] = [0: .byte(min(code, 127)), 3: .int(code)]
      if step.code == "CUSTOM" { fields[1] = customCode.map(Flat.text) }
      return Flat.table(fields)
    }
    let operators = steps.enumerated().map { index, step in
      var fields: [Int: Flat] = [
        0: .int(index), 1: .ints(step.inputs.map(self.index)), 2: .ints(step.outputs.map(self.index)),
      ]
      if let options = step.options {
        fields[3] = .byte(options.kind)
        fields[4] = .table(options.fields)
      }
      return Flat.table(fields)
    }
    let subgraph = Flat.table([
      0: .tables(tensors), 1: .ints(inputs.map(index)), 2: .ints(outputs.map(index)),
      3: .tables(operators), 4: .text("main"),
    ])
    let model: [Int: Flat] = [
      0: .int(3), 1: .tables(codes), 2: .tables([subgraph]), 4: .tables(buffers),
    ]
    return Flat.table(model.merging(fields) { $1 }).file()
  }

  func load() throws -> Graph { try TFLiteImporter.load(bytes()) }
}

import AbacusPack
import Foundation
import Testing

@testable import bench

extension Row {
  /// Nothing but the names: what a model takes that was not measured.
  static func sample(_ model: String, _ board: String) throws -> Row {
    Row(model, board, try SampleModel.packed.get())
  }
}

/// A small model of ours, packed once.
enum SampleModel {
  static let package = (0..<3).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }

  nonisolated(unsafe) static let packed = Result {
    let file = package.appending(path: "Tests/Golden/models/dscnn-int8.tflite").path(percentEncoded: false)
    return try Packer.pack(try ModelFile.load(file))
  }
}

@Suite struct RowTests {
  /// What scripts rely on; a name that changes breaks them.
  private static let fields: Set = [
    "model", "board", "build", "instructions", "open_instructions", "macs", "instructions_per_mac", "arena_bytes",
    "stack_bytes", "code_bytes", "ram_bytes", "blob_bytes", "peer_instructions", "peer_share", "peer_arena_bytes",
    "peer_code_bytes", "peer_stack_bytes", "peer_open_instructions", "operators", "p50_microseconds",
    "p90_microseconds", "litert_p50_microseconds", "litert_p90_microseconds", "litert_ratio",
    "onnxruntime_p50_microseconds", "onnxruntime_p90_microseconds", "onnxruntime_ratio",
  ]

  private static let operatorFields: Set = [
    "index", "operator", "form", "shape", "instructions", "macs", "instructions_per_mac", "elements",
    "instructions_per_element", "share",
  ]

  private func json(_ row: Row) throws -> [String: Any] {
    let data = try JSONEncoder().encode(row)
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test func whatWasNotMeasuredIsNull() throws {
    let json = try json(try Row.sample("dscnn", "mps2-an386"))
    #expect(Set(json.keys) == Self.fields)
    let present = json.filter { !($0.value is NSNull) }
    #expect(Set(present.keys) == ["model", "board", "macs", "arena_bytes", "blob_bytes"])
    #expect(json["macs"] as? Int == 1_752_416)
  }

  @Test func sharesAreOfThePeer() throws {
    var row = try Row.sample("KWS", "mps2-an386")
    row.instructions = 3_790_500
    row.openInstructions = 37_905
    row.peer = Peer.figures("KWS", cpu: "cortex-m4")
    let json = try json(row)
    #expect(json["peer_share"] as? Double == 0.5)
    #expect(json["peer_instructions"] as? Int == 7_581_000)
    #expect(json["peer_arena_bytes"] as? Int == 22_820)
    #expect(row.openShare == 0.01)
    #expect(row.peerCodeShare == nil)
  }

  @Test func thePeerHasBytesOnOneCPUOnly() throws {
    let other = try #require(Peer.figures("SWW", cpu: "cortex-m0"))
    #expect(other.instructions == 9_546_000 && other.arenaBytes == nil)
    #expect(Peer.figures("dscnn", cpu: "cortex-m4") == nil)
    #expect(Peer.figures("KWS", cpu: "rv32imc") == nil)
  }

  @Test func timesHaveRatios() throws {
    var row = try Row.sample("dscnn", Row.host)
    let ours = try #require(HostTimes.Percentiles([3, 1, 2]))
    row.times = HostTimes(ours: ours, liteRT: HostTimes.Percentiles([4]), onnxruntime: nil)
    let json = try json(row)
    #expect(json["p50_microseconds"] as? Double == 2)
    #expect(json["litert_ratio"] as? Double == 0.5)
    #expect(json["onnxruntime_ratio"] is NSNull)
  }

  @Test func percentilesAreOfSortedRuns() throws {
    let many = try #require(HostTimes.Percentiles((0...100).reversed().map(Double.init)))
    #expect(many.p50 == 50 && many.p90 == 90)
    #expect(HostTimes.Percentiles([]) == nil)
  }

  /// Steps belong to the operators that take them.
  @Test func operatorsAddUp() throws {
    let packed = try SampleModel.packed.get()
    let blob = try BlobDescription(packed.blob, name: "dscnn")
    let owners = blob.operatorOfEachStep
    #expect(owners.count > blob.operators.count)
    let rows = try OperatorRow.rows(packed, owners.map { $0 + 1 })
    #expect(rows.map(\.index) == Array(blob.operators.indices))
    for row in rows { #expect(row.instructions == (row.index + 1) * owners.count { $0 == row.index }) }
    #expect(rows.reduce(0) { $0 + $1.macs } == 1_752_416)
    #expect(abs(rows.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    let kinds = OperatorRow.kinds(rows)
    #expect(kinds.reduce(0) { $0 + $1.count } == rows.count)
    #expect(kinds.map(\.sum.instructions) == kinds.map(\.sum.instructions).sorted(by: >))
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(rows)) as? [[String: Any]]
    for object in try #require(json) { #expect(Set(object.keys) == Self.operatorFields) }
    #expect(throws: PackError.self) { try OperatorRow.rows(packed, Array(owners.dropLast())) }
  }
}

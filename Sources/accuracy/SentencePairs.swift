import AbacusPack

/// Pairs of sentences and how much alike people find them, as the STS benchmark lists them.
struct SentencePairs {
  var first: [String] = []
  var second: [String] = []
  var scores: [Double] = []

  /// - Parameter path: a file of comma-separated values: a sentence, another, a number.
  init(_ path: String) throws {
    for (number, line) in String(decoding: try readFile(path), as: UTF8.self).split(whereSeparator: \.isNewline).enumerated() {
      let fields = Self.fields(line)
      guard fields.count == 3, let score = Double(fields[2]) else {
        throw PackError(.file, "\(path), line \(number + 1): expected two sentences and a number")
      }
      first.append(fields[0])
      second.append(fields[1])
      scores.append(score)
    }
  }

  /// So many pairs, evenly spread.
  func spread(_ count: Int) -> SentencePairs {
    let chosen = (0..<count).map { $0 * scores.count / count }
    var result = self
    result.first = chosen.map { first[$0] }
    result.second = chosen.map { second[$0] }
    result.scores = chosen.map { scores[$0] }
    return result
  }

  /// Each sentence once.
  var sentences: [String] {
    var seen: Set<String> = []
    return (first + second).filter { seen.insert($0).inserted }
  }

  /// Fields of a line; commas between quotes do not separate, and two quotes stand for one.
  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var isQuoted = false
    var previous: Character?
    for character in line {
      if character == "\"" {
        if !isQuoted, previous == "\"" { fields[fields.count - 1].append("\"") }
        isQuoted.toggle()
      } else if character == ",", !isQuoted {
        fields.append("")
      } else {
        fields[fields.count - 1].append(character)
      }
      previous = character
    }
    return fields
  }
}

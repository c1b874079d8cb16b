/// Tokens in a row, of which neighbours can be joined in constant time.
///
/// A place keeps its number; what is joined to its left neighbour is a place no more.
struct TokenChain {
  /// By place; -1 where none is left.
  private(set) var tokens: [Int]
  private var next: [Int]
  private var previous: [Int]

  init(_ tokens: [Int]) {
    self.tokens = tokens
    next = tokens.indices.map { $0 + 1 }
    previous = tokens.indices.map { $0 - 1 }
  }

  /// The neighbour to the right; nil at the end, and of what has been joined.
  func place(after place: Int) -> Int? {
    tokens[place] >= 0 && next[place] < tokens.count ? next[place] : nil
  }

  func place(before place: Int) -> Int? { previous[place] >= 0 ? previous[place] : nil }

  /// Neighbours become `token`, at the place of the left one.
  mutating func join(_ left: Int, with right: Int, as token: Int) {
    tokens[left] = token
    tokens[right] = -1
    next[left] = next[right]
    if next[right] < tokens.count { previous[next[right]] = left }
  }

  var remaining: [Int] { tokens.filter { $0 >= 0 } }
}

import Foundation

/// Cuts text into words and punctuation the way BERT's own tokenizer does before WordPiece.
enum BertWords {
  /// Words between blanks; each character of punctuation and each CJK ideograph is a word of its own.
  /// Where `isLowercasing`, letters become small and lose their accents.
  static func split(_ text: String, isLowercasing: Bool) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    func finishWord() {
      if !word.isEmpty { words.append(String(word)) }
      word = String.UnicodeScalarView()
    }
    for scalar in normalized(text, isLowercasing: isLowercasing) {
      if isBlank(scalar) {
        finishWord()
      } else if isPunctuation(scalar) || isIdeograph(scalar) {
        finishWord()
        words.append(String(scalar))
      } else {
        word.append(scalar)
      }
    }
    finishWord()
    return words
  }

  private static func normalized(_ text: String, isLowercasing: Bool) -> String.UnicodeScalarView {
    let clean = String.UnicodeScalarView(text.unicodeScalars.filter { !isRemoved($0) })
    guard isLowercasing else { return clean }
    let decomposed = String(clean).decomposedStringWithCanonicalMapping.unicodeScalars
    let bare = decomposed.filter { $0.properties.generalCategory != .nonspacingMark }
    // Scalar by scalar: a final sigma is a sigma.
    return bare.reduce(into: String.UnicodeScalarView()) {
      $0.append(contentsOf: $1.properties.lowercaseMapping.unicodeScalars)
    }
  }

  /// NUL, the replacement character and what controls or formats, except tabulator and line ends.
  private static func isRemoved(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\t", "\n", "\r": return false
    case "\0", "\u{FFFD}": return true
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .unassigned, .privateUse, .surrogate: return true
    default: return false
    }
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

  /// All of ASCII's signs count, those that Unicode calls symbols too ("$", "+", "^" ...).
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 33...47, 58...64, 91...96, 123...126: return true
    default: break
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }

  private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B820...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      return true
    default: return false
    }
  }
}

import Foundation

/// The measured models of a search as a picture (SVG): agreement with float over flash and over instructions, each point with
/// its number in the table, and what was predicted against what was measured.
public struct FrontPicture {
  private let points: [SearchPoint]
  private let front: [SearchPoint]
  private let title: String

  public init(_ points: [SearchPoint], front: [SearchPoint], title: String) {
    self.points = points
    self.front = front
    self.title = title
  }

  private struct Dot {
    var x: Double
    var y: Double
    /// Its number in the table of the front; nil for points beside it.
    var label: String?
  }

  public var svg: String {
    var panels = [panel("flash, KB", "same as float, %", dots { Double($0.blobBytes) / 1_000 } y: { $0.agreement })]
    if points.contains(where: { $0.instructions != nil }) {
      panels.append(
        panel("instructions, millions", "same as float, %", dots { Double($0.instructions ?? 0) / 1e6 } y: { $0.agreement }))
    }
    let predicted = points.filter { $0.predictedDecibels != nil }
    panels.append(
      panel(
        "predicted, dB", "measured, dB", predicted.map { Dot(x: $0.predictedDecibels!, y: $0.decibels, label: number($0)) },
        hasDiagonal: true))
    let width = 420 * panels.count
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="400" viewBox="0 0 \(width) 400" font-family="sans-serif" font-size="11">
      <rect width="100%" height="100%" fill="white"/>
      <text x="12" y="20" font-size="14">\(Self.escaped(title))</text>

      """
    for (index, panel) in panels.enumerated() { text += "<g transform=\"translate(\(420 * index) 30)\">\n\(panel)</g>\n" }
    return text + "</svg>\n"
  }

  private func number(_ point: SearchPoint) -> String? { front.firstIndex(of: point).map { "\($0 + 1)" } }

  private func dots(_ x: (SearchPoint) -> Double, y: (SearchPoint) -> Double) -> [Dot] {
    points.map { Dot(x: x($0), y: y($0), label: number($0)) }
  }

  /// Axes with their names and figures, and the dots.
  private func panel(_ xName: String, _ yName: String, _ dots: [Dot], hasDiagonal: Bool = false) -> String {
    guard !dots.isEmpty else { return "" }
    var (xs, ys) = (Self.span(dots.map(\.x)), Self.span(dots.map(\.y)))
    if hasDiagonal { (xs, ys) = (Self.span([xs.low, ys.low, xs.high, ys.high]), Self.span([xs.low, ys.low, xs.high, ys.high])) }
    func place(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
      (60 + 330 * (x - xs.low) / (xs.high - xs.low), 310 - 290 * (y - ys.low) / (ys.high - ys.low))
    }
    func figure(_ value: Double) -> String { String(format: "%.3g", value) }
    var text = "<path d=\"M60 20V310H390\" fill=\"none\" stroke=\"#888\"/>\n"
    for step in 0...4 {
      let (x, y) = (xs.low + (xs.high - xs.low) * Double(step) / 4, ys.low + (ys.high - ys.low) * Double(step) / 4)
      let (across, up) = (Self.coordinate(place(x, 0).x), Self.coordinate(place(0, y).y))
      text += "<text x=\"\(across)\" y=\"326\" text-anchor=\"middle\" fill=\"#555\">\(figure(x))</text>\n"
      text += "<text x=\"54\" y=\"\(up)\" text-anchor=\"end\" fill=\"#555\">\(figure(y))</text>\n"
    }
    text += "<text x=\"225\" y=\"346\" text-anchor=\"middle\">\(xName)</text>\n"
    text += "<text x=\"60\" y=\"12\">\(yName)</text>\n"
    if hasDiagonal { text += "<path d=\"M60 310L390 20\" stroke=\"#bbb\" stroke-dasharray=\"4\"/>\n" }
    for dot in dots {
      let (x, y) = place(dot.x, dot.y)
      let colour = dot.label == nil ? "#bbb" : "#1f5fa8"
      text += "<circle cx=\"\(Self.coordinate(x))\" cy=\"\(Self.coordinate(y))\" r=\"3.5\" fill=\"\(colour)\"/>\n"
      guard let label = dot.label else { continue }
      text += "<text x=\"\(Self.coordinate(x + 5))\" y=\"\(Self.coordinate(y - 5))\">\(label)</text>\n"
    }
    return text
  }

  /// From the lowest to the highest, and a little on either side.
  private static func span(_ values: [Double]) -> (low: Double, high: Double) {
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let margin = max((high - low) * 0.05, abs(high) * 1e-3, 1e-3)
    return (low - margin, high + margin)
  }

  private static func coordinate(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func escaped(_ text: String) -> String {
    Terminal.harmless(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
  }
}

/// Small files of other formats, made with Python's zlib.
enum ImageFixture {
  /// uint8 0 ... 11 of shape [2, 2, 3], by gzip
  static let idx = fromBase64(
    """
    H4sIAAAAAAACA2Ng4GBmYGBggmJmBkYmZhZWNnYOTi5uAHgeI4QcAAAA
    """)

  /// PNG 2 x 2: red, green, blue, (10, 20, 30)
  static let rgb = fromBase64(
    """
    iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAE0lEQVR4nGP4z8DAAMIM/7lE5AAaWAM6VmOiPAAAAABJ
    RU5ErkJggg==
    """)

  /// PNG 3 x 1, 16-bit grey: 0, 0x8080, 0xFFFF
  static let grey16 = fromBase64(
    """
    iVBORw0KGgoAAAANSUhEUgAAAAMAAAABEAAAAABuG5crAAAAD0lEQVR4nGNgYGho+P8fAAaEAv9GYN62AAAAAElFTkSu
    QmCC
    """)

  /// PNG 2 x 1: opaque (9, 8, 7), and (1, 2, 3) wholly transparent
  static let transparent = fromBase64(
    """
    iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAYAAAD0In+KAAAAEUlEQVR4nGPg5GD/z8jEzAAABb4BHoq8HfQAAAAASUVO
    RK5CYII=
    """)

  /// PNG 4 x 1 with a palette: black, red, green, (1, 2, 3)
  static let palette = fromBase64(
    """
    iVBORw0KGgoAAAANSUhEUgAAAAQAAAABAgMAAACEUudeAAAADFBMVEUAAAD/AAAA/wABAgMcP6VeAAAACklEQVR4nGOQ
    BgAAHQAcjvT1IQAAAABJRU5ErkJggg==
    """)
}

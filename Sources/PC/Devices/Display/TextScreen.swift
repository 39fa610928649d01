/// What a VGA in text mode shows.
public struct TextScreen: Equatable, Sendable {
  public struct Cell: Equatable, Sendable {
    /// Of code page 437, or of whatever font the guest has loaded.
    public var character: UInt8
    /// Foreground at bits 0–3, background at 4–6, blink or bright background at 7.
    public var attribute: UInt8
  }
  public var columns: Int
  public var rows: Int
  /// Row by row.
  public var cells: [Cell]
  /// Column and row; nil where the cursor is off or not on the screen.
  public var cursor: (column: Int, row: Int)?
  /// Dots of a character.
  public var cellWidth: Int
  public var cellHeight: Int
  /// 256 characters of 32 rows of 8 dots, the leftmost dot at bit 7. All zeros where the guest has loaded no font.
  public var font: [UInt8]
  /// Red, green, blue of the sixteen colours, 8 bits each.
  public var palette: [[UInt8]]

  public static func == (a: TextScreen, b: TextScreen) -> Bool {
    a.columns == b.columns && a.cells == b.cells && a.cursor?.column == b.cursor?.column
      && a.cursor?.row == b.cursor?.row
  }

  /// Whether there is a font to draw with.
  public var hasFont: Bool { font.contains { $0 != 0 } }

  /// The rows as text without blanks at their ends.
  public var lines: [String] {
    (0..<rows).map { row in
      var line = cells[row * columns..<(row + 1) * columns].map { Self.codePage437[Int($0.character)] }
      while line.last == " " { line.removeLast() }
      return String(line)
    }
  }

  /// IBM's code page 437 with the pictures of its control characters; NUL shows as a blank.
  static let codePage437: [Character] = Array(
    " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" + " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"
      + "`abcdefghijklmnopqrstuvwxyz{|}~⌂" + "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»"
      + "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" + "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}")

  /// Red, green and blue of each dot, row by row.
  public var pixels: (width: Int, height: Int, rgb: [UInt8]) {
    let width = columns * cellWidth
    let height = rows * cellHeight
    var rgb = [UInt8](repeating: 0, count: 3 * width * height)
    for row in 0..<rows {
      for column in 0..<columns {
        let cell = cells[row * columns + column]
        let front = palette[Int(cell.attribute & 15)]
        let back = palette[Int(cell.attribute >> 4 & 7)]
        let isCursor = cursor.map { $0.column == column && $0.row == row } ?? false
        for y in 0..<cellHeight {
          var dots = UInt16(font[32 * Int(cell.character) + y % 32]) << 1
          // The ninth dot repeats the eighth for the line-drawing characters.
          if (0xC0...0xDF).contains(cell.character) { dots |= dots >> 1 & 1 }
          if isCursor && y >= cellHeight - 2 { dots = 0x1FF }
          for x in 0..<cellWidth {
            let colour = dots & 0x100 >> UInt16(x) != 0 ? front : back
            let at = 3 * ((row * cellHeight + y) * width + column * cellWidth + x)
            for i in 0..<3 { rgb[at + i] = colour[i] }
          }
        }
      }
    }
    return (width, height, rgb)
  }
}

extension VGA {
  /// The text screen; nil in a graphics mode, or when no mode has been set.
  public var textScreen: TextScreen? {
    let r = registers
    guard r.graphics[6] & 1 == 0, r.attribute[0x10] & 1 == 0 else { return nil }
    let columns = Int(r.crtc[1]) + 1
    let cellHeight = Int(r.crtc[9] & 0x1F) + 1
    let lines = (Int(r.crtc[0x12]) | Int(r.crtc[7] & 0x02) << 7 | Int(r.crtc[7] & 0x40) << 3) + 1
    let rows = lines / (r.crtc[9] & 0x80 != 0 ? 2 : 1) / cellHeight
    guard columns >= 20, (1...100).contains(rows) else { return nil }
    let start = Int(r.crtc[0x0C]) << 8 | Int(r.crtc[0x0D])
    let pitch = 2 * Int(r.crtc[0x13])
    var cells: [TextScreen.Cell] = []
    cells.reserveCapacity(rows * columns)
    for row in 0..<rows {
      for column in 0..<columns {
        let at = 4 * ((start + row * pitch + column) & 0xFFFF)
        cells.append(TextScreen.Cell(character: memory[at], attribute: memory[at + 1]))
      }
    }
    var cursor: (column: Int, row: Int)?
    let place = (Int(r.crtc[0x0E]) << 8 | Int(r.crtc[0x0F])) - start
    if r.crtc[0x0A] & 0x20 == 0, place >= 0, pitch > 0, place / pitch < rows, place % pitch < columns {
      cursor = (place % pitch, place / pitch)
    }
    // Character map select chooses one of eight fonts of 8 KiB in plane 2; map A is what bit 3 of attributes selects.
    let select = Int(r.sequencer[3])
    let map = [0, 2, 4, 6, 1, 3, 5, 7][select & 3 | select >> 2 & 4]
    let font = (0..<8192).map { memory[4 * (map * 8192 + $0) + 2] }
    let palette = (0..<16).map { index -> [UInt8] in
      var colour = Int(r.attribute[index] & 0x3F)
      if r.attribute[0x10] & 0x80 != 0 { colour = colour & 0x0F | Int(r.attribute[0x14] & 3) << 4 }
      colour |= Int(r.attribute[0x14] & 0x0C) << 4
      return (0..<3).map { i in
        let value = r.dac[3 * (colour & Int(r.dacMask)) + i]
        return value << 2 | value >> 4
      }
    }
    return TextScreen(
      columns: columns, rows: rows, cells: cells, cursor: cursor, cellWidth: r.sequencer[1] & 1 != 0 ? 8 : 9,
      cellHeight: cellHeight, font: font, palette: palette)
  }
}

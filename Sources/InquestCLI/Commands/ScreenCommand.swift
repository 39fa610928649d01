import ArgumentParser
import CZlib
import Foundation
import PC
import Session
import Trace

struct ScreenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "screen",
    abstract: "Show what the machine's VGA shows in text mode at an instant, as text or as a picture.",
    discussion: """
      EXAMPLES:
        inquest screen boot.inq
        inquest screen boot.inq --at t=3s
        inquest screen boot.inq --at panic --png panic.png

      The machine has a VGA where it was recorded with -bios, -vga std or -device VGA. Characters are those of code page \
      437. For instants see inquest help replay.
      """)

  @OptionGroup var trace: TraceArguments
  @Option(
    name: .customLong("at"), help: ArgumentHelp("Where in the run. (default: end)", valueName: "instant"))
  var at: String?
  @Option(
    name: .customLong("png"), help: ArgumentHelp("Write a picture instead of text.", valueName: "file"))
  var png: String?
  @Flag(name: .customLong("json"), help: "Rows, colours and cursor as JSON.")
  var json = false

  func run() throws {
    let spec = try InstantSpec(at ?? "end")
    if let png { try OutputPath.check(png, isNot: trace.path) }
    let reader = try TraceReader(path: trace.path)
    let session = try ReplaySession(
      path: trace.path, imagePaths: trace.images, until: try spec.target(in: reader))
    TraceArguments.warn(reader)
    guard session.machine.hasDisplay else {
      throw CommandFailure.usage(
        "\(trace.path): this machine has no display; record with -vga std (its serial console is in 'inquest replay')")
    }
    ReplayProgress(reader, verb: "replaying").install(in: session)
    let result = session.run()
    Terminal.clearProgress()
    try DumpCommand.check(result)
    guard let screen = session.machine.textScreen else {
      throw CommandFailure(
        status: ExitStatus.no, message: "\(trace.path): the display is not in a text mode at \(result.instant)")
    }
    if let png { return try Self.write(screen, to: png) }
    if json { return Terminal.print(JSONOutput.text(ScreenReport(screen, at: result.instant))) }
    for line in screen.lines { Terminal.print(line) }
  }

  private static func write(_ screen: TextScreen, to path: String) throws {
    guard screen.hasFont else {
      throw CommandFailure(
        status: ExitStatus.no,
        message:
          "\(path): the guest has loaded no font, as its BIOS would have; show the screen as text (without --png)")
    }
    let (width, height, rgb) = screen.pixels
    let bytes = PNGFile.bytes(width: width, height: height, rgb: rgb)
    do { try Data(bytes).write(to: URL(fileURLWithPath: path)) } catch {
      throw CommandFailure.output(path, creating: true, code: errno)
    }
  }
}

/// A text screen for programs.
struct ScreenReport: Codable {
  struct Cursor: Codable {
    var column: Int
    var row: Int
  }
  var instant: String
  var columns: Int
  var rows: Int
  var lines: [String]
  /// Attribute bytes row by row, two hexadecimal digits a cell.
  var attributes: [String]
  var cursor: Cursor?

  init(_ screen: TextScreen, at instant: Instant) {
    self.instant = instant.description
    columns = screen.columns
    rows = screen.rows
    lines = screen.lines
    attributes = (0..<screen.rows).map { row in
      screen.cells[row * screen.columns..<(row + 1) * screen.columns].map {
        String(format: "%02x", $0.attribute)
      }.joined()
    }
    cursor = screen.cursor.map { Cursor(column: $0.column, row: $0.row) }
  }
}

/// Pictures as PNG (ISO/IEC 15948): true colour, 8 bits, no filter.
enum PNGFile {
  static func bytes(width: Int, height: Int, rgb: [UInt8]) -> [UInt8] {
    var lines: [UInt8] = []
    lines.reserveCapacity((3 * width + 1) * height)
    for row in 0..<height {
      lines.append(0)
      lines += rgb[3 * width * row..<3 * width * (row + 1)]
    }
    var size = compressBound(uLong(lines.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    compress2(&packed, &size, lines, uLong(lines.count), 9)
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
      let body = Array(type.utf8) + content
      return word(content.count) + body + word(Int(crc32(0, body, uInt(body.count))))
    }
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
      + chunk("IHDR", word(width) + word(height) + [8, 2, 0, 0, 0])
      + chunk("IDAT", Array(packed[..<Int(size)])) + chunk("IEND", [])
  }
}

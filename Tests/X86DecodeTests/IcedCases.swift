import Foundation

/// One line of iced's decoder cases: `BYTES, Code, Mnemonic, operand count, details…`.
struct IcedCase {
  var bytes: [UInt8]
  var code: String
  var mnemonic: String
  var details: [Substring]
  var line: String

  var isInvalid: Bool { code == "INVALID" }
  /// The decoder option (a processor of another make, an obsolete instruction) under which the case holds.
  var option: Substring? { details.first { $0.hasPrefix("decopt=") }?.dropFirst(7) }

  init?(_ line: Substring) {
    let fields = line.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    guard fields.count >= 4 else { return nil }
    let digits = fields[0].filter { $0 != " " }
    var bytes: [UInt8] = []
    var at = digits.startIndex
    while at < digits.endIndex {
      guard let next = digits.index(at, offsetBy: 2, limitedBy: digits.endIndex),
        let byte = UInt8(digits[at..<next], radix: 16)
      else { return nil }
      bytes.append(byte)
      at = next
    }
    self.bytes = bytes
    code = fields[1]
    mnemonic = fields[2]
    details = fields.count > 4 ? fields[4].split(separator: " ").map { Substring($0) } : []
    self.line = String(line)
  }

  /// The folder of the cases beside the package; the README of the data says what they are.
  static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("shared/data/iced-decoder")

  static var available: Bool { FileManager.default.fileExists(atPath: folder.path) }

  /// Reads the file whose name starts with `prefix` and ends in `.gz`.
  static func read(_ prefix: String) throws -> [IcedCase] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    guard let name = names.first(where: { $0.hasPrefix(prefix) && $0.hasSuffix(".gz") }) else {
      throw CocoaError(.fileNoSuchFile)
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", folder.appendingPathComponent(name).path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
      .compactMap { IcedCase($0) }
  }
}

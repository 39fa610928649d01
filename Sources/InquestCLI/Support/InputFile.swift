import Foundation

/// Files that the user names.
enum InputFile {
  /// - Parameter purpose: what the file is for, in the message.
  /// - Throws: `CommandFailure` with status 66 for what cannot be read, 65 for an empty file.
  static func read(_ path: String, for purpose: String) throws -> [UInt8] {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw CommandFailure.missingInput(
        "\(path): cannot read the \(purpose): \(String(cString: strerror(errno)))")
    }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw CommandFailure.missingInput("\(path): this is a folder; name the \(purpose)'s file")
    }
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
      if data.isEmpty {
        throw CommandFailure.badData("\(path): the \(purpose) is an empty file; fetch it again")
      }
      return [UInt8](data)
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      let code = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
      let reason = code.map { String(cString: strerror(Int32($0.code))) } ?? "it cannot be opened"
      throw CommandFailure.missingInput("\(path): cannot read the \(purpose): \(reason)")
    }
  }
}

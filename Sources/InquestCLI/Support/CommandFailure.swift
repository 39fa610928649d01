import CoreDump
import DiskImage
import Foundation
import Monitor
import PC
import Session
import Trace

/// An error as the user sees it: one line that says what is wrong, where, and what to do; and the exit status.
package struct CommandFailure: Error, CustomStringConvertible {
  package var status: Int32
  package var message: String
  package var description: String { message }

  static func usage(_ message: String) -> CommandFailure {
    CommandFailure(status: ExitStatus.usage, message: message)
  }
  static func badData(_ message: String) -> CommandFailure {
    CommandFailure(status: ExitStatus.badData, message: message)
  }
  static func missingInput(_ message: String) -> CommandFailure {
    CommandFailure(status: ExitStatus.missingInput, message: message)
  }
  static func output(_ path: String, creating: Bool, code: Int32) -> CommandFailure {
    CommandFailure(
      status: creating ? ExitStatus.cannotCreate : ExitStatus.inputOutput,
      message: "\(path): cannot \(creating ? "create" : "write"): \(String(cString: strerror(code)))")
  }

  /// Any error that a command can throw.
  package init(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as TraceError: self.init(status: Self.status(error), message: error.description)
    case let error as OptionText.Failure: self = .usage(error.message)
    case let error as InstantSpec.ParseError: self = .usage(error.description)
    case let error as SessionError: self.init(status: Self.status(error), message: error.description)
    case let error as ReplayDivergence: self.init(status: ExitStatus.no, message: error.description)
    case let error as LoaderError: self.init(status: Self.status(error), message: error.description)
    case let error as MachineError: self.init(status: Self.status(error), message: error.description)
    case let error as BusOverlap: self = .usage("\(error); give one of the devices another port")
    case let error as DiskImageError: self.init(status: Self.status(error), message: error.description)
    case let error as CoreDumpError: self.init(status: Self.status(error), message: error.description)
    case let error as ControlError: self = .usage(error.message)
    default:
      self.init(
        status: ExitStatus.internal,
        message: "internal error: \(error); please report this with the command line")
    }
  }

  init(status: Int32, message: String) {
    self.status = status
    self.message = message
  }

  private static func status(_ error: DiskImageError) -> Int32 {
    switch error {
    case .cannotOpen, .notAFile: return ExitStatus.missingInput
    case .empty, .malformed: return ExitStatus.badData
    case .system: return ExitStatus.inputOutput
    case .unsupported: return ExitStatus.usage
    }
  }

  private static func status(_ error: TraceError) -> Int32 {
    switch error {
    case .missing, .imageNotEmbedded: return ExitStatus.missingInput
    case .system(_, let operation, let code):
      if operation == "create" { return ExitStatus.cannotCreate }
      if operation == "write" || code == ENOSPC || code == EDQUOT || code == EFBIG {
        return ExitStatus.inputOutput
      }
      return ExitStatus.missingInput
    case .empty, .notATrace, .cutOffInHeader, .newerVersion, .olderVersion, .damaged:
      return ExitStatus.badData
    case .noSuchImage, .invalidEvent, .closed: return ExitStatus.internal
    }
  }

  private static func status(_ error: SessionError) -> Int32 {
    switch error {
    case .machineVersion, .unknownMachine, .cutOffInImages, .parentFailed: return ExitStatus.badData
    case .missingImage: return ExitStatus.missingInput
    case .noSuchInstant, .runIsOver: return ExitStatus.usage
    }
  }

  private static func status(_ error: LoaderError) -> Int32 {
    switch error {
    case .notEnoughMemory, .initrdTooLarge, .commandLineTooLong: return ExitStatus.usage
    case .emptyKernel, .foreignKernel, .truncated, .malformed, .unsupportedProtocol, .emptyInitrd:
      return ExitStatus.badData
    }
  }

  private static func status(_ error: MachineError) -> Int32 {
    if case .memoryUnavailable = error { return ExitStatus.unavailable }
    return ExitStatus.usage
  }

  private static func status(_ error: CoreDumpError) -> Int32 {
    switch error {
    case .cannotCreate: return ExitStatus.cannotCreate
    case .cannotWrite: return ExitStatus.inputOutput
    case .noMemoryInRange, .notSeekable: return ExitStatus.usage
    case .compressorFailed: return ExitStatus.internal
    }
  }
}

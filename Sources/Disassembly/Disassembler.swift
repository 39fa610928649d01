import CCapstone

/// Turns machine code into text, with Capstone.
public final class Disassembler {
  public struct Line: Equatable, Sendable {
    /// Bytes of the instruction.
    public var length: Int
    /// Mnemonic and operands, in Intel's syntax.
    public var text: String
  }
  public enum Syntax: Sendable { case intel, att }

  private var handle: csh = 0
  private let instruction: UnsafeMutablePointer<cs_insn>

  /// - Parameter width: 16, 32 or 64.
  /// - Returns: nil when the library does not work.
  public init?(width: Int, syntax: Syntax = .intel) {
    let mode = width == 64 ? CS_MODE_64 : width == 32 ? CS_MODE_32 : CS_MODE_16
    guard cs_open(CS_ARCH_X86, mode, &handle) == CS_ERR_OK else { return nil }
    guard let instruction = cs_malloc(handle) else {
      cs_close(&handle)
      return nil
    }
    self.instruction = instruction
    if syntax == .att { cs_option(handle, CS_OPT_SYNTAX, Int(CS_OPT_SYNTAX_ATT.rawValue)) }
  }

  deinit {
    cs_free(instruction, 1)
    cs_close(&handle)
  }

  /// The first instruction of `code`; nil for what is none, or is cut off.
  public func line(_ code: [UInt8], at address: UInt64) -> Line? {
    code.withUnsafeBufferPointer { code -> Line? in
      var at = code.baseAddress
      var left = code.count
      var address = address
      guard left > 0, cs_disasm_iter(handle, &at, &left, &address, instruction) else { return nil }
      let mnemonic = withUnsafeBytes(of: &instruction.pointee.mnemonic) { Self.text($0) }
      let operands = withUnsafeBytes(of: &instruction.pointee.op_str) { Self.text($0) }
      return Line(
        length: Int(instruction.pointee.size), text: operands.isEmpty ? mnemonic : "\(mnemonic) \(operands)")
    }
  }

  private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

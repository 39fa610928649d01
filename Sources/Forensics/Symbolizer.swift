/// Names for addresses and addresses for names, in the kernel and its modules.
public final class Symbolizer {
  private unowned let kernel: Kernel

  init(kernel: Kernel) { self.kernel = kernel }

  public struct Name: Equatable, Sendable {
    public var symbol: String
    /// From the symbol's start.
    public var offset: UInt64
    /// Of the symbol, 0 when unknown.
    public var size: UInt64
    /// nil for the kernel itself.
    public var module: String?
    public var type: UInt8

    /// `panic+0x118/0x2f4`, `func+0x12/0x40 [module]`, as the kernel prints it.
    public var text: String {
      symbol + "+0x" + String(offset, radix: 16) + "/0x" + String(size, radix: 16)
        + (module.map { " [\($0)]" } ?? "")
    }
    public var isText: Bool { type | 0x20 == 0x74 || type | 0x20 == 0x77 }
  }

  /// The kernel's image as its symbols bound it.
  private lazy var kernelRange: Range<UInt64>? = {
    let table = kernel.symbols
    guard let start = table.address(of: "_text") ?? table.address(of: "_stext"),
      let end = table.address(of: "_end"), start < end
    else { return nil }
    return start..<end
  }()

  /// What lies at an address; nil for what is neither the kernel's nor a module's.
  public func name(of address: UInt64) -> Name? {
    if let range = kernelRange ?? kernel.symbols.range.map({ $0.lowerBound..<$0.upperBound }), range.contains(address),
      address >= Kernel.textMap, let symbol = kernel.symbols.symbol(at: address)
    {
      return Name(
        symbol: symbol.name, offset: address - symbol.address, size: symbol.size, module: nil, type: symbol.type)
    }
    guard let module = kernel.modules.module(at: address) else { return nil }
    guard let symbol = module.symbols.symbol(at: address), module.contains(symbol.address) else {
      return Name(
        symbol: "\(module.name)", offset: address &- module.base, size: module.size, module: module.name, type: 0x3F)
    }
    var size = symbol.size
    if symbol.address < module.textEnd { size = min(size == 0 ? .max : size, module.textEnd - symbol.address) }
    return Name(
      symbol: symbol.name, offset: address - symbol.address, size: size, module: module.name, type: symbol.type)
  }

  /// `panic+0x118/0x2f4`, or the address in hexadecimal.
  public func text(_ address: UInt64) -> String {
    name(of: address)?.text ?? "0x" + String(address, radix: 16)
  }

  /// The address of a name: `panic`, `module:function`, `panic+0x12`.
  public func address(of text: String) -> UInt64? {
    var name = Substring(text)
    var offset: UInt64 = 0
    if let plus = text.lastIndex(of: "+") {
      let digits = text[text.index(after: plus)...]
      guard let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits) else {
        return nil
      }
      offset = value
      name = text[..<plus]
    }
    if let colon = name.firstIndex(of: ":") {
      let module = kernel.modules.all.first { $0.name == name[..<colon] }
      return module?.symbols.address(of: String(name[name.index(after: colon)...])).map { $0 &+ offset }
    }
    if let address = kernel.symbols.address(of: String(name)) { return address &+ offset }
    for module in kernel.modules.all {
      if let address = module.symbols.address(of: String(name)) { return address &+ offset }
    }
    return nil
  }
}

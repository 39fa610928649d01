/// PCI bus 0: its functions, where their BARs are mapped, and the four interrupt wires.
public final class PCIBus {
  private let ports: PortBus
  private let memory: MemoryBus
  private var functions = [PCIFunction?](repeating: nil, count: 256)
  /// Levels of PIRQA–PIRQD changed.
  var onInterrupts: (([Bool]) -> Void)?

  public init(ports: PortBus, memory: MemoryBus) {
    self.ports = ports
    self.memory = memory
  }

  /// Plugs a function in.
  /// - Parameters:
  ///   - slot: 0 to 31.
  ///   - function: 0 to 7.
  /// - Throws: `BusOverlap` when the place is taken.
  public func plug(_ device: PCIFunction, slot: Int, function: Int = 0) throws {
    let place = (slot & 31) << 3 | function & 7
    if functions[place] != nil {
      throw BusOverlap(
        range: "PCI slot \(slot), function \(function)", claimant: "\(type(of: device))",
        owner: "\(type(of: functions[place]!))")
    }
    functions[place] = device
    device.deviceFunction = UInt8(place)
    device.bus = self
    device.pluggedIn()
  }

  /// The lowest slot from 2 up that is free, nil when the bus is full.
  public var freeSlot: Int? {
    (2..<32).first { slot in (0..<8).allSatisfy { functions[slot << 3 | $0] == nil } }
  }

  /// All functions by slot and function.
  public var all: [PCIFunction] { functions.compactMap { $0 } }

  public func reset() { for function in all { function.reset() } }

  // MARK: Configuration

  /// - Parameter address: bus at bits 16–23, slot and function at 8–15, offset at 0–7.
  public func readConfiguration(_ address: UInt32, size: Int) -> UInt32 {
    let ones: UInt32 = size == 4 ? .max : 1 << UInt32(8 * size) - 1
    guard address >> 16 & 0xFF == 0, let function = functions[Int(address >> 8 & 0xFF)] else { return ones }
    var value: UInt32 = 0
    for i in 0..<size { value |= UInt32(function.get8(Int(address & 0xFF) + i)) << UInt32(8 * i) }
    return value
  }

  public func writeConfiguration(_ address: UInt32, size: Int, value: UInt32) {
    guard address >> 16 & 0xFF == 0, let function = functions[Int(address >> 8 & 0xFF)] else { return }
    function.writeConfiguration(offset: Int(address & 0xFF), size: size, value: value)
  }

  // MARK: BARs

  func updateMappings(of function: PCIFunction) {
    for i in function.bars.indices {
      let bar = function.bars[i]
      let address = function.address(of: bar)
      guard address != bar.mapped else { continue }
      if let old = bar.mapped { unmap(bar, at: old) }
      // A guest may put a BAR where something else is: then it is not seen there.
      function.bars[i].mapped = address.flatMap { map(bar, at: $0) ? $0 : nil }
    }
  }

  private func map(_ bar: PCIFunction.BAR, at address: UInt64) -> Bool {
    do {
      if let port = bar.port {
        try ports.map(UInt16(address)...UInt16(address + bar.size - 1), to: port, name: bar.name)
      } else if let device = bar.memory {
        try memory.map(address..<(address + bar.size), to: device, name: bar.name)
      }
      return true
    } catch {
      return false
    }
  }

  private func unmap(_ bar: PCIFunction.BAR, at address: UInt64) {
    if bar.port != nil {
      ports.unmap(UInt16(address)...UInt16(address + bar.size - 1))
    } else {
      memory.unmap(address..<(address + bar.size))
    }
  }

  // MARK: Interrupts

  /// INTx of a slot ends at PIRQ (slot + pin − 1) mod 4, as a PC with PIIX3 is wired.
  func interruptsChanged() {
    var levels = [false, false, false, false]
    for case let function? in functions {
      let pin = Int(function.get8(PCIFunction.Header.interruptPin))
      guard function.interruptLevel, (1...4).contains(pin),
        function.commandRegister & PCIFunction.Command.interruptDisable == 0
      else { continue }
      levels[(Int(function.deviceFunction >> 3) + pin + 2) & 3] = true
    }
    onInterrupts?(levels)
  }
}

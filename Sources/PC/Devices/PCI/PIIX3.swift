/// The ISA bridge of Intel's PIIX3 (82371SB data sheet), at slot 1 function 0: here it routes the PCI interrupts
/// to ISA interrupts.
public final class PIIX3: PCIFunction {
  enum Register {
    /// PIRQRCA–PIRQRCD.
    static let pirqRoute = 0x60
    /// DLC: delayed transactions and passive release, which systems switch on.
    static let deterministicLatency = 0x82
  }
  enum Route {
    static let disabled: UInt8 = 0x80
    static let irqMask: UInt8 = 0x0F
  }
  private let lines: [InterruptLine]
  private var pirqLevels = [false, false, false, false]
  private var driven = [Bool](repeating: false, count: 16)

  /// - Parameters:
  ///   - lines: the sixteen ISA interrupts, for the bridge alone: the controller's inputs for PCI.
  ///   - routes: what the firmware has set PIRQA–D to; nil leaves that to a firmware.
  public init(bus: PCIBus, lines: [InterruptLine], routes: [UInt8]? = PCAddress.pirqRoutes) {
    self.lines = lines
    super.init(
      vendorID: 0x8086, deviceID: 0x7000, classCode: 0x060100, isMultiFunction: true)
    for i in 0..<4 {
      set8(Register.pirqRoute + i, routes.map { $0[i] } ?? Route.disabled)
      allowWrites(Register.pirqRoute + i, mask: UInt16(Route.disabled | Route.irqMask))
    }
    allowWrites(Register.deterministicLatency, mask: 0x000F)
    bus.onInterrupts = { [unowned self] levels in
      pirqLevels = levels
      drive()
    }
  }

  public override func configurationWritten(offset: Int, size: Int) { drive() }

  /// PIRQs that share an ISA interrupt are wired together. Only changes reach the controller.
  private func drive() {
    var wanted = [Bool](repeating: false, count: 16)
    for i in 0..<4 where pirqLevels[i] {
      let route = get8(Register.pirqRoute + i)
      if route & Route.disabled == 0 { wanted[Int(route & Route.irqMask)] = true }
    }
    for irq in 0..<min(16, lines.count) where wanted[irq] != driven[irq] {
      driven[irq] = wanted[irq]
      lines[irq].set(wanted[irq])
    }
  }
}

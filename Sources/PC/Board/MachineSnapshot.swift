import X86
import X86Core
import X86System

/// Everything of a machine but its RAM, as a value. Valid for a machine of the same configuration and images.
public struct MachineSnapshot: Codable {
  public var instructionCount: UInt64
  public var addedTime: UInt64
  public var processor: ProcessorState
  public var isHalted: Bool
  var enteredUserMode: Bool
  var entropy: RandomStream
  var scheduling: RandomStream
  var delay: InterruptDelay.State?
  var board: BoardState
}

/// The states of the board's devices.
struct BoardState: Codable {
  var pic: PIC8259Pair.State
  var ioapic: IOAPIC.State
  var apic: LocalAPIC.State
  var wires: [UInt64]
  var pit: PIT8254.State
  var rtc: RTC146818.State
  var hpet: HPET.State?
  var portA: SystemControlPortA.State
  var portB: SystemControlPortB.State
  var keyboardController: I8042.State
  var keyboard: PS2Keyboard.State
  var mouse: PS2Mouse.State
  var serialPorts: [UART16550A.State]
  var pci: [PCIFunction.State]
  var pciPorts: PCIConfigurationPorts.State
  var resetControl: ResetControl.State
  var powerManagement: ACPIPowerManagement.State
  var fwCfg: FWCfg.State
  var cards: CardStates
}

extension Board {
  var state: BoardState {
    get {
      BoardState(
        pic: pic.state, ioapic: ioapic.state, apic: apic.state, wires: wires.levels, pit: pit.state,
        rtc: rtc.state, hpet: hpet?.state, portA: portA.state, portB: portB.state,
        keyboardController: keyboardController.state, keyboard: keyboardController.keyboard.state,
        mouse: keyboardController.mouse.state, serialPorts: serialPorts.map(\.state),
        pci: pci.all.map(\.state),
        pciPorts: pciPorts.state, resetControl: resetControl.state, powerManagement: powerManagement.state,
        fwCfg: fwCfg.state, cards: cardStates)
    }
    set {
      // Devices first: some drive their lines when their state is set. Then the wires and the controllers, which know
      // every level.
      for (function, state) in zip(pci.all, newValue.pci) { function.state = state }
      pciPorts.state = newValue.pciPorts
      resetControl.state = newValue.resetControl
      powerManagement.state = newValue.powerManagement
      fwCfg.state = newValue.fwCfg
      cardStates = newValue.cards
      for (port, state) in zip(serialPorts, newValue.serialPorts) { port.state = state }
      keyboardController.state = newValue.keyboardController
      keyboardController.keyboard.state = newValue.keyboard
      keyboardController.mouse.state = newValue.mouse
      portA.state = newValue.portA
      portB.state = newValue.portB
      if let hpet, let state = newValue.hpet { hpet.state = state }
      rtc.state = newValue.rtc
      pit.state = newValue.pit
      wires.levels = newValue.wires
      pic.state = newValue.pic
      ioapic.state = newValue.ioapic
      apic.state = newValue.apic
    }
  }
}

extension Machine {
  /// The state between two runs. RAM is not in it.
  public func snapshot() -> MachineSnapshot {
    let f = processor.cpu.f
    return MachineSnapshot(
      instructionCount: instructionCount, addedTime: addedTime, processor: processorState,
      isHalted: processor.isHalted, enteredUserMode: f.pointee.enteredUserMode, entropy: entropy,
      scheduling: scheduling, delay: delay?.state, board: board.state)
  }

  /// Goes back (or forward) to a snapshot. RAM must be put back, too, before the machine runs.
  /// - Parameter keepingBlocks: RAM is put back by who announces what changes of code (`PageImages.exchange`).
  public func restore(_ snapshot: MachineSnapshot, keepingBlocks: Bool = false) {
    let f = processor.cpu.f
    isRestoring = true
    pendingStop = nil
    // The clock first: timers are armed against it.
    f.pointee.countLimit = Int64(bitPattern: snapshot.instructionCount)
    f.pointee.exitLeft = 0
    f.pointee.addedTime = snapshot.addedTime
    processor.cpu.state = snapshot.processor
    processor.isHalted = snapshot.isHalted
    f.pointee.enteredUserMode = snapshot.enteredUserMode
    entropy = snapshot.entropy
    scheduling = snapshot.scheduling
    board.state = snapshot.board
    if let delay, let state = snapshot.delay { delay.restore(state) }
    isRestoring = false
    if !keepingBlocks { processor.flushBlocks() }
    processor.stateChanged()
    processor.setInterruptPending(board.apic.interruptPending && !(delay?.isHolding ?? false))
  }
}

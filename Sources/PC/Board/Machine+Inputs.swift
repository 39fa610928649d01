import X86

/// What people and programs outside do to the machine. To be called between runs, on the machine's thread.
extension Machine {
  /// Whether a byte for this serial port (0 is COM1) would be taken now.
  public func canReceiveSerial(_ port: Int) -> Bool {
    if let console = virtioConsole(port) { return console.canReceive }
    return board.serialPorts.indices.contains(port) && board.serialPorts[port].canReceive
  }

  /// Bytes arrive at a serial port.
  /// - Returns: how many of them there was room for.
  public func serialInput(port: Int, bytes: some Sequence<UInt8>) -> Int {
    if let console = virtioConsole(port) {
      let bytes = Array(bytes)
      console.receive(bytes)
      return bytes.count
    }
    guard board.serialPorts.indices.contains(port) else { return 0 }
    var count = 0
    for byte in bytes {
      guard board.serialPorts[port].receive(byte) else { break }
      count += 1
    }
    return count
  }

  /// A frame arrives at a network card (0 is the first). One that it cannot take is lost.
  public func receiveFrame(device: Int, bytes: [UInt8]) {
    let cards = board.cards(VirtioNet.self)
    if cards.indices.contains(device) { cards[device].receive(bytes) }
  }

  /// QMP's `system_powerdown`.
  public func pressPowerButton() { board.powerManagement.pressPowerButton() }

  /// A pulse at LINT1 of the local APIC, as QMP's `inject-nmi`. The guest's LINT1 entry decides what comes of it, and bit 7
  /// of port 70 can hold it off.
  public func injectNMI() {
    guard !board.rtc.isNMIDisabled else { return }
    board.apic.setInput(LocalAPIC.lint1, level: true)
    board.apic.setInput(LocalAPIC.lint1, level: false)
  }

  /// Whether drives keep what is overwritten, so that an earlier snapshot can come back. To be set by who takes snapshots
  /// to go back to, before the guest writes.
  public var keepsDriveHistory: Bool {
    get { board.drives.first?.keepsHistory ?? false }
    set { for drive in board.drives { drive.keepsHistory = newValue } }
  }

  /// Virtio consoles take input as serial ports do, under numbers of their own.
  private func virtioConsole(_ port: Int) -> VirtioConsole? {
    guard port >= firstVirtioConsole else { return nil }
    let consoles = board.cards(VirtioConsole.self)
    let index = port - firstVirtioConsole
    return consoles.indices.contains(index) ? consoles[index] : nil
  }
}

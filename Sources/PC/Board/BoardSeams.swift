import X86
import X86Core

/// The processor's way to the board.
final class BoardSeams: ProcessorSeams {
  private let board: Board
  unowned var machine: Machine!
  private unowned var processor: Processor!

  init(board: Board) {
    self.board = board
    super.init()
  }

  func connect(machine: Machine, processor: Processor) {
    self.machine = machine
    self.processor = processor
  }

  override func readPort(_ port: UInt16, size: Int) -> UInt32 {
    let value = board.ports.read(port, size: size)
    if !board.isDriveData(port) { machine.world.didReadPort(port, size: size, value: value) }
    machine.observer?.observePort(port, size: size, value: value, isWrite: false)
    return value
  }
  override func writePort(_ port: UInt16, size: Int, value: UInt32) {
    machine.observer?.observePort(port, size: size, value: value, isWrite: true)
    board.ports.write(port, size: size, value: value)
  }
  override func readMemory(_ address: UInt64, size: Int) -> UInt64 {
    let value = board.mmio.read(address, size: size)
    machine.world.didReadMemory(address, size: size, value: value)
    return value
  }
  override func writeMemory(_ address: UInt64, size: Int, value: UInt64) {
    board.mmio.write(address, size: size, value: value)
  }

  override func acknowledgeInterrupt() -> UInt8? { board.apic.acknowledge() }
  override var taskPriority: UInt8 {
    get { UInt8(truncatingIfNeeded: board.apic.cr8) }
    set { board.apic.cr8 = UInt64(newValue) }
  }
  override func readAPICMSR(_ index: UInt32) -> UInt64? { board.apic.readMSR(index) }
  override func writeAPICMSR(_ index: UInt32, _ value: UInt64) -> Bool { board.apic.writeMSR(index, value) }
  override func timeStampOffsetChanged(_ offset: UInt64) { board.apic.tscOffset = offset }

  override func drawEntropy() -> UInt64 { machine.drawEntropy() }
  override func codeWritten(_ physicalAddress: UInt64, _ count: Int) {
    processor.codeWritten(physicalAddress, count)
  }
  override func flushBlocks() { processor.flushBlocks() }
}

import Synchronization
import X86
import X86Core
import X86System

/// A PC with one processor: a pure function of its configuration, its images and the inputs that it is given.
///
/// Instants: timers that are due at a place of the run fire on arrival there, before inputs are applied at that place.
/// The one exception is a stop that the guest asked for (panic, power off, reset, debug exit): it comes before everything
/// that is pending, and what is due fires when `run` is called again.
public final class Machine: TimeSource {
  public let configuration: MachineConfiguration
  public let images: MachineImages
  /// Not kept alive by the machine.
  public unowned let world: MachineWorld
  public let memory: GuestMemory
  public let processor: Processor
  let board: Board
  let delay: InterruptDelay?
  var entropy: RandomStream
  /// For the order in which processors take turns.
  var scheduling: RandomStream

  /// What the guest asked for within the instruction that just ran; the first counts.
  var pendingStop: MachineStop?
  /// Set from any thread.
  let stopFlag = Atomic<Bool>(false)
  /// State is being put back: lines that move mean nothing.
  var isRestoring = false

  /// Looks on while the machine runs; not kept alive.
  public unowned(unsafe) var observer: MachineObserver? {
    didSet {
      guard observer != nil else {
        processor.onException = nil
        return
      }
      processor.onException = { [unowned self] vector, code in
        observer?.observeException(vector: vector, errorCode: code)
      }
    }
  }

  /// What came of unpacking the kernel on the host at the last start; nil where that was not asked for or the kernel is no
  /// bzImage.
  public private(set) var fastBootOutcome: FastBoot.Outcome?

  /// Room for input has come up at a serial port (0 is COM1). Called on the machine's thread.
  public var onSerialReady: ((_ port: Int) -> Void)?

  /// Builds and switches on a machine.
  /// - Throws: `MachineError`, `LoaderError` or `BusOverlap`, each with a description for people.
  public init(configuration: MachineConfiguration, images: MachineImages, world: MachineWorld) throws {
    guard configuration.memorySize >= 1 << 20, configuration.memorySize % GuestMemory.pageSize == 0 else {
      throw MachineError.memorySize(configuration.memorySize)
    }
    guard configuration.timeShift <= 10 else { throw MachineError.timeShift(configuration.timeShift) }
    guard (0...Board.serialPlaces.count).contains(configuration.serialPorts) else {
      throw MachineError.serialPorts(configuration.serialPorts)
    }
    let romSize = (UInt64(images.bios?.count ?? 0) + GuestMemory.pageSize - 1) & ~(GuestMemory.pageSize - 1)
    guard romSize <= 16 << 20, images.bios?.isEmpty != true else {
      throw MachineError.firmwareSize(UInt64(images.bios?.count ?? 0))
    }
    guard let memory = GuestMemory(size: configuration.memorySize, romSize: romSize) else {
      throw MachineError.memoryUnavailable(configuration.memorySize)
    }
    self.configuration = configuration
    self.images = images
    self.world = world
    self.memory = memory
    let clock = BoardClock()
    board = try Board(configuration, images: images, memory: memory, timeSource: clock, world: world)
    let seams = BoardSeams(board: board)
    processor = Processor(memory: memory, seams: seams, model: try Self.model(configuration.processor))
    processor.cpu.f.pointee.timeShift = configuration.timeShift
    clock.processor = processor
    entropy = RandomStream(seed: configuration.seed, purpose: .entropy)
    scheduling = RandomStream(seed: configuration.seed, purpose: .scheduling)
    delay =
      configuration.chaos
      ? InterruptDelay(
        seed: configuration.seed, timers: board.timers, startsAtOnce: configuration.chaosFromPowerOn) : nil
    self.clock = clock
    seams.connect(machine: self, processor: processor)
    connect()
    try powerOn()
  }

  private static func model(_ options: MachineConfiguration.ProcessorOptions?) throws -> ProcessorModel {
    guard let options else { return .default }
    guard let model = ProcessorModel(named: options.name, features: options.features) else {
      throw MachineError.processor(options.name)
    }
    return model
  }

  private let clock: BoardClock

  // MARK: Time

  public var instructionCount: UInt64 { processor.instructionCount }
  /// Nanoseconds since power-on.
  public var virtualTime: UInt64 { processor.cpu.virtualTime }
  /// Nanoseconds of virtual time that did not come from instructions: idle time skipped, and what slow instructions cost.
  public var addedTime: UInt64 { processor.cpu.f.pointee.addedTime }

  // MARK: Wiring

  private func connect() {
    board.timers.onChange = { [unowned self] in processor.requestAttention() }
    board.apic.onOutputChange = { [unowned self] in interruptLineChanged() }
    board.apic.onInit = { [unowned self] in processor.reset() }
    processor.onInterrupt = { [unowned self] vector, isNMI in
      world.didInterrupt(vector: vector, isNMI: isNMI)
      observer?.observeInterrupt(vector: vector, isNMI: isNMI)
    }
    delay?.onDelay = { [unowned self] in world.didDelayInterrupt(nanoseconds: $0) }
    delay?.onRelease = { [unowned self] in processor.setInterruptPending(board.apic.interruptPending) }

    let setA20: (Bool) -> Void = { [unowned self] isOpen in
      processor.cpu.f.pointee.a20Mask = isOpen ? .max : ~(1 << 20)
      processor.stateChanged()
    }
    board.shadow?.onChange = { [unowned self] in if !isRestoring { processor.stateChanged() } }
    board.keyboardController.onA20 = setA20
    board.portA.onA20 = setA20
    let reset: () -> Void = { [unowned self] in stop(.resetRequested) }
    board.keyboardController.onReset = reset
    board.portA.onReset = reset
    board.resetControl.onReset = reset
    board.powerManagement.onSleep = { [unowned self] _ in stop(.powerOff) }

    board.pvpanic?.onEvent = { [unowned self] in stop(.panicEvent($0)) }
    board.pvpanicPCI?.onEvent = { [unowned self] in stop(.panicEvent($0)) }
    board.debugExit?.onExit = { [unowned self] in stop(.debugExit($0)) }
    for (index, port) in board.serialPorts.enumerated() {
      port.onTransmit = { [unowned self] in world.didTransmit(port: index, byte: $0) }
      port.onReadyToReceive = { [unowned self] in onSerialReady?(index) }
    }
    for (index, console) in board.debugConsoles.enumerated() {
      console.onTransmit = { [unowned self] in world.didTransmit(port: 0x100 + index, byte: $0) }
    }
    connectCards()
  }

  /// What cards on the PCI bus tell the outside.
  private func connectCards() {
    for card in board.cards(VirtioFunction.self) {
      card.onMSI = { [unowned self] address, data in
        // Messages to anything but the interrupt range go nowhere.
        if address & 0xFFF0_0000 == 0xFEE0_0000 { board.apicBus.sendMSI(address: address, data: data) }
      }
    }
    for card in board.cards(VirtioRNG.self) { card.draw = { [unowned self] in drawEntropy() } }
    for (index, card) in board.cards(VirtioConsole.self).enumerated() {
      let port = firstVirtioConsole + index
      card.onTransmit = { [unowned self] in for byte in $0 { world.didTransmit(port: port, byte: byte) } }
    }
    for (index, card) in board.cards(VirtioNet.self).enumerated() {
      card.onTransmit = { [unowned self] in world.didSendFrame(device: index, bytes: $0) }
    }
    for card in board.cards(I6300ESB.self) { card.onExpired = { [unowned self] in stop(.watchdog) } }
  }
  /// The number by which the first virtio console is known: behind the debug consoles.
  var firstVirtioConsole: Int { 0x100 + board.debugConsoles.count }

  /// The guest wants something from outside; the run stops behind this instruction.
  private func stop(_ reason: MachineStop) {
    if pendingStop == nil { pendingStop = reason }
    processor.requestAttention()
  }

  /// The local APIC's INTR or NMI has changed.
  private func interruptLineChanged() {
    guard !isRestoring else { return }
    if board.apic.pendingNMI {
      processor.requestNMI()
      board.apic.acknowledgeNMI()
    }
    let pending = board.apic.interruptPending
    let wasPending = processor.cpu.f.pointee.interruptPending
    if pending, !wasPending, let delay, delay.raised(userMode: processor.cpu.f.pointee.enteredUserMode) {
      return
    }
    processor.setInterruptPending(pending)
  }

  // MARK: Entropy

  func drawEntropy() -> UInt64 { entropy.next() }

  /// Entropy, chaos and scheduling go on from another seed, as in a branch.
  public func reseed(_ seed: UInt64) {
    entropy = RandomStream(seed: seed, purpose: .entropy)
    scheduling = RandomStream(seed: seed, purpose: .scheduling)
    delay?.reseed(seed)
  }

  // MARK: Power and reset

  private func powerOn() throws {
    processor.reset()
    try start()
  }

  /// The reset line: devices and processor as at power-on, RAM as it is but for what firmware and loader place there anew.
  /// Time goes on.
  public func reset() throws {
    pendingStop = nil
    delay?.release()
    board.reset()
    processor.reset()
    processor.setInterruptPending(false)
    processor.cpu.f.pointee.a20Mask = .max
    try start()
    processor.requestAttention()
  }

  /// What firmware and loader do before the guest's first instruction.
  private func start() throws {
    board.apic.tscOffset = processor.cpu.f.pointee.tscOffset
    if images.bios != nil { return try offerToFirmware() }
    guard let kernel = images.kernel else { throw MachineError.noKernel }
    let tables = ACPITables(acpi, memoryMap: board.memoryMap)
    tables?.write(to: memory)
    SMBIOSTables().write(to: memory)
    let randomSeed = entropy.bytes(32)
    fastBootOutcome = nil
    let fastBoot = FastBoot(random: { [unowned self] in entropy.next() }) { [unowned self] in
      fastBootOutcome = $0
    }
    let state = try KernelLoader.load(
      kernel: kernel, initrds: images.initrds.map { BootModule(bytes: $0.bytes, commandLine: $0.name) },
      commandLine: kernelCommandLine(kernel), memory: memory, memoryMap: board.memoryMap,
      rsdp: tables?.rsdpAddress ?? 0, randomSeed: randomSeed,
      fastBoot: configuration.fastBoot == true ? fastBoot : nil)
    processor.cpu.setBootState(state)
    processor.cpu.setFirmwareMTRRs()
    processor.stateChanged()
    board.apic.tscOffset = processor.cpu.f.pointee.tscOffset
    setUpVirtualWire()
  }

  /// A multiboot kernel is told its own name first, as QEMU and GRUB do.
  private func kernelCommandLine(_ kernel: [UInt8]) -> String {
    guard let name = configuration.kernelName, KernelLoader.format(of: kernel) == .multiboot else {
      return configuration.commandLine
    }
    return "\(name) \(configuration.commandLine)"
  }

  /// Firmware starts at the reset vector and finds the rest through fw_cfg and CMOS.
  private func offerToFirmware() throws {
    FirmwareConfiguration(
      options: configuration.firmware ?? MachineConfiguration.FirmwareOptions(), memoryMap: board.memoryMap,
      acpi: acpi
    ).apply(to: board.fwCfg, board.rtc, hasDisplay: board.vga != nil)
    guard let kernel = images.kernel else { return }
    guard BzImageLoader.recognizes(kernel) else { throw MachineError.firmwareKernel }
    guard let rom = images.kernelROM else { throw MachineError.noKernelROM }
    let initrd = images.initrds.isEmpty ? nil : images.initrds.flatMap(\.bytes)
    try KernelForFirmware.add(
      kernel: kernel, initrd: initrd, commandLine: configuration.commandLine, to: board.fwCfg,
      memoryMap: board.memoryMap)
    let name = rom.name.split(separator: "/").last ?? "kernel.bin"
    board.fwCfg.addFile("genroms/\(name)", rom.bytes)
    board.fwCfg.addFile("bootorder", Array("/rom@genroms/\(name)\n".utf8) + [0])
  }

  private var acpi: ACPIConfiguration {
    var acpi = board.acpiConfiguration
    acpi.pvpanicPort = configuration.pvpanic?.port
    return acpi
  }

  /// The local APIC as firmware leaves it: on, LINT0 to the 8259s, LINT1 to NMI (MultiProcessor Specification 3.6.2.2).
  private func setUpVirtualWire() {
    board.apic.writeMemory(offset: 0xF0, size: 4, value: 0x1FF)
    board.apic.writeMemory(offset: 0x350, size: 4, value: 0x8700)
    board.apic.writeMemory(offset: 0x360, size: 4, value: 0x8400)
  }
}

/// The board's clock. Made before the processor, which is made of the board.
private final class BoardClock: TimeSource {
  weak var processor: Processor?
  var virtualTime: UInt64 { processor?.cpu.virtualTime ?? 0 }
}

/// A configuration that cannot be built.
public enum MachineError: Error, Equatable, CustomStringConvertible {
  case memorySize(UInt64)
  case memoryUnavailable(UInt64)
  case timeShift(UInt64)
  case serialPorts(Int)
  case portRange(String, UInt16, UInt16)
  case noKernel
  case firmwareSize(UInt64)
  case firmwareKernel
  case noKernelROM
  case unknownDevice(String)
  case noSlot(String)
  case driveSize(String, UInt64)
  case driveIndex(String, Int?)
  case slot(String, Int)
  case processor(String)

  public var description: String {
    switch self {
    case .memorySize(let size):
      return "memory of \(size) bytes: at least 1 MiB and a multiple of 4096 is needed (-m)"
    case .memoryUnavailable(let size):
      return "the host has no room for \(size >> 20) MiB of guest memory; give the machine less with -m"
    case .timeShift(let shift): return "-icount shift=\(shift): 0 to 10 are possible"
    case .serialPorts(let count): return "\(count) serial ports: at most 4 are possible"
    case .portRange(let name, let first, let count):
      return "\(name): \(count) ports from 0x\(String(first, radix: 16)) on are not in the I/O space"
    case .processor(let name):
      return "processor \(name): this version has no such model, or not all of its features (-cpu)"
    case .noKernel: return "there is nothing to start; name a kernel with -kernel, or firmware with -bios"
    case .firmwareSize(let size): return "firmware of \(size) bytes: 1 byte to 16 MiB are possible (-bios)"
    case .firmwareKernel:
      return "firmware starts Linux bzImages only; leave -bios out, or boot the kernel from a disk"
    case .noKernelROM:
      return
        "firmware needs the option ROM linuxboot_dma.bin to start a kernel, which is not there; install QEMU's data "
        + "files, or leave -bios out"
    case .unknownDevice(let name): return "\(name): there is no such device"
    case .driveSize(let id, let size):
      return
        "drive \(id): \(size) bytes: a multiple of 512 up to 8 TiB is possible, as far as the host has address space"
    case .driveIndex(let id, let index):
      return "drive \(id): IDE has places 0 to 3, each for one drive"
        + (index.map { "; place \($0) is not there or taken" } ?? "")
    case .noSlot(let name): return "\(name): the PCI bus is full"
    case .slot(let name, let slot): return "\(name): addr=0x\(String(slot, radix: 16)): slots are 0 to 0x1f"
    }
  }
}

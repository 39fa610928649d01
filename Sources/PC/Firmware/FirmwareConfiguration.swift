import X86Core

/// What the board tells its firmware: files and keys of fw_cfg, and bytes of the CMOS, as QEMU's `pc` does for SeaBIOS.
struct FirmwareConfiguration {
  let options: MachineConfiguration.FirmwareOptions
  let memoryMap: MemoryMap
  let acpi: ACPIConfiguration

  /// Keys that only a PC has.
  enum Key {
    static let noGraphics: UInt16 = 0x04
    static let bootMenu: UInt16 = 0x0E
    static let irq0Override: UInt16 = 0x8002
  }
  /// CMOS bytes of the boot order: first two devices, third device.
  enum CMOS {
    static let bootOrder = 0x3D
    static let bootOrder3 = 0x38
  }

  func apply(to fwCfg: FWCfg, _ rtc: RTC146818, hasDisplay: Bool) {
    fwCfg.add(Key.noGraphics, number: UInt16(hasDisplay ? 0 : 1))
    fwCfg.add(Key.bootMenu, number: UInt16(options.menu ? 1 : 0))
    // IRQ 0 is the IOAPIC's input 2.
    fwCfg.add(Key.irq0Override, [1])
    if let timeout = options.menuTimeout {
      let value = UInt16(clamping: timeout)
      fwCfg.addFile(
        "etc/boot-menu-wait", [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)])
    }
    var map = ByteWriter()
    func entry(_ base: UInt64, _ size: UInt64) {
      map.u64(base)
      map.u64(size)
      map.u32(E820Entry.Kind.ram.rawValue)
    }
    entry(0, memoryMap.lowSize)
    if memoryMap.highSize > 0 { entry(GuestMemory.highBase, memoryMap.highSize) }
    fwCfg.addFile("etc/e820", map.bytes)
    if let tables = ACPIForFirmware(acpi) {
      fwCfg.addFile(ACPIForFirmware.tablesName, tables.tables)
      fwCfg.addFile(ACPIForFirmware.rsdpName, tables.rsdp)
      fwCfg.addFile(ACPIForFirmware.loaderName, tables.loader)
    }
    let smbios = SMBIOSTables()
    fwCfg.addFile("etc/smbios/smbios-anchor", smbios.entryPoint)
    fwCfg.addFile("etc/smbios/smbios-tables", smbios.structures)
    // S5 is there; S3 and S4 are not.
    fwCfg.addFile("etc/system-states", [0x80, 0, 0, 0x00, 0x02, 0x80])

    // QEMU's letters for what SeaBIOS calls floppy 1, hard disk 2, CD 3, network 4.
    let codes: [Character: UInt8] = ["a": 1, "b": 1, "c": 2, "d": 3, "n": 4]
    let order = options.order.compactMap { codes[$0] } + [0, 0, 0]
    rtc.setMemory(CMOS.bootOrder, order[0] | order[1] << 4)
    // Bit 0: no check for a floppy's signature.
    rtc.setMemory(CMOS.bootOrder3, order[2] << 4 | 1)
  }
}

/// A Linux kernel as fw_cfg offers it to the option ROM `linuxboot_dma.bin`, which puts it into memory and starts its
/// 16-bit setup code (boot.rst, "The Linux/x86 Boot Protocol").
struct KernelForFirmware {
  static let setupAddress: UInt32 = 0x10000
  static let commandLineAddress: UInt32 = 0x20000
  static let kernelAddress: UInt32 = 0x100000

  /// - Throws: `LoaderError` for a file that is no bzImage, or does not fit.
  static func add(
    kernel: [UInt8], initrd: [UInt8]?, commandLine: String, to fwCfg: FWCfg, memoryMap: MemoryMap
  ) throws {
    typealias Header = BzImageLoader.Header
    let image = try BzImage(kernel)
    let setupSize = kernel.count - image.payload.count
    var setup = Array(kernel[..<setupSize])
    func put(_ offset: Int, _ value: UInt32, bytes: Int) {
      for i in 0..<bytes where offset + i < setup.count {
        setup[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i))
      }
    }
    // QEMU's number among the boot loaders; the kernel may use the heap behind its setup code.
    put(Header.typeOfLoader, 0xB0, bytes: 1)
    put(Header.loadFlags, UInt32(setup[Header.loadFlags] | 0x80), bytes: 1)
    put(0x224, 0x20000 - 0x10000 - 0x200, bytes: 2)
    put(Header.commandLinePointer, commandLineAddress, bytes: 4)
    let arguments = Array(commandLine.utf8) + [0]
    guard arguments.count <= image.commandLineSize + 1 else {
      throw LoaderError.commandLineTooLong(length: arguments.count - 1, limit: image.commandLineSize)
    }
    if let initrd {
      let size = UInt64(initrd.count)
      guard size > 0 else { throw LoaderError.emptyInitrd }
      // Below what the kernel names, and below the firmware's own tables.
      let limit = min(image.initrdAddressMax &+ 1, memoryMap.lowSize - min(memoryMap.lowSize, 0x40000))
      let floor = UInt64(kernelAddress) + UInt64(image.payload.count)
      guard limit > floor, size <= limit - floor else {
        throw LoaderError.initrdTooLarge(size: size, room: limit > floor ? limit - floor : 0)
      }
      let address = UInt32(truncatingIfNeeded: (limit - size) & ~0xFFF)
      put(Header.ramdiskImage, address, bytes: 4)
      put(Header.ramdiskSize, UInt32(truncatingIfNeeded: size), bytes: 4)
      fwCfg.add(FWCfg.Key.initrdAddress, number: address)
      fwCfg.add(FWCfg.Key.initrdSize, number: UInt32(truncatingIfNeeded: size))
      fwCfg.add(FWCfg.Key.initrdData, initrd)
    }
    fwCfg.add(FWCfg.Key.kernelAddress, number: kernelAddress)
    fwCfg.add(FWCfg.Key.kernelSize, number: UInt32(truncatingIfNeeded: image.payload.count))
    fwCfg.add(FWCfg.Key.kernelData, Array(image.payload))
    fwCfg.add(FWCfg.Key.commandLineAddress, number: commandLineAddress)
    fwCfg.add(FWCfg.Key.commandLineSize, number: UInt32(truncatingIfNeeded: arguments.count))
    fwCfg.add(FWCfg.Key.commandLineData, arguments)
    fwCfg.add(FWCfg.Key.setupAddress, number: setupAddress)
    fwCfg.add(FWCfg.Key.setupSize, number: UInt32(truncatingIfNeeded: setup.count))
    fwCfg.add(FWCfg.Key.setupData, setup)
  }
}

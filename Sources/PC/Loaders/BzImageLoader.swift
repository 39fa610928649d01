import X86Core

/// Starts a Linux bzImage as its boot protocol asks (Documentation/x86/boot.rst): in 64-bit mode where the
/// kernel has that entry, else in 32-bit protected mode. The 16-bit setup code is not run.
public struct BzImageLoader {
  /// Offsets into the file and, alike, into `boot_params` (boot.rst, "The Real-Mode Kernel Header").
  enum Header {
    static let setupSectors = 0x1F1
    static let paragraphs = 0x1F4
    static let bootFlag = 0x1FE
    /// Length of the header past 0x202.
    static let length = 0x201
    static let magic = 0x202
    static let version = 0x206
    static let typeOfLoader = 0x210
    static let loadFlags = 0x211
    static let code32Start = 0x214
    static let ramdiskImage = 0x218
    static let ramdiskSize = 0x21C
    static let kernelVersion = 0x20E
    static let commandLinePointer = 0x228
    static let initrdAddressMax = 0x22C
    static let kernelAlignment = 0x230
    static let relocatable = 0x234
    static let extendedLoadFlags = 0x236
    static let commandLineSize = 0x238
    static let payloadOffset = 0x248
    static let payloadLength = 0x24C
    static let setupData = 0x250
    static let preferredAddress = 0x258
    static let initSize = 0x260
  }
  /// Offsets into `boot_params` that the file has no part in (zero-page.rst).
  enum ZeroPage {
    static let acpiRSDP = 0x070
    static let e820Count = 0x1E8
    static let e820Table = 0x2D0
    static let e820Max = 128
    static let size = 4096
  }
  static let headerMagic: UInt32 = 0x5372_6448  // "HdrS"
  static let loadedHigh: UInt8 = 0x01
  /// The kernel's place was drawn. Its decompressor sets or clears it.
  static let kaslr: UInt8 = 0x02
  static let kernel64: UInt16 = 0x0001
  static let entry64Offset: UInt64 = 0x200
  /// "Undefined" boot loader.
  static let loaderType: UInt8 = 0xFF
  static let setupRNGSeed: UInt32 = 9
  static let sectorSize: UInt64 = 512

  /// Where the loader leaves its own things; all of it is RAM that the kernel may use later.
  public enum Layout {
    public static let gdt: UInt64 = 0x5000
    public static let stackTop: UInt64 = 0x10000
    public static let bootParameters: UInt64 = 0x10000
    public static let pageTables: UInt64 = 0x11000
    public static let commandLine: UInt64 = 0x20000
    public static let commandLineRoom: UInt64 = 0x10000
    public static let setupData: UInt64 = 0x30000
  }

  /// Whether a file calls itself a bzImage.
  public static func recognizes(_ kernel: [UInt8]) -> Bool {
    let file = ByteReader(kernel)
    return file.u16(Header.bootFlag) == 0xAA55 && file.u32(Header.magic) == headerMagic
  }

  /// Puts kernel, initrd, command line and boot parameters into memory.
  ///
  /// - Parameters:
  ///   - kernel: the file as it is.
  ///   - initrd: nil for none.
  ///   - commandLine: without a terminating zero.
  ///   - memoryMap: what the kernel is told; the initrd stays below its tables.
  ///   - rsdp: guest-physical address of the RSDP, 0 to let the kernel search.
  ///   - randomSeed: bytes that the kernel mixes into its entropy; empty for none.
  ///   - fastBoot: unpacks the kernel on the host where it can; nil leaves that to the guest.
  /// - Throws: `LoaderError`; memory may have been written to by then.
  public static func load(
    kernel: [UInt8], initrd: [UInt8]?, commandLine: String, memory: GuestMemory, memoryMap: MemoryMap,
    rsdp: UInt64, randomSeed: [UInt8], fastBoot: FastBoot? = nil
  ) throws -> BootState {
    let image = try BzImage(kernel)
    let usableEnd = memoryMap.lowUsableEnd

    // The kernel unpacks itself in place and needs `initSize` from where it ends up.
    let loadAddress = image.relocatable ? image.preferredAddress : image.code32Start
    let runAddress = max(loadAddress, image.preferredAddress)
    let (needed, overflow) = runAddress.addingReportingOverflow(
      max(image.initSize, UInt64(image.payload.count)))
    guard !overflow, loadAddress >= MemoryMap.extendedBase, needed <= 1 << 32 else {
      throw LoaderError.malformed(what: "its load address is 0x\(String(loadAddress, radix: 16))")
    }
    guard needed <= usableEnd else {
      throw LoaderError.notEnoughMemory(
        needed: needed + MemoryMap.acpiAreaSize, present: memoryMap.lowSize + memoryMap.highSize)
    }

    var zeroPage = [UInt8](repeating: 0, count: ZeroPage.size)
    func put(_ offset: Int, _ value: UInt64, bytes: Int) {
      for i in 0..<bytes { zeroPage[offset + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }
    zeroPage.replaceSubrange(
      Header.setupSectors..<image.headerEnd, with: kernel[Header.setupSectors..<image.headerEnd])
    put(Header.typeOfLoader, UInt64(loaderType), bytes: 1)
    put(Header.code32Start, loadAddress, bytes: 4)
    put(ZeroPage.acpiRSDP, rsdp, bytes: 8)

    var taken = [0..<MemoryMap.extendedBase]
    if let initrd {
      let address = try InitrdPlacement.place(
        initrd, above: needed, limit: min(image.initrdAddressMax &+ 1, usableEnd), in: memory)
      taken.append(address..<(address + UInt64(initrd.count)))
      put(Header.ramdiskImage, address, bytes: 4)
      put(Header.ramdiskSize, UInt64(initrd.count), bytes: 4)
    }

    let arguments = Array(commandLine.utf8)
    let limit = min(image.commandLineSize, Int(Layout.commandLineRoom) - 1)
    guard arguments.count <= limit else {
      throw LoaderError.commandLineTooLong(length: arguments.count, limit: limit)
    }
    memory.write(Layout.commandLine, arguments + [0])
    put(Header.commandLinePointer, Layout.commandLine, bytes: 4)

    if !randomSeed.isEmpty {
      // struct setup_data { u64 next; u32 type; u32 len; u8 data[]; }
      var seed = ByteWriter()
      seed.u64(0)
      seed.u32(setupRNGSeed)
      seed.u32(UInt32(truncatingIfNeeded: min(randomSeed.count, 4096)))
      seed.raw(Array(randomSeed.prefix(4096)))
      memory.write(Layout.setupData, seed.bytes)
      put(Header.setupData, Layout.setupData, bytes: 8)
    }

    let entries = memoryMap.entries.prefix(ZeroPage.e820Max)
    put(ZeroPage.e820Count, UInt64(entries.count), bytes: 1)
    for (i, entry) in entries.enumerated() {
      put(ZeroPage.e820Table + 20 * i, entry.base, bytes: 8)
      put(ZeroPage.e820Table + 20 * i + 8, entry.size, bytes: 8)
      put(ZeroPage.e820Table + 20 * i + 16, UInt64(entry.kind.rawValue), bytes: 4)
    }

    let unpacked = fastBoot?.attempt(
      image, loadAddress: loadAddress, commandLine: commandLine, map: Array(entries), avoid: taken, memory: memory)
    if let unpacked {
      let flags = zeroPage[Header.loadFlags] & ~kaslr
      zeroPage[Header.loadFlags] = unpacked.placement.isRandomized ? flags | kaslr : flags
    } else {
      guard write(image.payload, to: loadAddress, in: memory) else {
        throw LoaderError.notEnoughMemory(needed: needed, present: memory.size)
      }
    }
    memory.write(Layout.bootParameters, zeroPage)

    var state: BootState
    if image.has64BitEntry {
      BootTables.writeIdentityMap(to: Layout.pageTables, upTo: unpacked?.end ?? 0, in: memory)
      BootTables.write(BootTables.gdt64, to: Layout.gdt, in: memory)
      state = .long64(
        entry: unpacked?.entry ?? loadAddress + entry64Offset, gdtBase: Layout.gdt, pageTables: Layout.pageTables)
    } else {
      BootTables.write(BootTables.gdt, to: Layout.gdt, in: memory)
      state = .protected32(entry: loadAddress, gdtBase: Layout.gdt)
    }
    state.rsi = Layout.bootParameters
    state.rsp = Layout.stackTop
    return state
  }

  private static func write(_ bytes: ArraySlice<UInt8>, to address: UInt64, in memory: GuestMemory) -> Bool {
    bytes.withUnsafeBytes { memory.writeFile(address, $0) }
  }
}

/// A bzImage's header, checked.
struct BzImage {
  /// The oldest boot protocol that names the length of the command line.
  static let oldestVersion: UInt16 = 0x0206

  /// The protected-mode part.
  let payload: ArraySlice<UInt8>
  /// Where the setup header ends in the file.
  let headerEnd: Int
  let relocatable: Bool
  let has64BitEntry: Bool
  let code32Start: UInt64
  let preferredAddress: UInt64
  /// Bytes that the kernel needs from its run-time start before it reads the memory map.
  let initSize: UInt64
  let initrdAddressMax: UInt64
  let commandLineSize: Int
  /// In bytes; 0 where the header does not say.
  let kernelAlignment: UInt64
  /// The compressed kernel within the protected-mode part; nil where the header names none.
  let packedKernel: ArraySlice<UInt8>?
  /// `6.1.0-1-amd64 (…) #1 SMP …`.
  let kernelVersion: String?

  /// - Throws: `LoaderError` when the file is not a bzImage, or less than it says.
  init(_ kernel: [UInt8]) throws {
    typealias Header = BzImageLoader.Header
    guard !kernel.isEmpty else { throw LoaderError.emptyKernel }
    guard BzImageLoader.recognizes(kernel) else {
      let start = kernel.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
      throw LoaderError.foreignKernel(found: "it starts with bytes \(start)")
    }
    let file = ByteReader(kernel)
    let present = UInt64(kernel.count)
    let headerEnd = Header.magic + Int(kernel[Header.length])
    guard kernel.count >= headerEnd, let version = file.u16(Header.version) else {
      throw LoaderError.truncated(what: "the kernel's header", needed: UInt64(headerEnd), present: present)
    }
    guard version >= Self.oldestVersion else { throw LoaderError.unsupportedProtocol(version: version) }
    /// A field of a header that may be shorter than the newest one.
    func field<T: UnsignedInteger>(_ offset: Int, _ value: T?, size: Int, since: UInt16) -> T? {
      version >= since && offset + size <= headerEnd ? value : nil
    }
    guard kernel[Header.loadFlags] & BzImageLoader.loadedHigh != 0 else {
      throw LoaderError.malformed(what: "it is a zImage, which loads below 640 KiB")
    }

    // 0 means 4, for kernels of the last century.
    let sectors = kernel[Header.setupSectors] == 0 ? 4 : UInt64(kernel[Header.setupSectors])
    let setupSize = (sectors + 1) * BzImageLoader.sectorSize
    let paragraphs = UInt64(file.u32(Header.paragraphs) ?? 0)
    // The last paragraph may be partial.
    let needed = setupSize + max(paragraphs * 16, 16) - 15
    guard present >= needed else {
      throw LoaderError.truncated(what: "the kernel", needed: needed, present: present)
    }

    let payload = kernel[Int(setupSize)...]
    self.payload = payload
    self.headerEnd = headerEnd
    self.code32Start = UInt64(file.u32(Header.code32Start) ?? 0)
    self.relocatable =
      (field(Header.relocatable, file.u8(Header.relocatable), size: 1, since: 0x0205) ?? 0) != 0
    let extendedFlags = field(
      Header.extendedLoadFlags, file.u16(Header.extendedLoadFlags), size: 2, since: 0x020C)
    self.has64BitEntry =
      (extendedFlags ?? 0) & BzImageLoader.kernel64 != 0
      && payload.count > Int(BzImageLoader.entry64Offset)
    self.preferredAddress =
      field(Header.preferredAddress, file.u64(Header.preferredAddress), size: 8, since: 0x020A)
      ?? code32Start
    self.initSize = UInt64(
      field(Header.initSize, file.u32(Header.initSize), size: 4, since: 0x020A) ?? UInt32(payload.count))
    self.initrdAddressMax = UInt64(file.u32(Header.initrdAddressMax) ?? 0x37FF_FFFF)
    self.commandLineSize = Int(file.u32(Header.commandLineSize) ?? 255)
    self.kernelAlignment = UInt64(
      field(Header.kernelAlignment, file.u32(Header.kernelAlignment), size: 4, since: 0x0205) ?? 0)
    let packedOffset = field(Header.payloadOffset, file.u32(Header.payloadOffset), size: 4, since: 0x0208) ?? 0
    let packedLength = field(Header.payloadLength, file.u32(Header.payloadLength), size: 4, since: 0x0208) ?? 0
    self.packedKernel = packedLength == 0 ? nil : file.slice(setupSize + UInt64(packedOffset), UInt64(packedLength))
    // The field counts from 0x200; the text lies in the setup code.
    let text = Int(file.u16(Header.kernelVersion) ?? 0)
    let release = kernel[min(text + 0x200, Int(setupSize))..<Int(setupSize)].prefix(256).prefix { $0 != 0 }
    self.kernelVersion = text == 0 || release.isEmpty ? nil : String(decoding: release, as: UTF8.self)
  }
}

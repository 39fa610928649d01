import X86Core

/// QEMU's firmware configuration device (specification "QEMU Firmware Configuration Device"): items of bytes that
/// a guest selects by key and reads through a port or by DMA. Twelve ports, by default from 0x510.
public final class FWCfg: PortDevice {
  public static let portCount: UInt16 = 12

  enum Register {
    /// Selector, 16 bits, write only.
    static let selector: UInt16 = 0
    /// Data, 8 bits.
    static let data: UInt16 = 1
    /// Guest-physical address of the DMA descriptor, big-endian: upper half, then the lower, which starts it.
    static let dmaHigh: UInt16 = 4
    static let dmaLow: UInt16 = 8
  }
  /// Well-known keys.
  public enum Key {
    public static let signature: UInt16 = 0x00
    public static let interfaces: UInt16 = 0x01
    public static let ramSize: UInt16 = 0x03
    public static let processorCount: UInt16 = 0x05
    public static let kernelAddress: UInt16 = 0x07
    public static let kernelSize: UInt16 = 0x08
    public static let initrdAddress: UInt16 = 0x0A
    public static let initrdSize: UInt16 = 0x0B
    public static let maximumProcessors: UInt16 = 0x0F
    public static let kernelData: UInt16 = 0x11
    public static let initrdData: UInt16 = 0x12
    public static let commandLineAddress: UInt16 = 0x13
    public static let commandLineSize: UInt16 = 0x14
    public static let commandLineData: UInt16 = 0x15
    public static let setupAddress: UInt16 = 0x16
    public static let setupSize: UInt16 = 0x17
    public static let setupData: UInt16 = 0x18
    public static let directory: UInt16 = 0x19
    static let firstFile: UInt16 = 0x20
  }
  /// The DMA descriptor's control field.
  enum DMAControl {
    static let error: UInt32 = 1 << 0
    static let read: UInt32 = 1 << 1
    static let skip: UInt32 = 1 << 2
    static let select: UInt32 = 1 << 3
    static let write: UInt32 = 1 << 4
  }
  /// What reading the DMA register gives: "QEMU CFG".
  static let dmaSignature: [UInt8] = Array("QEMU CFG".utf8)
  static let descriptorSize = 16
  static let fileNameSize = 56

  private struct Item {
    var key: UInt16
    var name: String?
    var bytes: [UInt8]
    var initial: [UInt8]
    var isWritable: Bool
    var onWrite: (([UInt8]) -> Void)?
  }

  /// The bytes of a file that the guest may write.
  public struct WrittenFile: Codable, Equatable {
    public var name: String
    public var bytes: [UInt8]
  }
  public struct State: Codable, Equatable {
    public var selector: UInt16
    /// Next byte of the selected item.
    public var offset: UInt32
    public var dmaHigh: UInt32
    /// All writable files, by name.
    public var written: [WrittenFile]
  }
  public var state: State {
    get {
      let written = items.filter(\.isWritable).map { WrittenFile(name: $0.name ?? "", bytes: $0.bytes) }
      return State(selector: selector, offset: offset, dmaHigh: dmaHigh, written: written)
    }
    set {
      selector = newValue.selector
      offset = newValue.offset
      dmaHigh = newValue.dmaHigh
      for file in newValue.written {
        if let i = items.firstIndex(where: { $0.isWritable && $0.name == file.name }),
          items[i].bytes.count == file.bytes.count
        {
          items[i].bytes = file.bytes
        }
      }
    }
  }

  /// In ascending order of keys.
  private var items: [Item] = []
  private var selector: UInt16 = 0
  private var offset: UInt32 = 0
  private var dmaHigh: UInt32 = 0
  private let memory: GuestMemory

  public init(memory: GuestMemory) {
    self.memory = memory
    add(Key.signature, Array("QEMU".utf8))
    // Traditional interface and DMA.
    add(Key.interfaces, [3, 0, 0, 0])
    rebuildDirectory()
  }

  public func reset() {
    selector = 0
    offset = 0
    dmaHigh = 0
    for i in items.indices { items[i].bytes = items[i].initial }
  }

  // MARK: Items

  /// Adds an item with a well-known key; a second one with this key replaces the first.
  public func add(_ key: UInt16, _ bytes: [UInt8]) {
    items.removeAll { $0.key == key }
    insert(Item(key: key, name: nil, bytes: bytes, initial: bytes, isWritable: false))
  }

  /// Adds an item that is one little-endian number.
  public func add<T: FixedWidthInteger>(_ key: UInt16, number: T) {
    add(key, (0..<MemoryLayout<T>.size).map { UInt8(truncatingIfNeeded: number >> T(8 * $0)) })
  }

  /// Adds a file to the directory. Keys follow the order of names, so add all before the guest runs.
  /// - Parameters:
  ///   - name: at most 55 bytes of ASCII.
  ///   - onWrite: not nil lets the guest write it by DMA; called with the whole content after each write.
  public func addFile(_ name: String, _ bytes: [UInt8], onWrite: (([UInt8]) -> Void)? = nil) {
    items.removeAll { $0.name == name }
    items.append(
      Item(
        key: .max, name: name, bytes: bytes, initial: bytes, isWritable: onWrite != nil, onWrite: onWrite))
    rebuildDirectory()
  }

  private func insert(_ item: Item) {
    items.append(item)
    items.sort { $0.key < $1.key }
  }

  private func rebuildDirectory() {
    var files = items.filter { $0.name != nil }
    files.sort { Array($0.name!.utf8).lexicographicallyPrecedes(Array($1.name!.utf8)) }
    for i in files.indices { files[i].key = Key.firstFile + UInt16(truncatingIfNeeded: i) }
    items.removeAll { $0.name != nil }
    items += files
    var directory = ByteWriter()
    directory.u32(UInt32(files.count).byteSwapped)
    for file in files {
      directory.u32(UInt32(truncatingIfNeeded: file.bytes.count).byteSwapped)
      directory.u16(file.key.byteSwapped)
      directory.u16(0)
      directory.text(String(file.name!.prefix(Self.fileNameSize - 1)), length: Self.fileNameSize)
    }
    add(Key.directory, directory.bytes)
  }

  private var selected: Int? { items.firstIndex { $0.key == selector } }

  // MARK: Ports

  public func readPort(offset port: UInt16, size: Int) -> UInt32 {
    if port == Register.data, size == 1 {
      guard let i = selected, offset < items[i].bytes.count else { return 0 }
      defer { offset += 1 }
      return UInt32(items[i].bytes[Int(offset)])
    }
    var value: UInt32 = 0
    for i in 0..<size {
      let at = Int(port) + i - Int(Register.dmaHigh)
      let byte = (0..<8).contains(at) ? Self.dmaSignature[at] : 0
      value |= UInt32(byte) << UInt32(8 * i)
    }
    return value
  }

  public func writePort(offset port: UInt16, size: Int, value: UInt32) {
    switch (port, size) {
    case (Register.selector, 2): select(UInt16(truncatingIfNeeded: value))
    case (Register.dmaHigh, 4): dmaHigh = value.byteSwapped
    case (Register.dmaLow, 4):
      let descriptor = UInt64(dmaHigh) << 32 | UInt64(value.byteSwapped)
      dmaHigh = 0
      runDMA(descriptor)
    default: break  // The data register has been read-only since QEMU 2.4.
    }
  }

  private func select(_ key: UInt16) {
    selector = key
    offset = 0
  }

  // MARK: DMA

  /// All fields are big-endian: control (32 bits), length (32), address (64).
  private func runDMA(_ descriptor: UInt64) {
    guard let bytes = memory.read(descriptor, count: Self.descriptorSize) else { return }
    let fields = ByteReader(bytes)
    let control = fields.u32(0)!.byteSwapped
    let length = fields.u32(4)!.byteSwapped
    let address = fields.u64(8)!.byteSwapped

    if control & DMAControl.select != 0 { select(UInt16(truncatingIfNeeded: control >> 16)) }
    var succeeded = true
    if control & DMAControl.read != 0 {
      succeeded = readItem(to: address, length)
    } else if control & DMAControl.write != 0 {
      succeeded = writeItem(from: address, length)
    } else if control & DMAControl.skip != 0 {
      advance(length)
    }
    var result = ByteWriter()
    result.u32((succeeded ? 0 : DMAControl.error).byteSwapped)
    memory.write(descriptor, result.bytes)
  }

  private func advance(_ count: UInt32) {
    offset = count > .max - offset ? .max : offset + count
  }

  /// Past the item's end the guest gets zeros. Goes page by page, so that a length of 4 GiB costs no memory.
  private func readItem(to address: UInt64, _ length: UInt32) -> Bool {
    var address = address
    var left = length
    while left > 0 {
      let count = min(left, UInt32(GuestMemory.pageSize - address % GuestMemory.pageSize))
      var piece = [UInt8](repeating: 0, count: Int(count))
      if let i = selected, offset < items[i].bytes.count {
        let end = min(items[i].bytes.count, Int(offset) + Int(count))
        piece.replaceSubrange(0..<(end - Int(offset)), with: items[i].bytes[Int(offset)..<end])
      }
      guard memory.write(address, piece) else { return false }
      advance(count)
      address = address &+ UInt64(count)
      left -= count
    }
    return true
  }

  private func writeItem(from address: UInt64, _ length: UInt32) -> Bool {
    guard let i = selected, items[i].isWritable, offset <= items[i].bytes.count,
      Int(length) <= items[i].bytes.count - Int(offset),
      let bytes = memory.read(address, count: Int(length))
    else { return false }
    items[i].bytes.replaceSubrange(Int(offset)..<(Int(offset) + bytes.count), with: bytes)
    advance(length)
    items[i].onWrite?(items[i].bytes)
    return true
  }
}

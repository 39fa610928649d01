import X86Core

/// The memory below 1 MiB where firmware lies, as the 82441FX's attribute registers map it (data sheet 3.2.18, "PAM"):
/// thirteen areas, each read from RAM or from ROM, and writable or not.
///
/// While an area shows ROM, its page of RAM holds the ROM's bytes, and what RAM has there is kept aside. An area that is
/// read from ROM and written to RAM at once, which is how firmware copies itself, shows what is written.
public final class ShadowRAM {
  /// Bits of an area's attributes.
  enum Attribute {
    static let read: UInt8 = 1
    static let write: UInt8 = 2
  }
  /// The areas in the order of their nibbles from PAM0's upper one on.
  static let areas: [Range<UInt64>] =
    [0xF0000..<0x100000] + (0..<12).map { 0xC0000 + $0 * 0x4000..<0xC4000 + $0 * 0x4000 }
  /// As much of a ROM's end is seen below 1 MiB.
  static let aliasSize = 128 << 10

  public struct State: Codable, Equatable {
    public var attributes = [UInt8](repeating: 0, count: 13)
    /// RAM behind areas that show ROM; empty where it is all zeros.
    public var hidden = [[UInt8]](repeating: [], count: 13)
  }
  /// What a checkpoint keeps. Setting it changes no memory but who may write it.
  public var state: State {
    get { current }
    set {
      guard newValue.attributes.count == 13, newValue.hidden.count == 13 else { return }
      current = newValue
      for i in Self.areas.indices { protect(i) }
      onChange?()
    }
  }
  private var current = State()
  private let memory: GuestMemory
  private let rom: [UInt8]
  /// Translations that exist may be wrong now.
  public var onChange: (() -> Void)?

  /// - Parameter rom: the firmware, whose end lies at 1 MiB, too.
  public init(memory: GuestMemory, rom: [UInt8]) {
    self.memory = memory
    self.rom = Array(rom.suffix(Self.aliasSize))
    for i in Self.areas.indices { show(i, romBytes(i)) }
  }

  /// Everything reads from ROM. RAM keeps what it has.
  public func reset() { set([UInt8](repeating: 0, count: 7)) }

  /// - Parameter registers: PAM0 to PAM6.
  func set(_ registers: [UInt8]) {
    guard registers.count == 7 else { return }
    var hasChanged = false
    for i in Self.areas.indices {
      // PAM0 has no lower nibble.
      let register = registers[(i + 1) / 2]
      let new = (i % 2 == 0 ? register >> 4 : register) & 3
      let old = current.attributes[i]
      guard new != old else { continue }
      hasChanged = true
      let wasROM = old == 0
      let isROM = new == 0
      if isROM {
        current.hidden[i] = memory.read(Self.areas[i].lowerBound, count: Self.areas[i].count) ?? []
        show(i, romBytes(i))
      } else if wasROM, new & Attribute.read != 0 {
        let ram = current.hidden[i]
        show(i, ram.isEmpty ? [UInt8](repeating: 0, count: Self.areas[i].count) : ram)
        current.hidden[i] = []
      }
      current.attributes[i] = new
      protect(i)
    }
    if hasChanged { onChange?() }
  }

  private func protect(_ area: Int) {
    memory.setReadOnly(Self.areas[area], current.attributes[area] & Attribute.write == 0)
  }

  private func show(_ area: Int, _ bytes: [UInt8]) {
    memory.setReadOnly(Self.areas[area], false)
    memory.write(Self.areas[area].lowerBound, bytes)
    protect(area)
  }

  /// What the ROM has in an area; FF where it is shorter.
  private func romBytes(_ area: Int) -> [UInt8] {
    let range = Self.areas[area]
    let start = 0x100000 - UInt64(rom.count)
    return range.map { $0 >= start ? rom[Int($0 - start)] : 0xFF }
  }
}

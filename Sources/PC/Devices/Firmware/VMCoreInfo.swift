/// QEMU's vmcoreinfo device: through the fw_cfg file `etc/vmcoreinfo` the guest says where the ELF note lies that
/// a dump must carry, so that crash tools find their way. Its state is the file's, kept by `FWCfg`.
public final class VMCoreInfo {
  public static let fileName = "etc/vmcoreinfo"
  enum Format {
    static let none: UInt16 = 0
    static let elf: UInt16 = 1
  }
  /// Where the guest's note lies.
  public struct Note: Equatable {
    public let physicalAddress: UInt64
    /// Bytes, ELF note header included.
    public let size: UInt32

    public init(physicalAddress: UInt64, size: UInt32) {
      self.physicalAddress = physicalAddress
      self.size = size
    }
  }

  private let fwCfg: FWCfg
  /// Called when the guest has told or changed it.
  public var onChange: ((Note?) -> Void)?

  /// Adds the file to `fwCfg`.
  public init(fwCfg: FWCfg) {
    self.fwCfg = fwCfg
    // guest_format, host_format: u16; size: u32; paddr: u64; all little-endian.
    var file = ByteWriter()
    file.u16(Format.none)
    file.u16(Format.elf)
    file.zeros(12)
    fwCfg.addFile(Self.fileName, file.bytes) { [weak self] _ in
      guard let self else { return }
      onChange?(note)
    }
  }

  /// What the guest has told, nil while it has told nothing that makes sense.
  public var note: Note? {
    guard let file = fwCfg.state.written.first(where: { $0.name == Self.fileName }) else { return nil }
    let fields = ByteReader(file.bytes)
    guard fields.u16(0) == Format.elf, let size = fields.u32(4), size > 0, let address = fields.u64(8)
    else { return nil }
    return Note(physicalAddress: address, size: size)
  }
}

/// The host bridge of Intel's 440FX (82441FX PMC data sheet), at slot 0. Its memory attribute registers are kept
/// and have no effect: all of the BIOS area is RAM.
public final class I440FX: PCIFunction {
  enum Register {
    /// PAM0–PAM6: read and write enables of the areas from C0000 to FFFFF.
    static let programmableAttributes = 0x59
    static let smram = 0x72
  }

  public init() {
    super.init(vendorID: 0x8086, deviceID: 0x1237, revision: 2, classCode: 0x060000)
    for i in 0..<7 { allowWrites(Register.programmableAttributes + i, mask: 0x33) }
    set8(Register.smram, 0x02)
    allowWrites(Register.smram, mask: 0x78)
  }
}

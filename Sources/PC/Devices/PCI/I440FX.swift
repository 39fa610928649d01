/// The host bridge of Intel's 440FX (82441FX PMC data sheet), at slot 0. Its memory attribute registers map
/// the memory of firmware (`ShadowRAM`); without firmware they are kept and have no effect: all of the area is RAM.
public final class I440FX: PCIFunction {
  enum Register {
    /// PAM0–PAM6: read and write enables of the areas from C0000 to FFFFF.
    static let programmableAttributes = 0x59
    static let smram = 0x72
  }

  /// Where the attributes have an effect.
  public var shadow: ShadowRAM?

  public init() {
    super.init(vendorID: 0x8086, deviceID: 0x1237, revision: 2, classCode: 0x060000)
    for i in 0..<7 { allowWrites(Register.programmableAttributes + i, mask: 0x33) }
    set8(Register.smram, 0x02)
    allowWrites(Register.smram, mask: 0x78)
  }

  public override func configurationWritten(offset: Int, size: Int) { updateShadow() }

  public override func reset() {
    super.reset()
    updateShadow()
  }

  private func updateShadow() {
    shadow?.set((0..<7).map { get8(Register.programmableAttributes + $0) })
  }
}

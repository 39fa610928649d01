/// A guest that stands still: its physical memory and its registers, and nothing of how it came there.
///
/// All of forensics reads through this: a machine paused at an instant (`MachineView`), or a dump (`ELFCoreView`). What
/// is read was written by a guest that may have gone mad, so every reader bounds what it follows.
public protocol GuestView: AnyObject {
  /// Guest-physical addresses that are RAM, ascending.
  var ranges: [Range<UInt64>] { get }
  /// Where the host has the 4-KiB page that holds this guest-physical address; nil outside RAM. Valid while the view
  /// lives and the guest stands still.
  func page(at physicalAddress: UInt64) -> UnsafeRawPointer?
  /// In order of processor numbers; at least one.
  var processors: [GuestRegisters] { get }
  /// The VMCOREINFO that the guest handed over (fw_cfg's `etc/vmcoreinfo`, or a dump's note): an ELF note with its
  /// header. nil when it has to be looked for.
  var announcedVMCoreInfo: [UInt8]? { get }
}

/// What of a processor's registers says where it is and how it sees memory.
public struct GuestRegisters: Equatable, Sendable {
  /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8–R15.
  public var general: [UInt64]
  public var rip: UInt64
  public var rflags: UInt64 = 2
  public var cs: UInt16 = 0
  public var ss: UInt16 = 0
  public var fsBase: UInt64 = 0
  public var gsBase: UInt64 = 0
  /// What SWAPGS would load.
  public var kernelGSBase: UInt64 = 0
  public var cr0: UInt64 = 0
  public var cr2: UInt64 = 0
  public var cr3: UInt64 = 0
  public var cr4: UInt64 = 0
  /// Whether IA32_EFER.LMA is set: 4- or 5-level paging is in force.
  public var isLongMode = true
  public var idtBase: UInt64 = 0
  public var idtLimit: UInt32 = 0
  public var trBase: UInt64 = 0

  public init(general: [UInt64], rip: UInt64) {
    self.general = Array(general.prefix(16)) + [UInt64](repeating: 0, count: max(0, 16 - general.count))
    self.rip = rip
  }

  public static let names = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
  ]

  public var rsp: UInt64 { general[4] }
  public var rbp: UInt64 { general[5] }
  public var rdi: UInt64 { general[7] }
  public var isUserMode: Bool { cs & 3 == 3 }
  /// Linux keeps its per-processor area at GS; in user mode, and for a few instructions around it, behind SWAPGS.
  public var kernelGS: UInt64 { gsBase >> 63 != 0 ? gsBase : kernelGSBase }
}

/// The local APIC of one processor (SDM 3A chapter 11), in xAPIC or x2APIC mode.
///
/// This file holds state, priorities and delivery; `LocalAPIC+Registers` what the guest sees of it,
/// `LocalAPIC+Timer` the timer.
public final class LocalAPIC: InterruptSink {
  /// Inputs as an `InterruptSink`.
  public static let lint0 = 0
  public static let lint1 = 1

  /// Spurious-interrupt vector register: APIC software enable.
  static let svrEnable: UInt32 = 1 << 8

  // Error status register (SDM 3A 11.5.3).
  static let esrSendIllegalVector: UInt32 = 1 << 5
  static let esrReceiveIllegalVector: UInt32 = 1 << 6
  static let esrIllegalRegister: UInt32 = 1 << 7

  // IA32_APIC_BASE.
  static let baseIsBootstrap: UInt64 = 1 << 8
  static let baseX2APIC: UInt64 = 1 << 10
  static let baseEnable: UInt64 = 1 << 11
  static let defaultBase: UInt64 = 0xFEE0_0000

  public struct State: Codable, Equatable {
    /// IA32_APIC_BASE.
    public var apicBase: UInt64 = 0
    public var tpr: UInt8 = 0
    /// Logical destination, in xAPIC mode in bits 31…24.
    public var ldr: UInt32 = 0
    /// Destination format, xAPIC mode only.
    public var dfr: UInt32 = .max
    /// Spurious-interrupt vector register.
    public var svr: UInt32 = 0xFF
    public var isr = VectorSet()
    public var tmr = VectorSet()
    public var irr = VectorSet()
    /// What the guest reads of ESR.
    public var esr: UInt32 = 0
    /// Errors since the last write of ESR.
    public var errors: UInt32 = 0
    public var icr: UInt64 = 0
    public var lvt = LocalVectorTable()
    public var timer = APICTimerState()
    /// Levels of LINT0 and LINT1.
    public var lint0 = false
    public var lint1 = false
    /// An ExtINT message has come and not been taken yet.
    public var externalInterrupt = false
    public var nmi = false

    public init() {}
  }

  /// The clock must stand where it stood when the value was read.
  public var state: State {
    get { apic }
    set {
      apic = newValue
      onBaseChange?()
      rearmTimer()
      update(nmiChanged: true)
    }
  }

  var apic = State()
  /// The APIC id; in xAPIC mode its low eight bits count.
  public let id: UInt32
  let isBootstrap: Bool
  unowned let bus: APICBus
  let timers: TimerQueue
  var timer: DeviceTimer!
  /// The timer's input clock, before the divider.
  let timerRate: ClockRate
  /// The time-stamp counter without its offset.
  public let tscRate: ClockRate

  /// A vector above the processor's priority, or an external interrupt, waits. RFLAGS.IF is the processor's.
  public private(set) var interruptPending = false
  /// An NMI waits; the processor takes it with `acknowledgeNMI`.
  public var pendingNMI: Bool { apic.nmi }
  /// `interruptPending` or `pendingNMI` has changed.
  public var onOutputChange: (() -> Void)?
  /// Takes the vector from the 8259s, for ExtINT.
  public var onExternalAcknowledge: (() -> UInt8)?
  /// INIT has come for this processor.
  public var onInit: (() -> Void)?
  /// A start-up IPI has come; the processor starts at vector × 4096 if it waits for one.
  public var onStartUp: ((_ vector: UInt8) -> Void)?
  public var onSMI: (() -> Void)?
  /// `mappedBase` may have changed.
  public var onBaseChange: (() -> Void)?

  /// - Parameters:
  ///   - timerFrequency: of the timer's input clock in hertz: the crystal of CPUID leaf 0x15.
  ///   - tscFrequency: in hertz.
  public init(
    id: UInt32, isBootstrapProcessor: Bool, timerFrequency: UInt64, tscFrequency: UInt64,
    timers: TimerQueue, bus: APICBus
  ) {
    self.id = id
    isBootstrap = isBootstrapProcessor
    timerRate = ClockRate(hertz: timerFrequency)
    tscRate = ClockRate(hertz: tscFrequency)
    self.timers = timers
    self.bus = bus
    timer = timers.makeTimer("local APIC \(id)") { [unowned self] in timerFired() }
    bus.attach(self)
    reset()
  }

  /// Power-on. The bootstrap processor's LINT0 is then ExtINT, the virtual wire that firmware leaves behind.
  public func reset() {
    apic.apicBase = Self.defaultBase | Self.baseEnable | (isBootstrap ? Self.baseIsBootstrap : 0)
    initialize()
    onBaseChange?()
  }

  /// What INIT does: all registers but IA32_APIC_BASE and the levels of the pins.
  public func initialize() {
    var fresh = State()
    fresh.apicBase = apic.apicBase
    fresh.lint0 = apic.lint0
    fresh.lint1 = apic.lint1
    fresh.timer.tscOffset = apic.timer.tscOffset
    if isBootstrap { fresh.lvt[.lint0] = LocalVectorTable.virtualWire }
    let hadNMI = apic.nmi
    apic = fresh
    if isX2APIC { apic.ldr = x2LogicalID }
    rearmTimer()
    update(nmiChanged: hadNMI)
  }

  // MARK: Modes

  public var isEnabled: Bool { apic.apicBase & Self.baseEnable != 0 }
  public var isX2APIC: Bool { isEnabled && apic.apicBase & Self.baseX2APIC != 0 }
  /// Where the registers are in memory, or nil when they are not.
  public var mappedBase: UInt64? { isEnabled && !isX2APIC ? apic.apicBase & ~0xFFF : nil }
  var isSoftwareEnabled: Bool { apic.svr & Self.svrEnable != 0 }
  var x2LogicalID: UInt32 { (id >> 4) << 16 | 1 << (id & 15) }

  // MARK: Priorities

  /// Processor-priority register (SDM 3A 11.8.3.1).
  var ppr: UInt8 {
    let inService = apic.isr.highest ?? 0
    return apic.tpr >> 4 >= inService >> 4 ? apic.tpr : inService & 0xF0
  }

  private var deliverableVector: UInt8? {
    guard isEnabled, let vector = apic.irr.highest, vector >> 4 > ppr >> 4 else { return nil }
    return vector
  }

  private var externalInterruptPending: Bool {
    if apic.externalInterrupt { return true }
    guard apic.lint0 else { return false }
    // Without the APIC, LINT0 is the INTR pin.
    guard isEnabled else { return true }
    return apic.lvt[.lint0] & LocalVectorTable.masked == 0
      && apic.lvt.deliveryMode(.lint0) == .externalInterrupt
  }

  /// Bits 7…4 of the task priority.
  public var cr8: UInt64 {
    get { UInt64(apic.tpr >> 4) }
    set {
      apic.tpr = UInt8(truncatingIfNeeded: newValue & 0xF) << 4
      update()
    }
  }

  func update(nmiChanged: Bool = false) {
    let pending = deliverableVector != nil || externalInterruptPending
    guard pending != interruptPending || nmiChanged else { return }
    interruptPending = pending
    onOutputChange?()
  }

  // MARK: The processor

  /// The processor takes an interrupt: its vector goes into service. Nil when none is deliverable.
  public func acknowledge() -> UInt8? {
    if let vector = deliverableVector {
      apic.irr.remove(vector)
      apic.isr.insert(vector)
      update()
      return vector
    }
    guard externalInterruptPending else { return nil }
    apic.externalInterrupt = false
    // The 8259s lower or keep LINT0 within.
    let vector = onExternalAcknowledge?() ?? UInt8(truncatingIfNeeded: apic.svr)
    update()
    return vector
  }

  /// The processor takes the NMI.
  public func acknowledgeNMI() {
    guard apic.nmi else { return }
    apic.nmi = false
    update(nmiChanged: true)
  }

  func endOfInterrupt() {
    guard let vector = apic.isr.highest else { return }
    apic.isr.remove(vector)
    let wasLevel = apic.tmr.contains(vector)
    update()
    if wasLevel {
      let lint0 = apic.lvt.lint0
      if lint0 & LocalVectorTable.remoteIRR != 0, UInt8(truncatingIfNeeded: lint0) == vector {
        apic.lvt.lint0 &= ~LocalVectorTable.remoteIRR
        if apic.lint0 { deliverLocal(.lint0) }
      }
      bus.broadcastEOI(vector)
    }
  }

  // MARK: Delivery

  /// Whether the message's destination names this processor (SDM 3A 11.6.2).
  func matches(_ message: APICMessage) -> Bool {
    let destination = message.destination
    if destination == APICMessage.broadcast { return true }
    guard message.isLogical else { return destination == (isX2APIC ? id : id & 0xFF) }
    if isX2APIC {
      return destination >> 16 == apic.ldr >> 16 && destination & apic.ldr & 0xFFFF != 0
    }
    let logicalID = UInt8(apic.ldr >> 24)
    let address = UInt8(truncatingIfNeeded: destination)
    if apic.dfr >> 28 == 0xF { return address & logicalID != 0 }
    let sameCluster = address >> 4 == logicalID >> 4 || address >> 4 == 0xF
    return sameCluster && address & logicalID & 0xF != 0
  }

  /// - Returns: whether the message was taken; a disabled APIC takes no vectors.
  @discardableResult
  public func deliver(_ message: APICMessage) -> Bool {
    guard isEnabled else { return false }
    switch message.deliveryMode {
    case .fixed, .lowestPriority:
      guard isSoftwareEnabled else { return false }
      inject(message.vector, isLevelTriggered: message.isLevelTriggered)
    case .smi: onSMI?()
    case .nmi: raiseNMI()
    case .initialize:
      initialize()
      onInit?()
    case .startUp: onStartUp?(message.vector)
    case .externalInterrupt:
      apic.externalInterrupt = true
      update()
    case .reserved: return false
    }
    return true
  }

  private func inject(_ vector: UInt8, isLevelTriggered: Bool) {
    guard vector >= 16 else {
      raiseError(Self.esrReceiveIllegalVector)
      return
    }
    if isLevelTriggered { apic.tmr.insert(vector) } else { apic.tmr.remove(vector) }
    apic.irr.insert(vector)
    update()
  }

  private func raiseNMI() {
    guard !apic.nmi else { return }
    apic.nmi = true
    update(nmiChanged: true)
  }

  func raiseError(_ error: UInt32) {
    let isNew = apic.errors & error == 0
    apic.errors |= error
    // The error interrupt's own vector may be illegal: it must not raise itself for ever.
    if isNew { deliverLocal(.error) }
  }

  /// A local interrupt source fires, as its entry of the local vector table says.
  func deliverLocal(_ source: LocalVectorTable.Source) {
    let entry = apic.lvt[source]
    guard isEnabled, entry & LocalVectorTable.masked == 0 else { return }
    let vector = UInt8(truncatingIfNeeded: entry)
    let isPin = source == .lint0 || source == .lint1
    switch isPin || source == .performance || source == .thermal ? apic.lvt.deliveryMode(source) : .fixed {
    case .fixed:
      // LINT1 is edge-triggered always; a level at LINT0 requests again after its end of interrupt.
      let isLevel = source == .lint0 && entry & LocalVectorTable.levelTriggered != 0
      if isLevel {
        guard entry & LocalVectorTable.remoteIRR == 0 else { return }
        apic.lvt[source] |= LocalVectorTable.remoteIRR
      }
      inject(vector, isLevelTriggered: isLevel)
    case .nmi: raiseNMI()
    case .smi: onSMI?()
    case .initialize:
      initialize()
      onInit?()
    default: break
    }
  }

  /// - Parameter input: `lint0` (INTR of the 8259s) or `lint1` (NMI).
  public func setInput(_ input: Int, level: Bool) {
    switch input {
    case Self.lint0:
      let rises = level && !apic.lint0
      apic.lint0 = level
      if rises { deliverLocal(.lint0) }
      update()
    case Self.lint1:
      let rises = level && !apic.lint1
      apic.lint1 = level
      guard rises else { return }
      if isEnabled { deliverLocal(.lint1) } else { raiseNMI() }
    default: break
    }
  }
}

/// The local vector table (SDM 3A 11.5.1).
public struct LocalVectorTable: Codable, Equatable, Sendable {
  /// In the order of the registers from 0x320.
  public enum Source: Int, Codable, CaseIterable, Sendable {
    case timer, thermal, performance, lint0, lint1, error
  }

  public static let masked: UInt32 = 1 << 16
  static let levelTriggered: UInt32 = 1 << 15
  static let remoteIRR: UInt32 = 1 << 14
  /// ExtINT, not masked.
  static let virtualWire: UInt32 = 0x700

  public var timer = masked
  public var thermal = masked
  public var performance = masked
  public var lint0 = masked
  public var lint1 = masked
  public var error = masked

  public init() {}

  public subscript(source: Source) -> UInt32 {
    get {
      switch source {
      case .timer: return timer
      case .thermal: return thermal
      case .performance: return performance
      case .lint0: return lint0
      case .lint1: return lint1
      case .error: return error
      }
    }
    set {
      switch source {
      case .timer: timer = newValue
      case .thermal: thermal = newValue
      case .performance: performance = newValue
      case .lint0: lint0 = newValue
      case .lint1: lint1 = newValue
      case .error: error = newValue
      }
    }
  }

  func deliveryMode(_ source: Source) -> APICDeliveryMode {
    APICDeliveryMode(rawValue: UInt8(self[source] >> 8 & 7)) ?? .reserved
  }

  /// Bits that the guest can set.
  static func writable(_ source: Source) -> UInt32 {
    switch source {
    case .timer: return 0x0007_00FF
    case .thermal, .performance: return 0x0001_07FF
    case .lint0, .lint1: return 0x0001_A7FF
    case .error: return 0x0001_00FF
    }
  }

  mutating func maskAll() {
    for source in Source.allCases { self[source] |= Self.masked }
  }
}

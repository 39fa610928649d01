/// A virtio device on the PCI bus (Virtual I/O Device 1.2, 4.1), without the legacy interface: its capabilities, the
/// registers behind BAR 4, its queues, and interrupts by MSI-X (BAR 1) or INTA. Kinds of devices derive from it.
open class VirtioFunction: PCIFunction {
  /// BAR 4's parts.
  enum Region {
    static let common: UInt64 = 0x0000
    static let interruptStatus: UInt64 = 0x1000
    static let device: UInt64 = 0x2000
    static let notify: UInt64 = 0x3000
    static let size: UInt64 = 0x4000
    static let partSize: UInt32 = 0x1000
    static let notifyMultiplier: UInt32 = 4
  }
  /// Offsets of the common configuration (4.1.4.3).
  enum Common {
    static let deviceFeatureSelect = 0x00
    static let deviceFeature = 0x04
    static let driverFeatureSelect = 0x08
    static let driverFeature = 0x0C
    static let configurationVector = 0x10
    static let queueCount = 0x12
    static let status = 0x14
    static let generation = 0x15
    static let queueSelect = 0x16
    static let queueSize = 0x18
    static let queueVector = 0x1A
    static let queueEnable = 0x1C
    static let queueNotifyOffset = 0x1E
    static let queueDescriptors = 0x20
    static let queueDriver = 0x28
    static let queueDevice = 0x30
  }
  public enum Status {
    public static let driverOK: UInt8 = 4
    public static let featuresOK: UInt8 = 8
    public static let needsReset: UInt8 = 0x40
  }
  public enum Feature {
    public static let indirectDescriptors: UInt64 = 1 << 28
    public static let version1: UInt64 = 1 << 32
  }
  static let noVector: UInt16 = 0xFFFF
  static let msixCapability = 0x40
  static let msixEnable: UInt16 = 1 << 15
  static let msixMask: UInt16 = 1 << 14

  public struct VirtioState: Codable, Equatable {
    public var deviceFeatureSelect: UInt32 = 0
    public var driverFeatureSelect: UInt32 = 0
    public var driverFeatures: UInt64 = 0
    public var configurationVector: UInt16 = 0xFFFF
    public var status: UInt8 = 0
    public var queueSelect: UInt16 = 0
    public var interruptStatus: UInt8 = 0
    public var queues: [Virtqueue]
    /// Address low, high, data, control of each vector.
    public var vectors: [UInt32]
    /// Vectors that fired while they were masked.
    public var pendingVectors: UInt64 = 0
    /// When requests are carried out.
    public var deadline: UInt64?
    /// Queues that were notified.
    public var notified: UInt64 = 0
  }
  /// What a checkpoint keeps beside configuration space.
  public var virtioState: VirtioState {
    get {
      var state = v
      state.deadline = timer?.deadline
      return state
    }
    set {
      guard newValue.queues.count == v.queues.count, newValue.vectors.count == v.vectors.count else { return }
      v = newValue
      if let deadline = newValue.deadline { timer?.arm(at: deadline) } else { timer?.cancel() }
    }
  }
  private(set) var v: VirtioState
  let memory: DirectMemory
  let timers: TimerQueue
  private let initialQueues: [Virtqueue]
  private let deviceFeatures: UInt64
  private var timer: DeviceTimer?
  /// Nanoseconds between a notification and the answer.
  private let latency: UInt64
  /// Sends a message-signalled interrupt.
  var onMSI: ((_ address: UInt64, _ data: UInt32) -> Void)?

  /// - Parameters:
  ///   - deviceType: 1 network, 2 block, 3 console, 4 entropy.
  ///   - queueSizes: entries of each queue, powers of two.
  ///   - features: beside version 1 and indirect descriptors.
  public init(
    deviceType: UInt16, classCode: UInt32, queueSizes: [UInt16], features: UInt64, latency: UInt64,
    memory: DirectMemory, timers: TimerQueue
  ) {
    self.memory = memory
    self.timers = timers
    self.latency = latency
    deviceFeatures = features | Feature.version1 | Feature.indirectDescriptors
    initialQueues = queueSizes.map { Virtqueue(maximumSize: $0) }
    let vectorCount = queueSizes.count + 1
    v = VirtioState(queues: initialQueues, vectors: [UInt32](repeating: 0, count: 4 * vectorCount))
    super.init(
      vendorID: 0x1AF4, deviceID: 0x1040 + deviceType, revision: 1, classCode: classCode,
      subsystem: (0x1AF4, 0x1100), interruptPin: 1)
    resetVirtio()
    timer = timers.makeTimer("virtio \(deviceType)") { [unowned self] in runNotified() }
    addBAR(1, kind: .memory32(prefetchable: false), size: 4096, name: "virtio MSI-X", memory: VectorTable(self))
    addBAR(4, kind: .memory64(prefetchable: true), size: Region.size, name: "virtio", memory: Registers(self))
    addCapabilities(vectorCount)
  }

  /// MSI-X, and where the parts of BAR 4 are (4.1.4).
  private func addCapabilities(_ vectorCount: Int) {
    func place(_ type: UInt8, _ offset: UInt64, at: Int, extra: [UInt8] = []) {
      var body = ByteWriter()
      body.raw([UInt8(16 + extra.count), type, 4, 0, 0, 0])
      body.u32(UInt32(offset))
      body.u32(Region.partSize)
      body.raw(extra)
      addCapability(9, at: at, body: body.bytes)
    }
    place(4, Region.device, at: 0x84)
    place(3, Region.interruptStatus, at: 0x74)
    var multiplier = ByteWriter()
    multiplier.u32(Region.notifyMultiplier)
    place(2, Region.notify, at: 0x60, extra: multiplier.bytes)
    place(1, Region.common, at: 0x50)
    // Table at 0 and pending bits at 0x800 of BAR 1.
    var msix = ByteWriter()
    msix.u16(UInt16(vectorCount - 1))
    msix.u32(1)
    msix.u32(0x800 | 1)
    addCapability(0x11, at: Self.msixCapability, body: msix.bytes)
    allowWrites(Self.msixCapability + 2, mask: Self.msixEnable | Self.msixMask)
  }

  public override func reset() {
    super.reset()
    resetVirtio()
    v.vectors = [UInt32](repeating: 0, count: v.vectors.count)
    for i in stride(from: 3, to: v.vectors.count, by: 4) { v.vectors[i] = 1 }
    v.pendingVectors = 0
  }

  /// Status 0: as at power-on, but for MSI-X's table, which is PCI's.
  private func resetVirtio() {
    let (vectors, pending) = (v.vectors, v.pendingVectors)
    v = VirtioState(queues: initialQueues, vectors: vectors)
    v.pendingVectors = pending
    for i in stride(from: 3, to: vectors.count, by: 4) where timer == nil { v.vectors[i] = 1 }
    timer?.cancel()
    setInterrupt(false)
    deviceReset()
  }

  // MARK: For devices

  /// Bytes of the device's own configuration.
  open var deviceConfiguration: [UInt8] { [] }
  open func writeDeviceConfiguration(_ offset: Int, _ value: UInt8) {}
  /// The driver starts anew.
  open func deviceReset() {}
  /// Carries out what is in a queue.
  open func run(queue: Int) {}

  public func hasFeature(_ feature: UInt64) -> Bool { v.driverFeatures & feature != 0 }
  public var isReady: Bool { v.status & Status.driverOK != 0 && v.status & Status.needsReset == 0 && isBusMaster }

  /// The next request of a queue; nil when there is none. A queue whose driver broke the rules stops the device.
  func next(_ queue: Int) -> Virtqueue.Chain? {
    guard isReady else { return nil }
    let chain = v.queues[queue].next(memory)
    checkBroken(queue)
    return chain
  }

  func putBack(_ queue: Int) { v.queues[queue].putBack() }

  func complete(_ queue: Int, _ chain: Virtqueue.Chain, written: Int) {
    if v.queues[queue].complete(chain, written: written, memory) { interrupt(v.queues[queue].vector, status: 1) }
    checkBroken(queue)
  }

  private func checkBroken(_ queue: Int) {
    guard v.queues[queue].isBroken, v.status & Status.needsReset == 0 else { return }
    v.status |= Status.needsReset
    interrupt(v.configurationVector, status: 2)
  }

  // MARK: Interrupts

  private func interrupt(_ vector: UInt16, status: UInt8) {
    if isMSIX {
      fire(vector)
    } else {
      v.interruptStatus |= status
      setInterrupt(true)
    }
  }

  private var msixControl: UInt16 { get16(Self.msixCapability + 2) }
  private var isMSIX: Bool { msixControl & Self.msixEnable != 0 }

  private func fire(_ vector: UInt16) {
    let at = 4 * Int(vector)
    guard vector != Self.noVector, at + 3 < v.vectors.count else { return }
    guard msixControl & Self.msixMask == 0, v.vectors[at + 3] & 1 == 0 else {
      v.pendingVectors |= 1 << UInt64(vector & 63)
      return
    }
    onMSI?(UInt64(v.vectors[at]) | UInt64(v.vectors[at + 1]) << 32, v.vectors[at + 2])
  }

  private func firePending() {
    guard isMSIX, v.pendingVectors != 0 else { return }
    let pending = v.pendingVectors
    v.pendingVectors = 0
    for vector in 0..<v.vectors.count / 4 where pending & 1 << UInt64(vector) != 0 { fire(UInt16(vector)) }
  }

  public override func configurationWritten(offset: Int, size: Int) { firePending() }

  // MARK: Notifications

  private func notify(_ queue: UInt32) {
    guard queue < UInt32(v.queues.count) else { return }
    v.notified |= 1 << UInt64(queue)
    guard let timer, timer.deadline == nil else { return }
    timer.arm(at: timers.virtualTime &+ latency)
  }

  private func runNotified() {
    let notified = v.notified
    v.notified = 0
    for queue in v.queues.indices where notified & 1 << UInt64(queue) != 0 && isReady { run(queue: queue) }
  }

  // MARK: Registers

  fileprivate func readRegister(_ offset: UInt64, size: Int) -> UInt64 {
    let at = Int(offset & 0xFFF)
    func bytes(_ source: [UInt8]) -> UInt64 {
      (0..<size).reduce(0) { $0 | UInt64(at + $1 < source.count ? source[at + $1] : 0) << UInt64(8 * $1) }
    }
    switch offset & ~0xFFF {
    case Region.common: return bytes(commonBytes)
    case Region.interruptStatus:
      // Reading acknowledges.
      guard at == 0 else { return 0 }
      defer {
        v.interruptStatus = 0
        setInterrupt(false)
      }
      return UInt64(v.interruptStatus)
    case Region.device: return bytes(deviceConfiguration)
    default: return 0
    }
  }

  private var commonBytes: [UInt8] {
    var writer = ByteWriter()
    writer.u32(v.deviceFeatureSelect)
    writer.u32(
      v.deviceFeatureSelect < 2 ? UInt32(truncatingIfNeeded: deviceFeatures >> UInt64(32 * v.deviceFeatureSelect)) : 0)
    writer.u32(v.driverFeatureSelect)
    writer.u32(
      v.driverFeatureSelect < 2 ? UInt32(truncatingIfNeeded: v.driverFeatures >> UInt64(32 * v.driverFeatureSelect)) : 0
    )
    writer.u16(v.configurationVector)
    writer.u16(UInt16(v.queues.count))
    writer.raw([v.status, 0])
    writer.u16(v.queueSelect)
    if let queue = selectedQueue.map({ v.queues[$0] }) {
      writer.u16(queue.size)
      writer.u16(queue.vector)
      writer.u16(queue.isEnabled ? 1 : 0)
      writer.u16(v.queueSelect)
      writer.u64(queue.descriptors)
      writer.u64(queue.available)
      writer.u64(queue.used)
    }
    return writer.bytes
  }

  private var selectedQueue: Int? { v.queues.indices.contains(Int(v.queueSelect)) ? Int(v.queueSelect) : nil }

  fileprivate func writeRegister(_ offset: UInt64, size: Int, value: UInt64) {
    let at = Int(offset & 0xFFF)
    switch offset & ~0xFFF {
    case Region.common: writeCommon(at, size: size, value: value)
    case Region.device:
      for i in 0..<size { writeDeviceConfiguration(at + i, UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    case Region.notify: notify(UInt32(at) / Region.notifyMultiplier)
    default: break
    }
  }

  private func writeCommon(_ at: Int, size: Int, value: UInt64) {
    let word = UInt16(truncatingIfNeeded: value)
    let long = UInt32(truncatingIfNeeded: value)
    switch (at, size) {
    case (Common.deviceFeatureSelect, 4): v.deviceFeatureSelect = long
    case (Common.driverFeatureSelect, 4): v.driverFeatureSelect = long
    case (Common.driverFeature, 4):
      guard v.driverFeatureSelect < 2, v.status & Status.featuresOK == 0 else { return }
      let shift = UInt64(32 * v.driverFeatureSelect)
      v.driverFeatures = v.driverFeatures & ~(0xFFFF_FFFF << shift) | UInt64(long) << shift
    case (Common.configurationVector, 2): v.configurationVector = checkedVector(word)
    case (Common.status, 1): writeStatus(UInt8(truncatingIfNeeded: value))
    case (Common.queueSelect, 2): v.queueSelect = word
    default:
      guard let queue = selectedQueue else { return }
      writeQueue(queue, at, size: size, value: value)
    }
  }

  private func writeStatus(_ value: UInt8) {
    guard value != 0 else { return resetVirtio() }
    var value = value
    // Features that are not there, or a driver of the legacy interface.
    if value & Status.featuresOK != 0, v.driverFeatures & ~deviceFeatures != 0 || !hasFeature(Feature.version1) {
      value &= ~Status.featuresOK
    }
    v.status = value | v.status & Status.needsReset
  }

  private func writeQueue(_ queue: Int, _ at: Int, size: Int, value: UInt64) {
    let word = UInt16(truncatingIfNeeded: value)
    func put(_ field: inout UInt64, _ base: Int) {
      guard size == 4 || size == 8, (at - base) % 4 == 0 else { return }
      if size == 8, at == base {
        field = value
      } else if size == 4 {
        let shift = UInt64(8 * (at - base))
        field = field & ~(0xFFFF_FFFF << shift) | (value & 0xFFFF_FFFF) << shift
      }
    }
    if at == Common.queueVector, size == 2 {
      v.queues[queue].vector = checkedVector(word)
      return
    }
    guard !v.queues[queue].isEnabled else { return }
    switch at {
    case Common.queueSize where size == 2:
      if word > 0, word <= v.queues[queue].maximumSize, word.nonzeroBitCount == 1 { v.queues[queue].size = word }
    case Common.queueEnable where size == 2: if word == 1 { v.queues[queue].isEnabled = true }
    case Common.queueDescriptors..<Common.queueDriver: put(&v.queues[queue].descriptors, Common.queueDescriptors)
    case Common.queueDriver..<Common.queueDevice: put(&v.queues[queue].available, Common.queueDriver)
    case Common.queueDevice..<Common.queueDevice + 8: put(&v.queues[queue].used, Common.queueDevice)
    default: break
    }
  }

  private func checkedVector(_ vector: UInt16) -> UInt16 {
    4 * Int(vector) < v.vectors.count ? vector : Self.noVector
  }

  private final class Registers: MemoryMappedDevice {
    private unowned let function: VirtioFunction
    init(_ function: VirtioFunction) { self.function = function }
    func readMemory(offset: UInt64, size: Int) -> UInt64 { function.readRegister(offset, size: size) }
    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      function.writeRegister(offset, size: size, value: value)
    }
  }

  /// MSI-X's table and pending bits (PCI 3.0, 6.8.2).
  private final class VectorTable: MemoryMappedDevice {
    private unowned let function: VirtioFunction
    init(_ function: VirtioFunction) { self.function = function }

    func readMemory(offset: UInt64, size: Int) -> UInt64 {
      let v = function.v
      func word(_ index: Int) -> UInt64 {
        if index < v.vectors.count { return UInt64(v.vectors[index]) }
        switch index {
        case 0x200: return v.pendingVectors & 0xFFFF_FFFF
        case 0x201: return v.pendingVectors >> 32
        default: return 0
        }
      }
      let index = Int(offset / 4)
      switch size {
      case 8 where offset % 8 == 0: return word(index) | word(index + 1) << 32
      case 4 where offset % 4 == 0: return word(index)
      default: return 0
      }
    }

    func writeMemory(offset: UInt64, size: Int, value: UInt64) {
      let index = Int(offset / 4)
      func put(_ index: Int, _ value: UInt64) {
        if index < function.v.vectors.count {
          function.v.vectors[index] = UInt32(truncatingIfNeeded: value) & (index % 4 == 3 ? 1 : .max)
        }
      }
      switch size {
      case 8 where offset % 8 == 0:
        put(index, value)
        put(index + 1, value >> 32)
      case 4 where offset % 4 == 0: put(index, value)
      default: return
      }
      function.firePending()
    }
  }
}

import Foundation

/// What a trace says of itself before its first event; stored as JSON in the header frame.
public struct TraceHeader: Codable, Equatable, Sendable {
  /// The version of the file format, `TraceSchema.formatVersion` when written by this program.
  public var formatVersion: UInt64
  /// The version of the machine's semantics, timing and processor model. A replay wants the same one.
  public var machineVersion: UInt64
  /// The program that recorded, as text.
  public var inquestVersion: String
  /// When the recording started, in UTC (ISO 8601). For people only; the guest's clock is an event.
  public var created: String
  /// The seed of everything that is drawn.
  public var seed: UInt64
  /// The machine's configuration. Opaque here; it belongs to who builds the machine.
  public var machine: JSONValue
  /// What the machine starts from.
  public var images: [TraceImage]
  /// The run from which this one branched.
  public var parent: TraceParent?

  public init(
    machineVersion: UInt64, inquestVersion: String, created: String, seed: UInt64, machine: JSONValue,
    parent: TraceParent? = nil
  ) {
    formatVersion = TraceSchema.formatVersion
    self.machineVersion = machineVersion
    self.inquestVersion = inquestVersion
    self.created = created
    self.seed = seed
    self.machine = machine
    images = []
    self.parent = parent
  }
}

/// One file that the machine starts from, known by its content.
public struct TraceImage: Codable, Equatable, Sendable {
  /// What the user called it, usually a path. For people only.
  public var name: String
  /// What it is for: `kernel`, `initrd`, `bios` and so on. Unique in a trace.
  public var role: String
  /// In bytes.
  public var size: UInt64
  /// In lower-case hexadecimal.
  public var sha256: String
  /// Whether the trace carries the content.
  public var embedded: Bool

  public init(name: String, role: String, size: UInt64, sha256: String, embedded: Bool) {
    self.name = name
    self.role = role
    self.size = size
    self.sha256 = sha256
    self.embedded = embedded
  }
}

/// Where a branch left the run that it came from.
public struct TraceParent: Codable, Equatable, Sendable {
  public var name: String
  /// Of the parent's file, in lower-case hexadecimal, when it was known.
  public var sha256: String?
  /// The first instant that the two runs do not share.
  public var instant: Instant

  public init(name: String, sha256: String?, instant: Instant) {
    self.name = name
    self.sha256 = sha256
    self.instant = instant
  }
}

/// An interrupt controller's inputs.
public protocol InterruptSink: AnyObject {
  /// - Parameter input: the controller's own numbering.
  func setInput(_ input: Int, level: Bool)
}

/// One wire from a device to one or more interrupt controllers. Devices hold a line, never a controller.
public struct InterruptLine {
  private let ends: [(sink: InterruptSink, input: Int)]

  /// A wire that ends at every (controller, input) given, as an ISA interrupt ends at the PIC and at the IOAPIC.
  public init(_ ends: [(sink: InterruptSink, input: Int)] = []) { self.ends = ends }

  public func set(_ level: Bool) {
    for end in ends { end.sink.setInput(end.input, level: level) }
  }

  /// A rising and a falling edge.
  public func pulse() {
    set(true)
    set(false)
  }
}

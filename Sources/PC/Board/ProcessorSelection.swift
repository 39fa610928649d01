import X86System

/// The way from what a user calls a processor to the configuration of one.
public struct ProcessorSelection {
  private var model: ProcessorModel
  /// What was asked for and is not there, by QEMU's names.
  public private(set) var leftOut: [String]

  public enum Failure: Error, Equatable {
    case unknownModel(String)
    case unknownFeature(String)
    /// One that every machine has.
    case permanentFeature(String)
  }

  /// - Parameter name: of QEMU's models.
  public init(model name: String) throws {
    guard let model = ProcessorModel.called(name) else { throw Failure.unknownModel(name) }
    self.model = model
    leftOut = model.leftOut
  }

  /// Switches a feature on or off; what depends on one that is off goes with it.
  public mutating func set(_ name: String, _ on: Bool) throws {
    let spelled = ProcessorFeature.spelling(name)
    if let feature = ProcessorFeature.named(name) {
      if on && !feature.isImplemented { return note(feature.name) }
      if !on { leftOut.removeAll { $0 == feature.name } }
      model.set(feature, on)
    } else if ProcessorFeature.permanent.contains(spelled) {
      if !on { throw Failure.permanentFeature(spelled) }
    } else if ProcessorFeature.known.contains(spelled) {
      if on { note(spelled) } else { leftOut.removeAll { $0 == spelled } }
    } else {
      throw Failure.unknownFeature(name)
    }
  }

  private mutating func note(_ name: String) {
    if !leftOut.contains(name) { leftOut.append(name) }
  }

  /// Nil when it is the default model, unchanged.
  public var options: MachineConfiguration.ProcessorOptions? {
    let base = ProcessorModel.default
    if model.name == base.name && model.decoder == base.decoder && model.features == base.features { return nil }
    return MachineConfiguration.ProcessorOptions(name: model.name, features: model.featureNames)
  }

  /// Names of the models, the default first.
  public static var models: [String] { ProcessorModel.named.map(\.name) }
  /// Names of the features that can be switched.
  public static var features: [String] { ProcessorFeature.all.filter(\.isImplemented).map(\.name) }
}

import Monitor
import PC

/// `-cpu`: `NAME[,+feature][,-feature][,feature=on|off]`.
enum ProcessorOption {
  /// Properties of QEMU's processors that are no features and change nothing here.
  private static let ignored: Set<String> = [
    "migratable", "host-phys-bits", "host-cache-info", "l3-cache", "kvm", "pmu", "enforce", "check", "fill-mtrr-mask",
  ]

  /// - Returns: nil for the default model.
  /// - Throws: `CommandFailure` for a model or feature that nobody has.
  static func parse(_ text: String) throws -> MachineConfiguration.ProcessorOptions? {
    let parts = OptionText.split(text)
    guard let name = parts.first, !name.isEmpty else {
      throw CommandFailure.usage("-cpu \(text): the model is missing; \(advice)")
    }
    do {
      var selection = try ProcessorSelection(model: name)
      for part in parts.dropFirst() { try apply(part, to: &selection, of: text) }
      if !selection.leftOut.isEmpty {
        Terminal.note("-cpu \(text): not implemented, left out: \(selection.leftOut.joined(separator: " "))")
      }
      return selection.options
    } catch ProcessorSelection.Failure.unknownModel(let name) {
      throw CommandFailure.usage("-cpu \(text): no model is called '\(name)'; \(advice)")
    } catch ProcessorSelection.Failure.unknownFeature(let name) {
      throw CommandFailure.usage("-cpu \(text): no feature is called '\(name)'; \(advice)")
    } catch ProcessorSelection.Failure.permanentFeature(let name) {
      throw CommandFailure.usage("-cpu \(text): '\(name)' cannot be switched off")
    }
  }

  private static func apply(_ part: String, to selection: inout ProcessorSelection, of text: String) throws {
    if part.isEmpty { throw CommandFailure.usage("-cpu \(text): a feature is empty") }
    if part.hasPrefix("+") || part.hasPrefix("-") {
      return try selection.set(String(part.dropFirst()), part.hasPrefix("+"))
    }
    let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if ignored.contains(halves[0]) { return }
    switch halves.count == 2 ? halves[1] : "on" {
    case "on", "yes", "true", "y": try selection.set(halves[0], true)
    case "off", "no", "false", "n": try selection.set(halves[0], false)
    default: throw CommandFailure.usage("-cpu \(text): '\(halves[0])' is on or off")
    }
  }

  private static let advice = "'-cpu help' lists models and features"

  static var help: String {
    """
    Models, the default first ('host' is 'max'; versions and variants such as Haswell-noTSX-v4 are the model):
      \(ProcessorSelection.models.joined(separator: "\n  "))
    Features, for -cpu MODEL,+feature,-feature,feature=on|off:
      \(lines(ProcessorSelection.features))
    """
  }

  private static func lines(_ words: [String]) -> String {
    var lines = [""]
    for word in words {
      if lines[lines.count - 1].count + word.count > 100 { lines.append("") }
      lines[lines.count - 1] += lines[lines.count - 1].isEmpty ? word : " \(word)"
    }
    return lines.joined(separator: "\n  ")
  }
}

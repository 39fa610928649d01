import Testing
import X86Core
import X86Decode
import X86System

/// Every entry of the opcode table is executed in each code size, operand size and operand form that its bytes can express.
///
/// What the results must be is the business of the comparisons with the host's processor and with recorded hardware; here
/// it is found out whether an instruction that CPUID announces has a handler at all in each form. One that ends in #UD is
/// named, and the test fails.
@Suite("Coverage of the opcode table")
struct CoverageTests {
  /// These are #UD by their nature, or outside SMM.
  private static let undefined: Set<Operation> = [.ud0, .ud1, .ud2, .rsm, .invalid]

  @Test("every row in each form and width")
  func all() throws {
    // All that any model can announce.
    var model = try #require(ProcessorModel.called("max"))
    model.decoder.formUnion(SystemGuest.model.decoder)
    let machine = CoverageMachine(model: model)
    var executed = 0
    var rows = 0
    var missing: [String] = []
    var unreachable: [String] = []
    for entry in OpcodeEntry.all where entry.features.isSubset(of: model.decoder) {
      let forms = OpcodeForm.all(of: entry, features: model.decoder)
      if forms.isEmpty {
        // Another row, of a feature that this model has, takes all its bytes.
        unreachable.append("\(entry.operation)")
        continue
      }
      rows += 1
      for (form, bytes) in forms {
        let exception = machine.run(bytes, form.codeSize)
        let isUndefined = exception == Vector.ud
        if isUndefined == Self.undefined.contains(entry.operation) {
          executed += 1
        } else {
          missing.append("\(form): \(exception.map { "exception \($0)" } ?? "retired")")
        }
      }
    }
    print("coverage: \(executed) forms of \(rows) rows of the opcode table executed, \(missing.count) not")
    print("coverage: rows that rows of newer features hide: \(unreachable.joined(separator: " "))")
    for line in missing.prefix(200) { print("coverage: not executed: \(line)") }
    #expect(missing.isEmpty)
  }
}

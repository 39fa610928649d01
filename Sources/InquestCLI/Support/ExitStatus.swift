/// What the process ends with. Those from 64 on are sysexits.h's.
public enum ExitStatus {
  public static let success: Int32 = 0
  /// `diff`: different; `replay`: diverged; `hunt`: nothing caught.
  public static let no: Int32 = 1
  /// The command line is wrong.
  public static let usage: Int32 = 64
  /// A trace or an image is damaged, or not what it should be.
  public static let badData: Int32 = 65
  /// An input file is missing or cannot be read.
  public static let missingInput: Int32 = 66
  /// Something that the host should offer is not there: a socket in use, no memory.
  public static let unavailable: Int32 = 69
  /// A defect of this program.
  public static let `internal`: Int32 = 70
  /// An output file cannot be made.
  public static let cannotCreate: Int32 = 73
  /// Writing failed half-way.
  public static let inputOutput: Int32 = 74

  /// For `inquest --help`.
  static let help = """
    EXIT STATUS:
      0       success; diff: identical; hunt: caught something
      1       diff: different; replay: diverged; hunt: nothing caught
      64      the command line is wrong
      65      a trace or an image is damaged, cut off in its header, or something else
      66      an input file is missing or cannot be read
      69      the host cannot give what was asked for (a socket in use, memory)
      70      a defect of inquest
      73, 74  an output file cannot be made; writing failed
      other   record, run: chosen by the guest (-action panic=exit-failure: 1;
              isa-debug-exit), and named on stderr
    """
}

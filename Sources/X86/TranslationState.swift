import X86Core

/// What a processor knows of the guest's mappings, as a value: the translations in force and the pages of code of the
/// present generations. Guests see none of it, but the next walk that sets an accessed or dirty bit depends on it.
public struct TranslationState: Equatable {
  /// Triples: place in the table, page, what it maps to with its mark.
  var data: [UInt64] = []
  /// Pages of code: linear (bit 0 set for user accesses), physical.
  var codeLow: [UInt64: UInt64] = [:]
  var codeHigh: [UInt64: UInt64] = [:]
  var largePages: UInt64 = 0
  var upperHalfNotGlobal = false

  init() {}

  /// All of it in a fixed order: five counts and marks, the translations, the pages of code.
  public var words: [UInt64] {
    var words = [
      largePages, upperHalfNotGlobal ? 1 : 0, UInt64(data.count), UInt64(codeLow.count), UInt64(codeHigh.count),
    ]
    words += data
    for pages in [codeLow, codeHigh] {
      for key in pages.keys.sorted() {
        words.append(key)
        words.append(pages[key] ?? 0)
      }
    }
    return words
  }

  /// From `words`; nil when they are not such.
  public init?(words: [UInt64]) {
    guard words.count >= 5, words.count < 1 << 24, words[2] <= UInt64(words.count), words[3] <= UInt64(words.count),
      words[4] <= UInt64(words.count), words[2] % 3 == 0,
      words.count == 5 + Int(words[2]) + 2 * Int(words[3]) + 2 * Int(words[4])
    else { return nil }
    largePages = words[0]
    upperHalfNotGlobal = words[1] != 0
    var place = 5 + Int(words[2])
    data = Array(words[5..<place])
    for _ in 0..<Int(words[3]) {
      codeLow[words[place]] = words[place + 1]
      place += 2
    }
    for _ in 0..<Int(words[4]) {
      codeHigh[words[place]] = words[place + 1]
      place += 2
    }
  }

  /// Bytes of host memory, roughly. Pages of code are shared between values.
  public var byteCount: Int { data.count * 8 }
}

extension Processor {
  /// To be asked for and set between runs. Setting comes last, after registers and RAM.
  public var translationState: TranslationState {
    get {
      let f = cpu.f.pointee
      var state = TranslationState()
      let first = cpu.p + Layout.translations
      for i in 0..<(Layout.translationEntries * (Layout.tlbViews - 1)) {
        let tag = first.load(fromByteOffset: i &* 16, as: UInt64.self)
        guard tag & 0xFFF == f.translationGeneration else { continue }
        state.data.append(UInt64(i))
        state.data.append(tag & TLBEntry.pageMask)
        state.data.append(first.load(fromByteOffset: i &* 16 &+ 8, as: UInt64.self))
      }
      (state.codeLow, state.codeHigh) = fetchMap.pages
      state.largePages = f.largePages
      state.upperHalfNotGlobal = f.upperHalfNotGlobal
      return state
    }
    set {
      let f = cpu.f
      cpu.flushTLB()
      let first = cpu.p + Layout.translations
      let count = UInt64(Layout.translationEntries * (Layout.tlbViews - 1))
      var i = 0
      while i &+ 2 < newValue.data.count {
        let place = newValue.data[i]
        if place < count {
          let entry = first + Int(place) &* 16
          entry.storeBytes(of: newValue.data[i &+ 1] | f.pointee.translationGeneration, as: UInt64.self)
          entry.storeBytes(of: newValue.data[i &+ 2], toByteOffset: 8, as: UInt64.self)
        }
        i &+= 3
      }
      fetchMap.pages = (newValue.codeLow, newValue.codeHigh)
      f.pointee.largePages = newValue.largePages
      f.pointee.upperHalfNotGlobal = newValue.upperHalfNotGlobal
    }
  }
}

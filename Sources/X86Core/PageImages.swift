import Foundation

/// Contents of pages of RAM at an earlier (or later) instant: what checkpoints are made of.
///
/// While it is the memory's `journal`, each page's content is saved here before the first write to it since the marks of
/// `PageFlags.touched` were cleared. A page of zeros costs nothing.
public final class PageImages {
  /// Numbers of pages, each at most once, in the order of their first write.
  public private(set) var pages: [UInt32] = []
  /// Of each page, nil for zeros.
  private var images: [UnsafeMutableRawPointer?] = []
  /// Pages that are not zero.
  private var storedPages = 0
  /// Pages that were written in between and whose contents are the same at both ends.
  public private(set) var equalPages: [UInt32] = []

  private static let pageSize = Int(GuestMemory.pageSize)

  public init() {}

  deinit { for image in images { image?.deallocate() } }

  public var count: Int { pages.count }
  public var isEmpty: Bool { pages.isEmpty }
  /// Bytes of host memory that the contents take.
  public var byteCount: UInt64 { UInt64(storedPages * (Self.pageSize + 16) + pages.count * 12 + equalPages.count * 4) }

  /// Saves what a page holds now. The page must not be here yet.
  public func save(_ page: Int, from memory: UnsafeRawPointer) {
    append(UInt32(truncatingIfNeeded: page), memory + page &* Self.pageSize)
  }

  /// Adds a page with this content.
  public func append(_ page: UInt32, _ content: UnsafeRawPointer) {
    pages.append(page)
    guard !Self.isZero(content) else {
      images.append(nil)
      return
    }
    let image = Self.newPage()
    image.copyMemory(from: content, byteCount: Self.pageSize)
    images.append(image)
    storedPages += 1
  }

  /// Calls `body` with each page's number and content, nil for zeros, in the order of `pages`.
  public func forEach(_ body: (UInt32, UnsafeRawPointer?) throws -> Void) rethrows {
    for i in pages.indices { try body(pages[i], images[i].map { UnsafeRawPointer($0) }) }
  }

  /// Puts the contents into RAM and keeps what was there instead. Pages whose content changes and that hold decoded code are
  /// announced. Marks of pages are left alone.
  public func exchange(with memory: GuestMemory) {
    var other = [UInt64](repeating: 0, count: Self.pageSize / 8)
    other.withUnsafeMutableBytes { other in
      let spare = other.baseAddress!
      for i in pages.indices {
        let page = Int(pages[i])
        let place = memory.base + page &* Self.pageSize
        if let image = images[i] {
          guard memcmp(place, image, Self.pageSize) != 0 else { continue }
          announce(page, memory)
          spare.copyMemory(from: place, byteCount: Self.pageSize)
          place.copyMemory(from: image, byteCount: Self.pageSize)
          if Self.isZero(spare) {
            image.deallocate()
            images[i] = nil
            storedPages -= 1
          } else {
            image.copyMemory(from: spare, byteCount: Self.pageSize)
          }
        } else if !Self.isZero(place) {
          announce(page, memory)
          let image = Self.newPage()
          image.copyMemory(from: place, byteCount: Self.pageSize)
          images[i] = image
          storedPages += 1
          memset(place, 0, Self.pageSize)
        }
      }
    }
  }

  /// Adds the other's pages that are not here. The other is empty afterwards.
  public func absorb(_ other: PageImages) {
    let known = Set(pages)
    for i in other.pages.indices {
      if known.contains(other.pages[i]) {
        if let image = other.images[i] { image.deallocate() }
      } else {
        pages.append(other.pages[i])
        images.append(other.images[i])
        if other.images[i] != nil { storedPages += 1 }
      }
    }
    equalPages += other.equalPages
    other.equalPages = []
    other.pages = []
    other.images = []
    other.storedPages = 0
  }

  /// Whether one of these pages was written in between; sorted or not.
  public func hasWritten(_ wanted: Set<UInt32>) -> Bool {
    pages.contains { wanted.contains($0) } || equalPages.contains { wanted.contains($0) }
  }

  /// Forgets the contents of pages that have the same content in RAM now.
  public func removeEqual(to memory: GuestMemory) {
    var kept = 0
    for i in pages.indices {
      let place = memory.base + Int(pages[i]) &* Self.pageSize
      let isEqual = images[i].map { memcmp(place, $0, Self.pageSize) == 0 } ?? Self.isZero(place)
      if isEqual {
        equalPages.append(pages[i])
        if let image = images[i] {
          image.deallocate()
          storedPages -= 1
        }
      } else {
        pages[kept] = pages[i]
        images[kept] = images[i]
        kept += 1
      }
    }
    pages.removeLast(pages.count - kept)
    images.removeLast(images.count - kept)
  }

  private func announce(_ page: Int, _ memory: GuestMemory) {
    guard memory.pageFlags[page] & GuestMemory.PageFlags.code != 0 else { return }
    memory.onCodePageWrite?(
      memory.physicalAddress(ofOffset: UInt64(page) &* GuestMemory.pageSize), Self.pageSize)
  }

  private static func newPage() -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer.allocate(byteCount: pageSize, alignment: 64)
  }

  @inline(__always)
  static func isZero(_ content: UnsafeRawPointer) -> Bool {
    var offset = 0
    while offset < pageSize {
      var any: UInt64 = 0
      for i in 0..<8 { any |= content.load(fromByteOffset: offset &+ i &* 8, as: UInt64.self) }
      if any != 0 { return false }
      offset &+= 64
    }
    return true
  }
}

extension GuestMemory {
  /// From now on `images` is told of each page that is written for the first time; before, all marks are cleared. With nil
  /// nobody is. The processor's fast tables must be emptied then: see `CPU.connectJournal`.
  public func setJournal(_ images: PageImages?) {
    for page in 0..<pageCount { pageFlags[page] &= ~PageFlags.touched }
    journal = images
  }

  /// Goes on with another journal: only the pages of the last one are marked.
  public func replaceJournal(_ images: PageImages) {
    if let journal {
      for page in journal.pages { pageFlags[Int(page)] &= ~PageFlags.touched }
    }
    journal = images
  }

  /// Which pages are marked as written since the last digest, a bit each, the first page in the lowest bit.
  public var dirtyPages: [UInt64] {
    get {
      let flags = UnsafeRawPointer(pageFlags)
      var words = [UInt64](repeating: 0, count: (pageCount + 63) / 64)
      var page = 0
      while page < pageCount {
        if page &+ 8 <= pageCount {
          // The lowest bits of eight bytes, gathered by a multiplication.
          let eight = flags.loadUnaligned(fromByteOffset: page, as: UInt64.self) & 0x0101_0101_0101_0101
          if eight != 0 {
            words[page &>> 6] |= ((eight &* 0x0102_0408_1020_4080) &>> 56) &<< UInt64(page & 63)
          }
          page &+= 8
        } else {
          words[page &>> 6] |= UInt64(pageFlags[page] & PageFlags.dirty) &<< UInt64(page & 63)
          page &+= 1
        }
      }
      return words
    }
    set {
      for page in 0..<pageCount where page &>> 6 < newValue.count {
        let bit = UInt8(truncatingIfNeeded: newValue[page &>> 6] &>> UInt64(page & 63)) & 1
        pageFlags[page] = pageFlags[page] & ~PageFlags.dirty | bit
      }
    }
  }
}

extension CPU {
  /// Makes the next write to each page, and each access to a watched one, take the slow way. Translations stay in force.
  public func clearDataTLBs() {
    let count = Layout.tlbView * Layout.tlbViews / 16
    let first = p + Layout.tlb
    for i in 0..<count { first.storeBytes(of: TLBEntry.empty, toByteOffset: i &* 16, as: UInt64.self) }
  }

  /// Marks come before the write.
  @usableFromInline @inline(never)
  func firstWrite(_ page: Int) {
    guard let journal = f.pointee.journal else { return }
    Unmanaged<PageImages>.fromOpaque(journal).takeUnretainedValue().save(page, from: f.pointee.ramBase)
  }

  /// The memory has another journal or none.
  public func connectJournal(_ images: PageImages?) {
    f.pointee.journal = images.map { Unmanaged.passUnretained($0).toOpaque() }
    clearWriteTLBs()
  }
}

import X86Core

/// Where an initrd goes: as high as allowed, on a page boundary, so that the kernel finds the low memory free.
enum InitrdPlacement {
  /// - Parameters:
  ///   - floor: first address that the kernel leaves free.
  ///   - limit: first address that the initrd must not reach.
  /// - Returns: where it lies now.
  /// - Throws: `LoaderError` when it is empty or does not fit.
  static func place(_ initrd: [UInt8], above floor: UInt64, limit: UInt64, in memory: GuestMemory) throws
    -> UInt64
  {
    let size = UInt64(initrd.count)
    guard size > 0 else { throw LoaderError.emptyInitrd }
    let room = limit > floor ? limit - floor : 0
    guard size <= room else { throw LoaderError.initrdTooLarge(size: size, room: room) }
    let address = (limit - size) & ~0xFFF
    guard address >= floor, initrd.withUnsafeBytes({ memory.writeFile(address, $0) }) else {
      throw LoaderError.initrdTooLarge(size: size, room: room)
    }
    return address
  }
}

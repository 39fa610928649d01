import Foundation

/// Turns a chunk into its compressed form, whatever came before it. Each worker has one of its own.
protocol ChunkCompressor: AnyObject {
  /// Bytes of content at most.
  static var maximumContent: Int { get }
  /// Bytes that a result may need.
  var capacity: Int { get }
  /// - Parameter output: at least `capacity` bytes.
  /// - Returns: the size of the result.
  func compress(
    _ content: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CoreDumpError) -> Int
}

/// Compresses chunks on worker threads and hands the results ("members") over in order.
///
/// The result does not depend on which thread did what: members know nothing of each other. The workers run ahead of
/// the consumer by a few members only, so the memory needed is bounded.
final class MemberPipeline<Compressor: ChunkCompressor>: @unchecked Sendable {
  private static var slotsPerWorker: Int { 4 }

  private let chunks: [UnsafeRawBufferPointer]
  private let makeCompressor: () throws(CoreDumpError) -> Compressor
  private let condition = NSCondition()
  // Guarded by `condition`, but for the bytes of a slot: those belong to the worker that took it until it is ready,
  // then to the consumer.
  private var slots: [Slot]
  private var next = 0
  private var consumed = 0
  private var running = 0
  private var stopped = false
  private var failure: CoreDumpError?

  private struct Slot {
    enum Content { case pending, member(size: Int), zeros }
    var bytes: UnsafeMutableRawBufferPointer
    var content = Content.pending
  }

  /// The member of a whole chunk of zeros, of which a guest's memory holds many; nil to compress those like others.
  private let zeroMember: [UInt8]?

  /// - Parameters:
  ///   - chunks: what to compress, each at most `Compressor.maximumContent` bytes; must stay as it is meanwhile.
  ///   - workers: threads.
  ///   - zeroMember: what to take for a whole chunk of zeros.
  ///   - makeCompressor: called once here, and once on each worker.
  init(
    chunks: [UnsafeRawBufferPointer], workers: Int, zeroMember: [UInt8]? = nil,
    makeCompressor: @escaping () throws(CoreDumpError) -> Compressor
  ) throws(CoreDumpError) {
    self.chunks = chunks
    self.makeCompressor = makeCompressor
    self.zeroMember = zeroMember
    let capacity = try makeCompressor().capacity
    running = max(1, min(workers, chunks.count))
    slots = (0..<(running * Self.slotsPerWorker)).map { _ in
      Slot(bytes: .allocate(byteCount: capacity, alignment: 16))
    }
  }

  deinit { for slot in slots { slot.bytes.deallocate() } }

  /// Runs to the end, or to the first failure. To be called once.
  /// - Parameter consume: gets each member in order, with the number of its chunk, on the calling thread.
  func run(
    _ consume: (_ member: UnsafeRawBufferPointer, _ chunk: Int) throws(CoreDumpError) -> Void
  ) throws(CoreDumpError) {
    for number in 0..<running {
      let thread = Thread { self.work() }
      thread.name = "core dump \(number)"
      thread.start()
    }
    defer { stop() }
    for index in chunks.indices {
      let slot = try wait(for: index)
      switch slot.content {
      case .member(let size): try consume(UnsafeRawBufferPointer(rebasing: slot.bytes[..<size]), index)
      default: try consumeZeros(index, consume)
      }
      condition.lock()
      slots[index % slots.count].content = .pending
      consumed += 1
      condition.broadcast()
      condition.unlock()
    }
  }

  private func consumeZeros(
    _ index: Int, _ consume: (UnsafeRawBufferPointer, Int) throws(CoreDumpError) -> Void
  ) throws(CoreDumpError) {
    let result = (zeroMember ?? []).withUnsafeBytes { bytes -> Result<Void, CoreDumpError> in
      do throws(CoreDumpError) {
        try consume(bytes, index)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Waits until a chunk's member is there.
  private func wait(for index: Int) throws(CoreDumpError) -> Slot {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let failure { throw failure }
      let slot = slots[index % slots.count]
      if case .pending = slot.content { condition.wait() } else { return slot }
    }
  }

  /// Stops the workers and waits for them: they use memory that is not theirs.
  private func stop() {
    condition.lock()
    stopped = true
    condition.broadcast()
    while running > 0 { condition.wait() }
    condition.unlock()
  }

  // MARK: On the workers

  private func work() {
    do throws(CoreDumpError) {
      let compressor = try makeCompressor()
      while let (index, output) = take() {
        let chunk = chunks[index]
        let content: Slot.Content =
          zeroMember != nil && chunk.count == Compressor.maximumContent && isZero(chunk)
          ? .zeros : .member(size: try compressor.compress(chunk, into: output))
        condition.lock()
        slots[index % slots.count].content = content
        condition.broadcast()
        condition.unlock()
      }
    } catch {
      condition.lock()
      failure = error
      condition.unlock()
    }
    condition.lock()
    running -= 1
    condition.broadcast()
    condition.unlock()
  }

  /// The next chunk and the slot for its member; nil when there is nothing left to do.
  private func take() -> (index: Int, output: UnsafeMutableRawBufferPointer)? {
    condition.lock()
    defer { condition.unlock() }
    while !stopped, failure == nil, next < chunks.count {
      if next < consumed + slots.count {
        defer { next += 1 }
        return (next, slots[next % slots.count].bytes)
      }
      condition.wait()
    }
    return nil
  }
}

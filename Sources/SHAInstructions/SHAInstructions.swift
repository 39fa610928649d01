// The processor's SHA instructions (SDM 2B, SHA256RNDS2, SHA256MSG1, SHA256MSG2), in a module of their own, which is built
// for processors that have them. Nothing in it may run on others: ask `SHA256` in Trace.
#if arch(x86_64)
  import _Builtin_intrinsics.intel

  /// Blocks of SHA-256 by the processor's own instructions.
  public enum SHAInstructions {
    /// Takes blocks of 64 bytes into a state.
    /// - Parameters:
    ///   - state: the words a to h of FIPS 180-4.
    ///   - constants: its 64 constants K.
    @inline(never)
    public static func compress(
      _ state: UnsafeMutablePointer<UInt32>, _ data: UnsafeRawPointer, blocks: Int, constants: UnsafePointer<UInt32>
    ) {
      // The instructions want the words in these two orders.
      var abef = Words(state[5], state[4], state[1], state[0])
      var cdgh = Words(state[7], state[6], state[3], state[2])
      var block = data
      for _ in 0..<blocks {
        let (a, c) = (abef, cdgh)
        func rounds(_ words: Words, _ index: Int) {
          let sum = words &+ UnsafeRawPointer(constants + index).loadUnaligned(as: Words.self)
          cdgh = fromVector(_mm_sha256rnds2_epu32(vector(cdgh), vector(abef), vector(sum)))
          let high = Words(lowHalf: sum.highHalf, highHalf: sum.highHalf)
          abef = fromVector(_mm_sha256rnds2_epu32(vector(abef), vector(cdgh), vector(high)))
        }
        var w0 = load(block)
        var w1 = load(block + 16)
        var w2 = load(block + 32)
        var w3 = load(block + 48)
        rounds(w0, 0)
        rounds(w1, 4)
        rounds(w2, 8)
        rounds(w3, 12)
        for index in stride(from: 16, to: 64, by: 16) {
          w0 = schedule(w0, w1, w2, w3)
          rounds(w0, index)
          w1 = schedule(w1, w2, w3, w0)
          rounds(w1, index &+ 4)
          w2 = schedule(w2, w3, w0, w1)
          rounds(w2, index &+ 8)
          w3 = schedule(w3, w0, w1, w2)
          rounds(w3, index &+ 12)
        }
        abef &+= a
        cdgh &+= c
        block += 64
      }
      (state[0], state[1], state[4], state[5]) = (abef[3], abef[2], abef[1], abef[0])
      (state[2], state[3], state[6], state[7]) = (cdgh[3], cdgh[2], cdgh[1], cdgh[0])
    }

    private typealias Words = SIMD4<UInt32>

    @inline(__always) private static func vector(_ words: Words) -> __m128i { unsafeBitCast(words, to: __m128i.self) }
    @inline(__always) private static func fromVector(_ vector: __m128i) -> Words {
      unsafeBitCast(vector, to: Words.self)
    }

    /// Four words of the message, big-endian.
    @inline(__always) private static func load(_ bytes: UnsafeRawPointer) -> Words {
      let swap = SIMD16<Int8>(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
      return fromVector(
        _mm_shuffle_epi8(bytes.loadUnaligned(as: __m128i.self), unsafeBitCast(swap, to: __m128i.self)))
    }

    /// The next four words of the message schedule from the last sixteen.
    @inline(__always) private static func schedule(_ a: Words, _ b: Words, _ c: Words, _ d: Words) -> Words {
      let seventh = Words(c[1], c[2], c[3], d[0])
      let sum = fromVector(_mm_sha256msg1_epu32(vector(a), vector(b))) &+ seventh
      return fromVector(_mm_sha256msg2_epu32(vector(sum), vector(d)))
    }
  }
#else
  public enum SHAInstructions {
    public static func compress(
      _ state: UnsafeMutablePointer<UInt32>, _ data: UnsafeRawPointer, blocks: Int, constants: UnsafePointer<UInt32>
    ) {}
  }
#endif

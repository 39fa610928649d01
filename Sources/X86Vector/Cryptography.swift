import X86Core

// AES (FIPS 197), carry-less products, SHA (FIPS 180-4) and GF(2^8) instructions.

/// Arithmetic in GF(2^8) modulo x⁸ + x⁴ + x³ + x + 1, which AES and GFNI share.
enum GF256 {
  @inline(__always)
  static func multiply(_ a: UInt8, _ b: UInt8) -> UInt8 {
    var a = a
    var r: UInt8 = 0
    for i: UInt8 in 0..<8 {
      if b &>> i & 1 != 0 { r ^= a }
      a = a &<< 1 ^ (a & 0x80 != 0 ? 0x1B : 0)
    }
    return r
  }
  /// The inverse, 0 for 0.
  static func inverse(_ a: UInt8) -> UInt8 {
    // a^254
    var r: UInt8 = 1
    for _ in 0..<254 { r = multiply(r, a) }
    return r
  }
}

/// Tables of one byte: 256 S-box, 256 inverse S-box, 256 inverses in GF(2^8). Filled at start, never freed.
struct ByteTables {
  let base: UnsafeMutablePointer<UInt8>
  @inline(__always) func sBox(_ x: UInt8) -> UInt8 { base[Int(x)] }
  @inline(__always) func inverseSBox(_ x: UInt8) -> UInt8 { base[256 &+ Int(x)] }
  @inline(__always) func inverse(_ x: UInt8) -> UInt8 { base[512 &+ Int(x)] }

  static let shared: ByteTables = {
    let base = UnsafeMutablePointer<UInt8>.allocate(capacity: 768)
    for i in 0..<256 {
      let x = GF256.inverse(UInt8(i))
      var s = x ^ 0x63
      for n: UInt8 in 1...4 { s ^= x &<< n | x &>> (8 &- n) }
      base[i] = s
      base[512 + i] = x
    }
    for i in 0..<256 { base[256 + Int(base[i])] = UInt8(i) }
    return ByteTables(base: base)
  }()
}

// MARK: AES

/// Rounds by table: a column of the result is the exclusive or of four words, one for each byte that ShiftRows moves into
/// it. 256 words each for the encryption, the decryption and InvMixColumns alone, of the column's first byte; the other
/// three bytes' words are these, rotated.
struct AESTables {
  let base: UnsafeMutablePointer<UInt32>
  @inline(__always) var encryption: UnsafePointer<UInt32> { UnsafePointer(base) }
  @inline(__always) var decryption: UnsafePointer<UInt32> { UnsafePointer(base + 256) }
  @inline(__always) var inverseMix: UnsafePointer<UInt32> { UnsafePointer(base + 512) }

  /// Filled at start, never freed.
  static let shared: AESTables = {
    let base = UnsafeMutablePointer<UInt32>.allocate(capacity: 768)
    func word(_ x: UInt8, _ column: (UInt8, UInt8, UInt8, UInt8)) -> UInt32 {
      func product(_ m: UInt8) -> UInt32 { UInt32(GF256.multiply(x, m)) }
      return product(column.0) | product(column.1) << 8 | product(column.2) << 16 | product(column.3) << 24
    }
    let bytes = ByteTables.shared
    for i in 0..<256 {
      let x = UInt8(i)
      base[i] = word(bytes.sBox(x), (2, 1, 1, 3))
      base[256 + i] = word(bytes.inverseSBox(x), (14, 9, 13, 11))
      base[512 + i] = word(x, (14, 9, 13, 11))
    }
    return AESTables(base: base)
  }()
}

enum AES {
  /// ShiftRows: byte i of the result comes from here.
  @inline(__always) static func shiftedRow(_ i: Int) -> Int { (i &+ 4 &* (i & 3)) & 15 }
  @inline(__always) static func inverseShiftedRow(_ i: Int) -> Int { (i &- 4 &* (i & 3)) & 15 }

  static func subBytes(_ v: V128) -> V128 {
    let t = ByteTables.shared
    return lanewise(v, v) { (x: UInt8, _: UInt8) in t.sBox(x) }
  }
  static func substituted(_ v: V128) -> V128 {
    let t = ByteTables.shared
    return lanes(UInt8.self) { i in t.sBox(v.lane(shiftedRow(i), UInt8.self)) }
  }
  static func inverseSubstituted(_ v: V128) -> V128 {
    let t = ByteTables.shared
    return lanes(UInt8.self) { i in t.inverseSBox(v.lane(inverseShiftedRow(i), UInt8.self)) }
  }
  /// The four columns, by a table and by how far one column's bytes lie apart: 5 along ShiftRows, 13 along its inverse,
  /// 1 within the column.
  @inline(__always)
  static func columns(_ v: V128, _ table: UnsafePointer<UInt32>, step: Int) -> V128 {
    @inline(__always) func word(_ i: Int) -> UInt32 { table[Int(v.lane(i & 15, UInt8.self))] }
    @inline(__always) func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { x &<< n | x &>> (32 &- n) }
    @inline(__always) func column(_ i: Int) -> UInt64 {
      let r = word(i) ^ rotated(word(i &+ step), 8) ^ rotated(word(i &+ 2 &* step), 16)
      return UInt64(r ^ rotated(word(i &+ 3 &* step), 24))
    }
    return V128(column(0) | column(4) &<< 32, column(8) | column(12) &<< 32)
  }
}
enum Aesenc: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    AES.columns(a, AESTables.shared.encryption, step: 5) ^ b
  }
}
enum Aesenclast: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { AES.substituted(a) ^ b }
}
enum Aesdec: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    AES.columns(a, AESTables.shared.decryption, step: 13) ^ b
  }
}
enum Aesdeclast: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    AES.inverseSubstituted(a) ^ b
  }
}
enum Aesimc: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    AES.columns(b, AESTables.shared.inverseMix, step: 1)
  }
}
enum Aeskeygenassist: PackedOperation {
  @inline(never) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let s = AES.subBytes(b).u32
    let x1 = s[1]
    let x3 = s[3]
    func rotated(_ x: UInt32) -> UInt32 { x &>> 8 | x &<< 24 }
    return V128(SIMD4<UInt32>(x1, rotated(x1) ^ UInt32(imm), x3, rotated(x3) ^ UInt32(imm)))
  }
}

// MARK: PCLMULQDQ

enum Pclmulqdq: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    carrylessProduct(imm & 1 == 0 ? a[0] : a[1], imm & 0x10 == 0 ? b[0] : b[1])
  }
}
/// Multiplication with holes: of every five bits of the factors one is kept, so that a column of an ordinary product sums
/// at most 13 ones, which stay in the five bits until the next column; the lowest of the five is the carry-less sum.
@inline(never)
func carrylessProduct(_ x: UInt64, _ y: UInt64) -> V128 {
  let every5th: UInt64 = 0x1084_2108_4210_8421
  @inline(__always) func mask(_ k: UInt64) -> UInt64 { every5th &<< (k % 5) }
  @inline(__always) func part(_ v: UInt64, _ k: UInt64) -> UInt64 { v & mask(k) }
  @inline(__always) func column(_ k: UInt64) -> V128 {
    var low: UInt64 = 0
    var high: UInt64 = 0
    for i: UInt64 in 0..<5 {
      let p = part(x, i).multipliedFullWidth(by: part(y, (k &+ 5 &- i) % 5))
      low ^= p.low
      high ^= p.high
    }
    // Bit 64 is the fifth of its five.
    return V128(low & mask(k), high & mask(k &+ 1))
  }
  return column(0) | column(1) | column(2) | column(3) | column(4)
}

// MARK: SHA. Doubleword 3 is the first of the four, as the SDM numbers them.

enum SHA {
  @inline(__always) static func rotateLeft(_ x: UInt32, _ n: UInt32) -> UInt32 { x &<< n | x &>> (32 &- n) }
  @inline(__always) static func rotateRight(_ x: UInt32, _ n: UInt32) -> UInt32 { x &>> n | x &<< (32 &- n) }
  @inline(__always) static func smallSigma0(_ x: UInt32) -> UInt32 {
    rotateRight(x, 7) ^ rotateRight(x, 18) ^ x &>> 3
  }
  @inline(__always) static func smallSigma1(_ x: UInt32) -> UInt32 {
    rotateRight(x, 17) ^ rotateRight(x, 19) ^ x &>> 10
  }
}
enum Sha1nexte: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    b.with(3, b.u32[3] &+ SHA.rotateLeft(a.u32[3], 30))
  }
}
enum Sha1msg1: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 { V128(b[1], a[0]) ^ a }
}
enum Sha1msg2: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let x = a.u32
    let y = b.u32
    let w16 = SHA.rotateLeft(x[3] ^ y[2], 1)
    let w17 = SHA.rotateLeft(x[2] ^ y[1], 1)
    let w18 = SHA.rotateLeft(x[1] ^ y[0], 1)
    let w19 = SHA.rotateLeft(x[0] ^ w16, 1)
    return V128(SIMD4<UInt32>(w19, w18, w17, w16))
  }
}
enum Sha1rnds4: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let s = a.u32
    var (A, B, C, D, E): (UInt32, UInt32, UInt32, UInt32, UInt32) = (s[3], s[2], s[1], s[0], 0)
    let constants = SIMD4<UInt32>(0x5A82_7999, 0x6ED9_EBA1, 0x8F1B_BCDC, 0xCA62_C1D6)
    for i in 0..<4 {
      let f: UInt32
      switch imm & 3 {
      case 0: f = (B & C) ^ (~B & D)
      case 2: f = (B & C) ^ (B & D) ^ (C & D)
      default: f = B ^ C ^ D
      }
      // E is part of the source's first doubleword already (SHA1NEXTE).
      let next = f &+ SHA.rotateLeft(A, 5) &+ b.u32[3 - i] &+ E &+ constants[Int(imm & 3)]
      (E, D, C, B, A) = (D, C, SHA.rotateLeft(B, 30), A, next)
    }
    return V128(SIMD4<UInt32>(D, C, B, A))
  }
}
enum Sha256rnds2: VectorOperation {
  @inline(__always) static func apply(_ c: CPU, _ a: V128, _ b: V128, _ imm: UInt8) -> V128? {
    let words = c.xmm(0).u32
    var (A, B, C, D) = (b.u32[3], b.u32[2], a.u32[3], a.u32[2])
    var (E, F, G, H) = (b.u32[1], b.u32[0], a.u32[1], a.u32[0])
    for i in 0..<2 {
      let choice = (E & F) ^ (~E & G)
      let sigma1 = SHA.rotateRight(E, 6) ^ SHA.rotateRight(E, 11) ^ SHA.rotateRight(E, 25)
      let majority = (A & B) ^ (A & C) ^ (B & C)
      let sigma0 = SHA.rotateRight(A, 2) ^ SHA.rotateRight(A, 13) ^ SHA.rotateRight(A, 22)
      let t = choice &+ sigma1 &+ words[i] &+ H
      (H, G, F, E) = (G, F, E, t &+ D)
      (D, C, B, A) = (C, B, A, t &+ majority &+ sigma0)
    }
    return V128(SIMD4<UInt32>(F, E, B, A))
  }
}
enum Sha256msg1: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let w = a.u32
    return V128(
      SIMD4<UInt32>(
        w[0] &+ SHA.smallSigma0(w[1]), w[1] &+ SHA.smallSigma0(w[2]), w[2] &+ SHA.smallSigma0(w[3]),
        w[3] &+ SHA.smallSigma0(b.u32[0])))
  }
}
enum Sha256msg2: PackedOperation {
  @inline(__always) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let w16 = a.u32[0] &+ SHA.smallSigma1(b.u32[2])
    let w17 = a.u32[1] &+ SHA.smallSigma1(b.u32[3])
    let w18 = a.u32[2] &+ SHA.smallSigma1(w16)
    let w19 = a.u32[3] &+ SHA.smallSigma1(w17)
    return V128(SIMD4<UInt32>(w16, w17, w18, w19))
  }
}

// MARK: GFNI

enum Gf2p8mulb: PackedOperation {
  @inline(never) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanewise(a, b) { (x: UInt8, y: UInt8) in GF256.multiply(x, y) }
  }
}
enum GFNI {
  /// matrix · x + imm over GF(2); row 0 of the result comes from the matrix's byte 7 (SDM 2A).
  @inline(__always)
  static func affine(_ matrix: UInt64, _ x: UInt8, _ imm: UInt8) -> UInt8 {
    var r: UInt8 = 0
    for i: UInt64 in 0..<8 {
      let row = UInt8(truncatingIfNeeded: matrix &>> (56 &- 8 &* i))
      r |= UInt8(truncatingIfNeeded: (row & x).nonzeroBitCount & 1) &<< UInt8(truncatingIfNeeded: i)
    }
    return r ^ imm
  }
}
enum Gf2p8affineqb: PackedOperation {
  @inline(never) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    lanes(UInt8.self) { i in GFNI.affine(b[i &>> 3], a.lane(i, UInt8.self), imm) }
  }
}
enum Gf2p8affineinvqb: PackedOperation {
  @inline(never) static func apply(_ a: V128, _ b: V128, _ imm: UInt8) -> V128 {
    let t = ByteTables.shared
    return lanes(UInt8.self) { i in GFNI.affine(b[i &>> 3], t.inverse(a.lane(i, UInt8.self)), imm) }
  }
}

/// The helper for the x87: ST(0) is `a`, ST(1) is `b`; runs one instruction per case under the given control word.
/// Status: the status word.
let x87Reference = HostReference(
  name: "x87-reference",
  source: #"""
    #include <stdint.h>
    #include <stdio.h>
    #include <string.h>

    struct in { uint32_t op, control; uint64_t a, ahigh, b, bhigh; };
    struct out { uint64_t r, rhigh, status; };
    typedef struct { uint64_t lo; uint16_t hi; } __attribute__((packed)) ext;

    #define RUN(code) RUN2(code, "")
    #define RUN2(code, after) \
      asm volatile("fninit\n fldt %[b]\n fldt %[a]\n fldcw %[cw]\n" code "\n fnstsw %[sw]\n fnclex\n" after "\n fstpt %[r]\n fninit" \
        : [r] "=m"(r), [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b), [cw] "m"(cw) : "memory"); break;
    #define STORE(code) \
      asm volatile("fninit\n fldt %[a]\n fldcw %[cw]\n" code " %[r]\n fnstsw %[sw]\n fnclex\n fninit" \
        : [r] "+m"(r), [sw] "=m"(sw) : [a] "m"(a), [cw] "m"(cw) : "memory"); break;
    #define LOAD(code) \
      asm volatile("fninit\n fldcw %[cw]\n" code " %[a]\n fnstsw %[sw]\n fnclex\n fstpt %[r]\n fninit" \
        : [r] "=m"(r), [sw] "=m"(sw) : [a] "m"(a), [cw] "m"(cw) : "memory"); break;
    #define MEMORY(code) \
      asm volatile("fninit\n fldt %[a]\n fldcw %[cw]\n" code " %[b]\n fnstsw %[sw]\n fnclex\n fstpt %[r]\n fninit" \
        : [r] "=m"(r), [sw] "=m"(sw) : [a] "m"(a), [b] "m"(b), [cw] "m"(cw) : "memory"); break;

    int main(void) {
      struct in in;
      struct out out;
      while (fread(&in, sizeof in, 1, stdin) == 1) {
        ext a = {in.a, in.ahigh}, b = {in.b, in.bhigh}, r = {0, 0};
        uint16_t cw = in.control, sw = 0;
        switch (in.op) {
          case 0: RUN("fadd %%st(1), %%st") case 1: RUN("fsub %%st(1), %%st")
          case 2: RUN("fmul %%st(1), %%st") case 3: RUN("fdiv %%st(1), %%st")
          case 4: RUN("fsqrt") case 5: RUN("fcom %%st(1)") case 6: RUN("fucom %%st(1)")
          case 7: RUN("fprem") case 8: RUN("fprem1") case 9: RUN("frndint") case 10: RUN("fscale")
          case 11: RUN("fxtract") case 12: RUN2("fxtract", "fxch") case 13: RUN("fxam")
          case 14: STORE("fstps") case 15: STORE("fstpl") case 16: STORE("fistps") case 17: STORE("fistpl")
          case 18: STORE("fistpll") case 19: STORE("fisttpll") case 20: STORE("fbstp")
          case 21: LOAD("fbld") case 22: LOAD("flds") case 23: LOAD("fldl")
          case 24: LOAD("fldl2t #") case 25: LOAD("fldl2e #") case 26: LOAD("fldpi #") case 27: LOAD("fldlg2 #")
          case 28: LOAD("fldln2 #") case 29: MEMORY("fadds") case 30: MEMORY("fmull") case 31: LOAD("fildll")
          case 40: RUN("f2xm1") case 41: RUN("fyl2x") case 42: RUN("fyl2xp1") case 43: RUN("fsin")
          case 44: RUN("fcos") case 45: RUN2("fptan", "fxch") case 46: RUN("fpatan")
        }
        out.r = r.lo;
        out.rhigh = r.hi;
        out.status = sw & 0x47FF;
        fwrite(&out, sizeof out, 1, stdout);
      }
      return 0;
    }
    """#)

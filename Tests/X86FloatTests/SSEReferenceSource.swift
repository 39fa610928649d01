/// The helper for SSE: runs one instruction per case under the given MXCSR. Status: MXCSR's flags, and bit 31
/// if the instruction raised #XM.
let sseReference = HostReference(
  name: "sse-reference",
  source: #"""
    #define _GNU_SOURCE
    #include <setjmp.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <string.h>
    #include <ucontext.h>

    struct in { uint32_t op, control; uint64_t a, ahigh, b, bhigh; };
    struct out { uint64_t r, rhigh, status; };

    static sigjmp_buf escape;
    static volatile uint32_t trapped;
    static const uint32_t standard = 0x1F80;

    static void handler(int s, siginfo_t *i, void *c) {
      trapped = ((ucontext_t *)c)->uc_mcontext.fpregs->mxcsr | 0x80000000u;
      siglongjmp(escape, 1);
    }

    #define BINARY(name) \
      asm volatile("movq %[a], %%xmm0\n movq %[b], %%xmm1\n ldmxcsr %[m]\n" name " %%xmm1, %%xmm0\n" \
        "stmxcsr %[f]\n ldmxcsr %[s]\n movq %%xmm0, %[r]" \
        : [r] "=&r"(r), [f] "=m"(flags) : [a] "r"(in.a), [b] "r"(in.b), [m] "m"(in.control), [s] "m"(standard) \
        : "xmm0", "xmm1", "memory"); break;
    #define FLAGS(name) \
      asm volatile("movq %[a], %%xmm0\n movq %[b], %%xmm1\n ldmxcsr %[m]\n" name " %%xmm1, %%xmm0\n" \
        "pushfq\n pop %[r]\n stmxcsr %[f]\n ldmxcsr %[s]" \
        : [r] "=&r"(r), [f] "=m"(flags) : [a] "r"(in.a), [b] "r"(in.b), [m] "m"(in.control), [s] "m"(standard) \
        : "xmm0", "xmm1", "memory", "cc"); r &= 0x45; break;
    #define TOINT(name, reg) \
      asm volatile("movq %[b], %%xmm1\n ldmxcsr %[m]\n" name " %%xmm1, %%" reg "\n" \
        "stmxcsr %[f]\n ldmxcsr %[s]\n mov %%rax, %[r]" \
        : [r] "=&r"(r), [f] "=m"(flags) : [b] "r"(in.b), [m] "m"(in.control), [s] "m"(standard) \
        : "rax", "xmm1", "memory"); break;
    #define FROMINT(name, reg) \
      asm volatile("pxor %%xmm0, %%xmm0\n mov %[b], %%rax\n ldmxcsr %[m]\n" name " %%" reg ", %%xmm0\n" \
        "stmxcsr %[f]\n ldmxcsr %[s]\n movq %%xmm0, %[r]" \
        : [r] "=&r"(r), [f] "=m"(flags) : [b] "r"(in.b), [m] "m"(in.control), [s] "m"(standard) \
        : "rax", "xmm0", "memory"); break;
    #define BOTH(base, name) case base: BINARY(name "ss") case base + 1: BINARY(name "sd")
    #define COMPARE(n) case 16 + 2 * n: BINARY("cmpss $" #n ",") case 17 + 2 * n: BINARY("cmpsd $" #n ",")
    #define ROUND(n) case 64 + 2 * n: BINARY("roundss $" #n ",") case 65 + 2 * n: BINARY("roundsd $" #n ",")

    int main(void) {
      struct in in;
      struct out out;
      struct sigaction action;
      memset(&action, 0, sizeof action);
      action.sa_sigaction = handler;
      action.sa_flags = SA_SIGINFO;
      sigaction(SIGFPE, &action, 0);
      while (fread(&in, sizeof in, 1, stdin) == 1) {
        uint64_t r = 0;
        uint32_t flags = 0;
        int unmasked = (in.control & 0x1F80) != 0x1F80;
        trapped = 0;
        if (!unmasked || !sigsetjmp(escape, 1)) switch (in.op) {
          BOTH(0, "add") BOTH(2, "sub") BOTH(4, "mul") BOTH(6, "div") BOTH(8, "sqrt") BOTH(10, "min") BOTH(12, "max")
          COMPARE(0) COMPARE(1) COMPARE(2) COMPARE(3) COMPARE(4) COMPARE(5) COMPARE(6) COMPARE(7)
          case 32: FLAGS("comiss") case 33: FLAGS("comisd")
          case 34: FLAGS("ucomiss") case 35: FLAGS("ucomisd")
          case 36: TOINT("cvttss2si", "eax") case 37: TOINT("cvttsd2si", "eax")
          case 38: TOINT("cvttss2si", "rax") case 39: TOINT("cvttsd2si", "rax")
          case 40: TOINT("cvtss2si", "eax") case 41: TOINT("cvtsd2si", "eax")
          case 42: TOINT("cvtss2si", "rax") case 43: TOINT("cvtsd2si", "rax")
          case 44: FROMINT("cvtsi2ssl", "eax") case 45: FROMINT("cvtsi2sdl", "eax")
          case 46: FROMINT("cvtsi2ssq", "rax") case 47: FROMINT("cvtsi2sdq", "rax")
          case 48: BINARY("cvtss2sd") case 49: BINARY("cvtsd2ss")
          ROUND(0) ROUND(1) ROUND(2) ROUND(3) ROUND(4) ROUND(8) ROUND(9) ROUND(10) ROUND(11) ROUND(12)
          case 128: /* dpps: a0 a1 in a, b0 b1 in b, a2 a3 in ahigh, b2 b3 in bhigh */
            asm volatile("movq %[a], %%xmm0\n movq %[b], %%xmm1\n pinsrq $1, %[c], %%xmm0\n pinsrq $1, %[d], %%xmm1\n"
              "ldmxcsr %[m]\n dpps $0xF1, %%xmm1, %%xmm0\n stmxcsr %[f]\n ldmxcsr %[s]\n movq %%xmm0, %[r]"
              : [r] "=&r"(r), [f] "=m"(flags) : [a] "r"(in.a), [b] "r"(in.b), [c] "r"(in.ahigh), [d] "r"(in.bhigh),
                [m] "m"(in.control), [s] "m"(standard) : "xmm0", "xmm1", "memory"); break;
          case 129:
            asm volatile("movq %[a], %%xmm0\n movq %[b], %%xmm1\n pinsrq $1, %[c], %%xmm0\n pinsrq $1, %[d], %%xmm1\n"
              "ldmxcsr %[m]\n dppd $0x31, %%xmm1, %%xmm0\n stmxcsr %[f]\n ldmxcsr %[s]\n movq %%xmm0, %[r]"
              : [r] "=&r"(r), [f] "=m"(flags) : [a] "r"(in.a), [b] "r"(in.b), [c] "r"(in.ahigh), [d] "r"(in.bhigh),
                [m] "m"(in.control), [s] "m"(standard) : "xmm0", "xmm1", "memory"); break;
        }
        if (trapped) asm volatile("ldmxcsr %0" : : "m"(standard));
        out.r = r;
        out.rhigh = 0;
        out.status = trapped ? (trapped & 0x8000003F) : (flags & 0x3F);
        fwrite(&out, sizeof out, 1, stdout);
      }
      return 0;
    }
    """#)

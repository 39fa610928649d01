# DR0–DR7 (SDM 3B 18.2): instruction, data and I/O breakpoints, general detect, RF, what DR6 tells.
.include "system.inc"

.set DR6_FIXED, 0xFFFF0FF0
.set CR4_DE, 8
.set B0, 1
.set B1, 2
.set B2, 4
.set BD, 1 << 13
.set BS, 1 << 14

.macro set_dr number, value
  mov rax, \value
  mov dr\number, rax
.endm

# Log of #DB: how many, and RIP and DR6 of the first.
.macro logged_debug count, rip, dr6, text:vararg
  equal [log_count], \count, \text
  equal "[log + LOG_RIP]", "\rip", \text
  equal "[log + LOG_DR6]", "\dr6", \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  mov rax, cr4
  or rax, CR4_DE
  mov cr4, rax

  # 18.2.2: DR4 and DR5 are undefined with CR4.DE, aliases of DR6 and DR7 without.
  attempt
    mov rax, dr4
  attempted
  expect 6, 0, "DR4 with CR4.DE"
  mov rax, cr4
  and rax, ~CR4_DE
  mov cr4, rax
  set_dr 6, 0
  attempt
    .byte 0x0F, 0x21, 0xE0                # mov rax, dr4
  attempted
  expect NONE, 0, "DR4 without CR4.DE"
  mov ecx, DR6_FIXED
  equal rax, rcx, "DR4 is DR6, and its fixed bits are one"
  mov rax, cr4
  or rax, CR4_DE
  mov cr4, rax
  attempt
    mov rax, 1 << 32
    mov dr7, rax
  attempted
  expect 13, 0, "upper half of DR7"
  attempt
    mov rax, 1 << 32
    mov dr6, rax
  attempted
  expect 13, 0, "upper half of DR6"
  mov rax, dr7
  equal rax, 0x400, "DR7 after reset"

  # 18.3.1.1: an instruction breakpoint is a fault; RF lets the instruction through.
  mov dword ptr [log_flags_set], FLAG_RF
  log_exceptions 1
  set_dr 6, 0
  mov eax, offset 1f
  mov dr2, rax
  set_dr 7, 0x420                         # G2
  xor ebx, ebx
1:
  inc ebx
  mov ecx, DR6_FIXED | B2
  logged_debug 1, "offset 1b", rcx, "instruction breakpoint"
  equal rbx, 1, "the instruction was executed once"
  mov rax, [log + LOG_FLAGS]
  and eax, FLAG_RF
  equal rax, 0, "RF is clear in the image of an instruction breakpoint"

  # B0–B3 of an earlier exception are cleared, other bits stay (18.2.3).
  log_exceptions 1
  mov eax, offset 1f
  mov dr2, rax
  set_dr 6, BS | B1
1:
  nop
  mov ecx, DR6_FIXED | BS | B2
  logged_debug 1, "offset 1b", rcx, "DR6 keeps BS, not B1"

  # In a loop: each time round.
  log_exceptions 1
  set_dr 6, 0
  mov eax, offset 1f
  mov dr2, rax
  mov ecx, 5
1:
  dec ecx
  jnz 1b
  equal [log_count], 5, "a breakpoint at a loop's head hits five times"

  # Two at one place.
  log_exceptions 1
  mov eax, offset 1f
  mov dr1, rax
  mov dr2, rax
  set_dr 7, 0x424                         # L1, G2
  set_dr 6, 0
1:
  nop
  mov ecx, DR6_FIXED | B1 | B2
  logged_debug 1, "offset 1b", rcx, "two breakpoints at one instruction"

  # Not in the shadow of MOV SS (18.3.1.1, 3A 6.8.3).
  log_exceptions 1
  set_dr 7, 0x420
  set_dr 6, 0
  mov eax, offset 1f
  mov dr2, rax
  mov ecx, DATA
  mov ss, ecx
1:
  nop
  equal [log_count], 0, "an instruction breakpoint behind MOV SS is suppressed"
  mov dword ptr [log_flags_set], 0

  # A fault pushes RF: the breakpoint does not hit again when the handler returns (18.3.1.1, 6.12).
  set_dr 7, 0x400
  attempt
    ud2
  attempted
  mov rax, [seen_flags]
  and eax, FLAG_RF
  equal rax, FLAG_RF, "RF is set in the image of a fault"
  attempt
    int3
  attempted
  mov rax, [seen_flags]
  and eax, FLAG_RF
  equal rax, 0, "RF is clear in the image of a trap"
  # IRET sets RF for one instruction alone.
  pushf
  or qword ptr [rsp], FLAG_RF
  mov rax, rsp
  push DATA
  push rax
  push [rax]
  push CODE64
  push offset 1f
  iretq
1:
  nop
  attempt
    int3
  attempted
  mov rax, [seen_flags]
  and eax, FLAG_RF
  equal rax, 0, "RF that IRET set is gone after one instruction"
  pop rax

  # 18.3.1.2: data breakpoints are traps behind the access.
  set_dr 1, "offset watched"
  set_dr 6, 0
  set_dr 7, 0x00D00408                    # G1, write, 4 bytes
  log_exceptions 1
  mov dword ptr [watched], 42
1:
  nop
  mov ecx, DR6_FIXED | B1
  logged_debug 1, "offset 1b", rcx, "write breakpoint, written"
  mov eax, [watched]
  equal rax, 42, "the write was done"
  log_exceptions 1
  mov eax, [watched]
  cmp byte ptr [watched + 2], 3
  equal [log_count], 0, "write breakpoint, read"
  log_exceptions 1
  mov byte ptr [watched + 3], 1
  mov byte ptr [watched + 4], 1
  mov byte ptr [watched - 1], 1
  equal [log_count], 1, "write breakpoint: its bytes and no others"
  log_exceptions 1
  mov qword ptr [watched - 7], 1
  equal [log_count], 1, "a write that reaches into it"
  log_exceptions 1
  mov qword ptr [watched - 8], 1
  equal [log_count], 0, "a write that ends before it"
  log_exceptions 1
  add dword ptr [watched], 1
  equal [log_count], 1, "read-modify-write is one write"
  log_exceptions 1
  lock inc dword ptr [watched]
  equal [log_count], 1, "LOCK INC"
  mov esp, offset watched + 8
  log_exceptions 1
  push rax
1:
  mov esp, offset stack_top - 256
  mov ecx, DR6_FIXED | B1
  logged_debug 1, "offset 1b", rcx, "PUSH"
  log_exceptions 1
  movups xmm0, [watched]
  movups [watched - 12], xmm0
1:
  nop
  mov ecx, DR6_FIXED | B1
  logged_debug 1, "offset 1b", rcx, "MOVUPS"
  log_exceptions 1
  mov edi, offset watched - 16
  mov ecx, 40
  xor eax, eax
1:
  rep stosb
  equal [log_count], 4, "REP STOSB: after each of the four iterations"
  equal "[log + LOG_RIP]", "offset 1b", "REP STOSB: RIP is at it while it goes on"
  # Read or write, 8 bytes (length 10B).
  set_dr 0, "offset watched"
  set_dr 7, 0x000B0402
  set_dr 6, 0
  log_exceptions 1
  mov al, [watched + 7]
  mov al, [watched + 8]
  equal [log_count], 1, "access breakpoint of 8 bytes, read"
  log_exceptions 1
  movzx eax, byte ptr [watched + 1]
  mov [watched + 6], ax
  equal [log_count], 2, "access breakpoint, read and write"
  # 2 bytes: the address is cut to the length (18.2.5).
  set_dr 0, "offset watched + 1"
  set_dr 7, 0x00070402
  log_exceptions 1
  mov al, [watched]
  mov al, [watched + 1]
  mov al, [watched + 2]
  equal [log_count], 2, "the address is aligned to the length"
  # A fault of the same instruction comes first, without a trap.
  set_dr 0, "offset watched"
  set_dr 7, 0x000F0402
  set_dr 6, 0
  log_exceptions 1
  mov rcx, 0x0000700000000000
  attempt
    mov esi, offset watched
    mov rdi, rcx
    movsd
  attempted
  expect 14, 2, "MOVS with a watched source to a page that is not there"
  equal [log_count], 0, "… faults and does not trap"

  # 18.3.1.2: I/O breakpoints.
  set_dr 3, 0x80
  set_dr 7, 0x60000480                    # G3, I/O, 2 bytes
  set_dr 6, 0
  log_exceptions 1
  out 0x80, al
1:
  nop
  mov ecx, DR6_FIXED | 8
  logged_debug 1, "offset 1b", rcx, "I/O breakpoint, OUT"
  log_exceptions 1
  in al, 0x81
  in al, 0x82
  equal [log_count], 1, "I/O breakpoint, IN"
  log_exceptions 1
  in eax, 0x7E
  equal [log_count], 1, "I/O breakpoint, a wide IN from below"
  set_dr 7, 0x400

  # 18.2.4: general detect is a fault, and its delivery clears GD.
  set_dr 6, 0
  log_exceptions 1
  mov eax, 0x2400
  mov dr7, rax
1:
  mov rax, dr7
  mov ecx, DR6_FIXED | BD
  logged_debug 1, "offset 1b", rcx, "general detect"
  equal rax, 0x400, "GD is clear in the handler and stays so"

  # INT1 is a trap that leaves DR6 alone.
  set_dr 6, 0
  log_exceptions 1
  .byte 0xF1
1:
  mov ecx, DR6_FIXED
  logged_debug 1, "offset 1b", rcx, "INT1"

  # MOV SS whose operand is watched: the trap waits for the next instruction (6.8.3).
  mov dword ptr [watched], DATA
  set_dr 0, "offset watched"
  set_dr 7, 0x000F0402
  set_dr 6, 0
  log_exceptions 1
  mov ss, [watched]
  nop
1:
  nop
  mov ecx, DR6_FIXED | B0
  logged_debug 1, "offset 1b", rcx, "MOV SS from a watched word"
  log_exceptions 1
  mov ss, [watched]
  .byte 0xF1
1:
  mov ecx, DR6_FIXED | B0
  logged_debug 1, "offset 1b", rcx, "MOV SS from a watched word, then INT1: one exception"
  # INT3 is delivered, then the trap, at its handler's first instruction: both return.
  attempt
    log_exceptions 1
    mov ss, [watched]
    int3
  attempted
  expect 3, 0, "MOV SS from a watched word, then INT3"
  equal [log_count], 1, "… and the trap comes in the handler"
  equal "[log + LOG_RIP]", "offset exception_stubs + 48", "… at its first instruction"
  finish

.bss
  .align 64
  .skip 32
watched: .skip 32
.text

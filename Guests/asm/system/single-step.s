# RFLAGS.TF (SDM 3B 18.3.1.4): a trap behind each instruction that began with TF set.
.include "system.inc"

.set DR6_FIXED, 0xFFFF0FF0
.set BS, 1 << 14

.macro step_begin
  log_exceptions 1
  xor eax, eax
  mov dr6, rax
  pushf
  pop rax
  or eax, FLAG_TF
  push rax
  popf
.endm
# Three instructions, each with its trap.
.macro step_end
  and eax, ~FLAG_TF
  push rax
  popf
.endm
.macro stepped n, rip, text:vararg
  equal "[log + \n * LOG_ENTRY + LOG_RIP]", "\rip", \text
.endm

main:
  call console_open
  call install_exceptions

  step_begin
1:
  step_end
2:
  equal [log_count], 3, "POPF that clears TF is itself followed by a trap"
  stepped 0, "offset 1b + 5", "first trap behind the first instruction"
  stepped 2, "offset 2b", "last trap behind POPF"
  mov ecx, DR6_FIXED | BS
  equal "[log + LOG_DR6]", rcx, "DR6.BS"
  mov rax, [log + LOG_FLAGS]
  and eax, FLAG_TF
  equal rax, FLAG_TF, "TF is set in the image"

  step_begin
  xor ecx, ecx
1:
  cpuid
2:
  nop
  pushf
  pop rax
  step_end
  stepped 1, "offset 2b", "CPUID"

  # STI holds off interrupts, not debug traps.
  cli
  step_begin
1:
  sti
2:
  nop
  cli
  step_end
  stepped 0, "offset 2b", "STI does not hold off the trap"

  # MOV SS does, and its own trap is lost (3A 6.8.3).
  mov ecx, DATA
  step_begin
  mov ss, ecx
1:
  nop
2:
  step_end
  stepped 0, "offset 2b", "MOV SS: trap behind the next instruction"
  equal [log_count], 4, "MOV SS: one trap less"

  # A jump: RIP is its destination.
  step_begin
  jmp 1f
  nop
1:
  step_end
  stepped 0, "offset 1b", "JMP"

  # INT n clears TF: its handler is not stepped, the instruction has no trap of its own.
  step_begin
  int 0x80
1:
  step_end
  equal [log_count], 3, "INT n: no trap"

  # A repeated string instruction traps after each iteration (2B REP).
  mov ecx, 3
  mov edi, offset buffer
  step_begin
1:
  rep stosb
2:
  step_end
  stepped 0, "offset 1b", "REP STOSB: RIP at it"
  stepped 1, "offset 1b", "REP STOSB: and again"
  stepped 2, "offset 2b", "REP STOSB: behind it"

  # IRET that sets TF: the trap comes behind the next instruction.
  log_exceptions 1
  pushf
  pop rax
  or eax, FLAG_TF
  mov rcx, rsp
  push DATA
  push rcx
  push rax
  push CODE64
  push offset 1f
  iretq
1:
  nop
2:
  step_end
  stepped 0, "offset 2b", "IRET"

  # A faulting instruction has no trap; the fault's image has TF.
  attempt
    step_begin
    ud2
  attempted
  expect 6, 0, "UD2"
  equal [log_count], 0, "a fault is not followed by a trap"
  mov rax, [seen_flags]
  and eax, FLAG_TF
  equal rax, FLAG_TF, "TF is set in the fault's image"

  # SYSCALL: TF as IA32_FMASK leaves it counts, so that the entry is not stepped; SYSRET: as it is after it.
  mov ecx, MSR_EFER
  rdmsr
  or eax, 1
  wrmsr
  mov ecx, 0xC0000081
  xor eax, eax
  mov edx, 0x00100008
  wrmsr
  mov ecx, 0xC0000082
  mov eax, offset 3f
  xor edx, edx
  wrmsr
  mov ecx, 0xC0000084
  mov eax, FLAG_TF
  wrmsr
  log_exceptions 1
  mov dword ptr [log_flags_clear], FLAG_TF
  attempt
    enter_user 0x3102                     # IOPL 3, TF
2:
    nop
    syscall
    nop
    int 0x81
3:
    jmp 4f
4:
    mov r11d, 0x3102
    sysretq
  attempted
  mov dword ptr [log_flags_clear], 0
  expect 0x81, 0, "SYSCALL and SYSRET"
  # The first trap came behind the NOP at 2 and cleared TF; then SYSCALL without TF, SYSRET with.
  equal [log_count], 2, "SYSRET that sets TF is followed by a trap"
  stepped 0, "offset 2b + 1", "the NOP in ring 3"
  stepped 1, "offset 2b + 3", "SYSRET: the trap is at its destination"

  # DEBUGCTL.BTF: on taken branches alone; a debug exception clears it (18.4.3).
  attempt
    mov ecx, 0x1D9
    mov eax, 2
    xor edx, edx
    wrmsr
  attempted
  cmp dword ptr [seen_vector], NONE
  jne 5f                                  # this processor has no DEBUGCTL
  rdmsr
  test eax, 2
  jz 5f                                   # or no BTF
  step_begin
  nop
  nop
  jmp 1f
  nop
1:
  nop
2:
  step_end
  stepped 0, "offset 1b", "BTF: behind a taken branch"
  stepped 1, "offset 2b", "BTF: gone after the exception"
5:
  # With HLT: the trap ends it.
  step_begin
  hlt
1:
  step_end
  stepped 0, "offset 1b", "HLT"
  finish

.bss
buffer: .skip 64
.text

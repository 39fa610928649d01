# The interrupt shadow of STI and MOV/POP SS, and NMI blocking (SDM 3A 6.7.1, 6.8.1, 6.8.3; 2B STI, MOV).
.include "system.inc"

.set INTERRUPT, 0x30

# An interrupt of this processor to itself: it is pending behind this.
.macro interrupt_self
  mov esi, APIC_ICR
  mov dword ptr [rsi], SELF_FIXED | INTERRUPT
.endm
.macro nmi_self
  mov rsi, 0xFFFFFFFF & APIC_ICR
  mov dword ptr [rsi], SELF_NMI
.endm

.global main
main:
  call console_open
  call install_exceptions
  # The local APIC takes interrupts once it is enabled (3A 11.4.3).
  mov esi, 0xFEE000F0
  mov dword ptr [rsi], 0x1FF

  cli
  log_exceptions INTERRUPT
  interrupt_self
  nop
  equal [log_count], 0, "CLI holds an interrupt off"
  sti
  nop
1:
  nop
  call acknowledge
  equal [log_count], 1, "STI lets it in"
  equal "[log + LOG_RIP]", "offset 1b", "… behind the instruction that follows STI"

  cli
  log_exceptions INTERRUPT
  interrupt_self
  sti
  cli
  nop
  equal [log_count], 0, "STI; CLI: no interrupt comes in between"
  sti
  nop
  nop
  call acknowledge

  # STI with IF set casts no shadow.
  cli
  sti
  nop
  log_exceptions INTERRUPT
  interrupt_self
1:
  nop
  nop
  nop
  nop
  call acknowledge
  equal [log_count], 1, "with IF set it comes at once"

  # MOV SS and POP SS hold it off for one instruction.
  cli
  mov ecx, DATA
  pushf
  pop rax
  or eax, FLAG_IF
  log_exceptions INTERRUPT
  interrupt_self
  push rax
  popf
1:
  nop
  call acknowledge
  equal "[log + LOG_RIP]", "offset 1b", "POPF that sets IF casts no shadow"
  sti
  nop
  log_exceptions INTERRUPT
  mov ecx, DATA
  mov esi, APIC_ICR
  mov edx, SELF_FIXED | INTERRUPT
  mov [rsi], edx
  nop
  nop
  nop
  call acknowledge
  equal [log_count], 1, "an interrupt behind the write of the ICR"

  # STI; HLT: the interrupt wakes it.
  cli
  log_exceptions INTERRUPT
  interrupt_self
  sti
  hlt
1:
  call acknowledge
  equal [log_count], 1, "STI; HLT with an interrupt pending"
  equal "[log + LOG_RIP]", "offset 1b", "… comes behind HLT"

  # In the shadow an exception is delivered first, then the interrupt at its handler's return or, with IF, its start.
  cli
  log_exceptions INTERRUPT
  interrupt_self
  attempt
    sti
    ud2
  attempted
  expect 6, 0, "STI; UD2: the fault comes first"
  equal [log_count], 0, "… and its handler starts with IF clear"
  sti
  nop
  nop
  call acknowledge
  cli

  # NMI: not held off by IF, and another one waits for IRET.
  log_exceptions 2
  nmi_self
  nop
  nop
  equal [log_count], 1, "an NMI comes with IF clear"
  mov rax, [log + LOG_FLAGS]
  and eax, FLAG_IF
  equal rax, 0, "… which it leaves"

  attempt
    mov dword ptr [logged], NONE
    nmi_self
    nop
    nop
  attempted
  expect 2, 0, "an NMI whose handler does not return by IRET"
  log_exceptions 2
  nmi_self
  nop
  nop
  equal [log_count], 0, "a second NMI waits"
  # An IRET, even one that faults, ends the blocking (3A 6.7.1, 3C 26.3).
  mov rax, rsp
  push DATA
  push rax
  pushf
  push CODE64
  push offset 1f
  iretq
1:
  nop
  equal [log_count], 1, "… until IRET"
  equal "[log + LOG_RIP]", "offset 1b", "… and comes behind it"

  # In the shadow of MOV SS (6.8.3).
  log_exceptions 2
  mov ecx, DATA
  mov esi, APIC_ICR
  mov edx, SELF_NMI
  mov [rsi], edx
  nop
  nop
  equal [log_count], 1, "NMIs come again"
  finish

# End of interrupt, so that the next one can come.
acknowledge:
  mov esi, 0xFEE000B0
  mov dword ptr [rsi], 0
  ret

# A guest in which no two runs are alike: what it reads from outside goes into one hash.
#
# Two timers interrupt a busy loop, the PIT through the 8259A and the APIC's own, with periods that are drawn from
# RDRAND. Each handler stirs into the hash its vector, where and with which flags the loop was interrupted, the time
# stamp counter, and a random number. The guest prints the hash after every 16 interrupts, and switches off after 64.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.ifndef INTERRUPTS
.set INTERRUPTS, 64
.endif
.set REPORT_EVERY, 16

.global main
main:
  call console_open
  call interrupts_install
  handle IRQ_TIMER, on_pit
  handle APIC_TIMER_VECTOR, on_apic
  print "random: clock "
  call print_clock
  print "\n"
  call random
  movzx ecx, al
  add ecx, 100                            # 84 to 298 microseconds
  call pit_start
  call random
  movzx ecx, ax
  add ecx, 50000
  call apic_timer_start
  xor ebx, ebx                            # rounds of the loop
  mov r12d, REPORT_EVERY
  sti

.global busy
busy:
  inc rbx
  lea rcx, [rbx + rbx * 2]
  xor rbp, rcx
  ror rbp, 7
  add r14, rbp
  push r14
  pop r15
  cmp [rip + interrupts], r12d
  jb busy

  cli
  print "random: "
  mov eax, r12d
  call print_decimal
  print " interrupts, hash "
  mov rax, [rip + hash]
  add rax, rbp
  call print_hex
  print "\n"
  cmp r12d, INTERRUPTS
  jae 1f
  add r12d, REPORT_EVERY
  sti
  jmp busy
1:
  print "random: switching off\n"
  mov edi, 0x10
  jmp power_off

on_pit:
  call stir
  jmp pic_eoi

on_apic:
  call stir
  jmp apic_eoi

# Folds the frame at RDI, the time and a random number into the hash, each by a multiplication and a rotation.
.global stir
stir:
  call random
  mov rsi, rax
  rdtsc
  shl rdx, 32
  or rax, rdx
  mov r8, [rip + hash]
  movabs r9, 0x9E3779B97F4A7C15
  .irp value, rsi, rax, "[rdi + FRAME_VECTOR]", "[rdi + FRAME_RIP]", "[rdi + FRAME_RFLAGS]"
  xor r8, \value
  imul r8, r9
  rol r8, 31
  .endr
  mov [rip + hash], r8
  inc dword ptr [rip + interrupts]
  ret

.bss
  .align 8
.global hash, interrupts
hash: .skip 8
interrupts: .skip 4

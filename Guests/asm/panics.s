# Panics again and again: what tests of management run.
#
# A counter in the battery-backed memory, which a reset leaves alone, counts the panics. After each, continued or started
# again, the guest waits two ticks of the timer and panics once more; after the last it switches off.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.ifndef PANICS
.set PANICS, 5                            # up to 255
.endif
.set TICK_HZ, 100
.set TICKS_BETWEEN, 2
.set PANIC_COUNTER, 0x7F                  # last byte of the CMOS memory

.global main
main:
  call console_open
  call interrupts_install
  handle IRQ_TIMER, on_tick
  mov ecx, PIT_HZ / TICK_HZ
  call pit_start

again:
  mov ebx, [rip + ticks]
  add ebx, TICKS_BETWEEN
1:
  sti
  hlt
  cmp ebx, [rip + ticks]
  ja 1b
  mov al, PANIC_COUNTER
  call cmos_read
  cmp al, PANICS
  jae done
  inc al
  movzx r12d, al
  mov ah, al
  mov al, PANIC_COUNTER
  call cmos_write
  print "panic "
  mov eax, r12d
  call print_decimal
  print "\n"
  mov dx, PVPANIC
  mov al, PVPANIC_PANICKED
  out dx, al
  print "continued\n"
  jmp again

done:
  print "no more panics\n"
  mov edi, 0x10
  jmp power_off

.global on_tick
on_tick:
  inc dword ptr [rip + ticks]
  jmp pic_eoi

.bss
  .align 8
.global ticks
ticks: .skip 4

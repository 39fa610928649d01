# A race between an interrupt handler and the program that it interrupts, which only unusual delays bring out.
#
# The timer ticks every millisecond. A program in ring 3 sleeps until the tick, then moves one coin from one purse to
# the other, which takes it some ten microseconds because it works something out in between. The handler of the tick
# audits both purses. Nobody masked interrupts for the transfer: "the tick has just been, the next one is a
# millisecond away". That holds as long as ticks come on time. A tick that was held up for almost a millisecond, or for
# almost a multiple of it, is followed by the next one within the transfer: the audit finds a coin missing, and the
# guest panics through pvpanic.
#
# After RACE_TICKS ticks without that the guest switches off. WINDOW is the length of the transfer in rounds of a loop
# of two instructions: the longer, the likelier the panic.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.ifndef WINDOW
.set WINDOW, 1250
.endif
.ifndef RACE_TICKS
.set RACE_TICKS, 256
.endif
.set TICK_HZ, 1000
.set COINS, 100
.set RFLAGS_IF, 0x200
.set SYSTEM_CALL, 0x80

.global main
main:
  call console_open
  call interrupts_install
  handle IRQ_TIMER, on_tick
  handle SYSTEM_CALL, sleep_until_tick
  mov dword ptr [rip + left_purse], COINS
  print "race: two purses, one coin on its way\n"
  mov ecx, PIT_HZ / TICK_HZ
  call pit_start
  push USER_DATA
  mov eax, offset program_stack_top
  push rax
  push RFLAGS_IF | 2
  push USER_CODE64
  mov eax, offset program
  push rax
  iretq

# The program in ring 3.
.global program
program:
  int SYSTEM_CALL
  dec dword ptr [rip + left_purse]
  mov ecx, WINDOW
1:
  dec ecx
  jnz 1b
  inc dword ptr [rip + right_purse]
  # And back again the next time.
  mov eax, [rip + left_purse]
  xchg eax, [rip + right_purse]
  mov [rip + left_purse], eax
  jmp program

# The system call: returns to the program after the next tick, or ends the guest after the last one.
sleep_until_tick:
  mov ebx, [rip + ticks]
1:
  sti
  hlt
  cli
  cmp ebx, [rip + ticks]
  je 1b
  cmp dword ptr [rip + ticks], RACE_TICKS
  jae 2f
  ret
2:
  print "race: all ticks came on time, switching off\n"
  mov edi, 0x10
  jmp power_off

.global on_tick
on_tick:
  inc dword ptr [rip + ticks]
  mov eax, [rip + left_purse]
  add eax, [rip + right_purse]
  cmp eax, COINS
  jne caught
  jmp pic_eoi

.global caught
caught:
  print "\nPANIC: a coin is missing at tick "
  mov eax, [rip + ticks]
  call print_decimal
  print "\n"
  mov dx, PVPANIC
  in al, dx
  mov al, PVPANIC_PANICKED
  out dx, al
  print "race: continued after the panic, switching off\n"
  mov edi, 0x11
  jmp power_off

.bss
  .align 8
.global left_purse, right_purse, ticks
left_purse: .skip 4
right_purse: .skip 4
ticks: .skip 4
  .align 16
  .skip 4096
program_stack_top:

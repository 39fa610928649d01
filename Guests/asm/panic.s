# The guest of `inquest demo`: a ledger that loses money, notices, and panics.
#
# 256 accounts start with 1000 each. The main loop moves random amounts between them, 500 transfers after each tick of
# the timer, and audits: the total must stay 256000. At a tick that is drawn from the processor's random numbers the
# interrupt handler takes one coin out of an account that is drawn as well. The next audit finds that, and the guest
# panics through pvpanic. When it is continued it draws an incident number, waits half a second, and restarts the
# machine. A counter in the battery-backed memory tells the boots apart: the first two panic, the third finds nothing
# wrong and switches off.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.set ACCOUNTS, 256
.set INITIAL_BALANCE, 1000
.set TRANSFERS_PER_TICK, 500
.set TICK_HZ, 100
.set FIRST_FAULTY_TICK, 20                # the tick that loses a coin is one of this one
.set FAULTY_TICKS, 32                     # and as many that follow
.set TICKS_WITHOUT_FAULT, 30
.set TICKS_BEFORE_RESTART, TICK_HZ / 2
.set BOOT_COUNTER, 0x7F                   # last byte of the CMOS memory
.set PANICKING_BOOTS, 2

.global main
main:
  call console_open
  call interrupts_install
  handle IRQ_TIMER, on_tick

  mov al, BOOT_COUNTER
  call cmos_read
  inc al
  movzx r12d, al
  mov ah, al
  mov al, BOOT_COUNTER
  call cmos_write
  print "ledger: boot "
  mov eax, r12d
  call print_decimal
  print ", clock "
  call print_clock
  print "\n"

  mov edi, offset balances
  mov ecx, ACCOUNTS
  mov eax, INITIAL_BALANCE
  rep stosq
  call random
  mov [rip + stream], rax
  print "ledger: 256 accounts, random stream "
  call print_hex
  print "\n"
  call random
  and eax, FAULTY_TICKS - 1
  add eax, FIRST_FAULTY_TICK
  cmp r12d, PANICKING_BOOTS
  jbe 1f
  mov eax, -1                             # a tick that never comes
1:
  mov [rip + faulty_tick], eax

  mov ecx, PIT_HZ / TICK_HZ
  call pit_start
  sti

business:
  mov r13d, [rip + ticks]
  mov ebx, TRANSFERS_PER_TICK
1:
  call transfer
  dec ebx
  jnz 1b
  call audit
  cmp rax, ACCOUNTS * INITIAL_BALANCE
  jne out_of_balance
  mov eax, r13d
  xor edx, edx
  mov ecx, 10
  div ecx
  test edx, edx
  jnz 2f
  print "ledger: tick "
  mov eax, r13d
  call print_decimal
  print ", "
  mov rax, [rip + transfers]
  call print_decimal
  print " transfers, in balance\n"
2:
  cmp r12d, PANICKING_BOOTS
  jbe 3f
  cmp r13d, TICKS_WITHOUT_FAULT
  jae all_well
3:
  # Interrupts off between the look and the HLT, which STI delays by one instruction: no tick is missed.
  cli
  cmp r13d, [rip + ticks]
  jne 4f
  sti
  hlt
  jmp 3b
4:
  sti
  jmp business

all_well:
  print "ledger: nothing wrong on this boot, switching off\n"
  mov edi, 0x10
  jmp power_off

# Moves a random amount, at most what is there, between two random accounts.
.global transfer
transfer:
  # Marsaglia's xorshift64 with shifts 13, 7, 17.
  mov rax, [rip + stream]
  mov rdx, rax
  shl rdx, 13
  xor rax, rdx
  mov rdx, rax
  shr rdx, 7
  xor rax, rdx
  mov rdx, rax
  shl rdx, 17
  xor rax, rdx
  mov [rip + stream], rax
  mov esi, offset balances
  movzx ecx, al                           # from
  movzx edx, ah                           # to
  shr rax, 56                             # how much
  # The handler must not come between the look at the balance and the two changes.
  cli
  cmp rax, [rsi + rcx * 8]
  cmova rax, [rsi + rcx * 8]
  sub [rsi + rcx * 8], rax
  add [rsi + rdx * 8], rax
  sti
  inc qword ptr [rip + transfers]
  ret

# Gives the sum of all balances in RAX.
.global audit
audit:
  mov esi, offset balances
  mov ecx, ACCOUNTS
  xor eax, eax
1:
  add rax, [rsi + rcx * 8 - 8]
  loop 1b
  ret

.global on_tick
on_tick:
  inc dword ptr [rip + ticks]
  mov eax, [rip + ticks]
  cmp eax, [rip + faulty_tick]
  jne 3f
  call random
  mov esi, offset balances
1:
  movzx ecx, al
  cmp qword ptr [rsi + rcx * 8], 0
  jne 2f
  inc eax                                 # an empty account has no coin to lose
  jmp 1b
2:
  dec qword ptr [rsi + rcx * 8]
  mov [rip + culprit], ecx
3:
  jmp pic_eoi

# RAX: the sum that the audit found.
.global out_of_balance
out_of_balance:
  cli
  mov rbx, rax
  print "\nPANIC: ledger out of balance: total "
  call print_decimal
  print ", expected 256000\n  tick "
  mov eax, [rip + ticks]
  call print_decimal
  print ", after "
  mov rax, [rip + transfers]
  call print_decimal
  print " transfers\n"
  mov dx, PVPANIC
  in al, dx
  test al, PVPANIC_PANICKED
  jz 1f
  cmp al, 0xFF                            # nobody answers at this port
  je 1f
  mov al, PVPANIC_PANICKED
.global pvpanic_out
pvpanic_out:
  out dx, al
.global after_pvpanic
after_pvpanic:
  print "ledger: continued after the panic\n"
  jmp 2f
1:
  print "ledger: no pvpanic device here\n"
2:
  print "ledger: incident "
  call random
  call print_hex
  print ", restarting in half a second\n"
  mov ebx, [rip + ticks]
  add ebx, TICKS_BEFORE_RESTART
3:
  sti
  hlt
  cmp ebx, [rip + ticks]
  ja 3b
  jmp reset

.bss
  .align 8
.global balances, stream, transfers, ticks, faulty_tick, culprit
balances: .skip ACCOUNTS * 8
stream: .skip 8
transfers: .skip 8
ticks: .skip 4
faulty_tick: .skip 4
culprit: .skip 4

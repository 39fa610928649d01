# Writes to the pvpanic port what drivers may write to it, one after the other, and says what it is about to do.
#
# In order: crash-loaded, an unknown bit, panicked, shutdown. Then it switches off. What happens at
# each is up to the machine: with `-action panic=none` the guest gets to the end.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.global main
main:
  call console_open
  call interrupts_install
  print "events: the device supports "
  mov dx, PVPANIC
  in al, dx
  call print_hex_byte
  print "\n"
  .irp event, PVPANIC_CRASH_LOADED, 0x80, PVPANIC_PANICKED, PVPANIC_SHUTDOWN
  print "events: writing "
  mov al, \event
  call print_hex_byte
  print "\n"
  mov dx, PVPANIC
  out dx, al
  .endr
  print "events: switching off\n"
  mov edi, 0x10
  jmp power_off

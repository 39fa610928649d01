# The smallest guest: a greeting on the console, then off.
#
# isa-debug-exit gets 0x10, so that a QEMU with that device ends with status 0x21.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.global main
main:
  call console_open
  print "hello, loaded by "
  cmp dword ptr [rip + loader_magic], MULTIBOOT_LOADER_MAGIC
  jne 1f
  print "multiboot\n"
  jmp 2f
1:
  print "PVH\n"
2:
  mov edi, 0x10
  jmp power_off

# A fault while #DF is delivered shuts the processor down (SDM 3A 6.15, interrupt 8).
.include "system.inc"

.global main
main:
  call console_open
  call install_exceptions
  attempt
    int3
  attempted
  expect 3, 0, "the handlers work"
  mov word ptr [idt_register], 0
  lidt [idt_register]
  ud2
  print "FAILED: still alive\n"
  finish

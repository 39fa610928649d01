# Echoes what comes in on COM1, by interrupt, and sleeps in between.
#
# A carriage return is answered by carriage return, line feed and the number of bytes so far; control-D switches off.

.include "boot.inc"
.include "console.inc"
.include "interrupts.inc"
.include "board.inc"

.set IER_RECEIVED_DATA, 1
.set CONTROL_D, 4

.global main
main:
  call console_open
  call interrupts_install
  handle IRQ_COM1, on_serial
  mov dx, UART_IER
  mov al, IER_RECEIVED_DATA
  out dx, al
  mov cl, IRQ_COM1 - IRQ_BASE
  call irq_enable
  print "echo: ready\n"
1:
  sti
  hlt
  jmp 1b

on_serial:
  # All that the FIFO holds: the line stays high until it is empty, and the 8259A waits for an edge.
1:
  mov dx, UART_LSR
  in al, dx
  test al, LSR_DATA_READY
  jz 3f
  mov dx, COM1
  in al, dx
  inc dword ptr [rip + received]
  cmp al, CONTROL_D
  je 4f
  cmp al, '\r'
  je 2f
  call print_byte
  jmp 1b
2:
  print "\necho: "
  mov eax, [rip + received]
  call print_decimal
  print " bytes\n"
  jmp 1b
3:
  jmp pic_eoi
4:
  print "\necho: off after "
  mov eax, [rip + received]
  call print_decimal
  print " bytes\n"
  mov edi, 0x10
  jmp power_off

.bss
  .align 4
received: .skip 4

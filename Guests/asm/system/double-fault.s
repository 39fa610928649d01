# What happens when the delivery of an exception faults (SDM 3A 6.15, table 6-5), and the EXT bit (6.13).
.include "system.inc"

.macro gate_absent vector
  and byte ptr [idt + \vector * 16 + 5], 0x7F
.endm
.macro gate_present vector
  or byte ptr [idt + \vector * 16 + 5], 0x80
.endm

.global main
main:
  call console_open
  call install_exceptions
  mov edi, offset task_state
  mov eax, offset interrupt_stack_top
  mov [rdi + 36], rax                     # IST1

  # Benign, then contributory: the second one is delivered, EXT set because the first was no instruction's wish.
  gate_absent 6
  attempt
    ud2
  attempted
  expect 11, 6*8+3, "#UD without a gate: #NP(IDT, EXT)"
  gate_present 6
  # Contributory, then contributory.
  gate_absent 13
  attempt
    mov ax, 0xF8
    mov ds, ax
  attempted
  expect 8, 0, "#GP without a gate: #DF"
  gate_present 13
  gate_absent 0
  attempt
    xor ecx, ecx
    div ecx
  attempted
  expect 8, 0, "#DE without a gate: #DF"
  gate_present 0
  # Page fault, then contributory.
  gate_absent 14
  mov rbx, 0x0000700000000000
  attempt
    mov al, [rbx]
  attempted
  expect 8, 0, "#PF without a gate: #DF"
  gate_present 14
  # Page fault, then page fault: a stack that is not there.
  mov byte ptr [idt + 8 * 16 + 4], 1
  attempt
    lea rsp, [rbx + 0x1000]
    mov al, [rbx + 0x5000]
  attempted
  expect 8, 0, "#PF on a stack that is not there: #DF"
  # Contributory, then page fault: in turn. The handler of the page fault has its own stack.
  mov byte ptr [idt + 14 * 16 + 4], 1
  attempt
    lea rsp, [rbx + 0x1000]
    mov ax, 0xF8
    mov ds, ax
  attempted
  expect 14, 2, "#GP on a stack that is not there: #PF"
  lea rax, [rbx + 0x1000 - 8]
  equal [seen_cr2], rax, "… whose CR2 is the push"
  mov byte ptr [idt + 14 * 16 + 4], 0
  mov byte ptr [idt + 8 * 16 + 4], 0

  # Software interrupts are benign, and their faults tell no EXT.
  gate_absent 0x90
  attempt
1:
    int 0x90
  attempted
  expect 11, 0x90*8+2, "INT n without a gate: #NP(IDT)"
  equal [seen_rip], "offset 1b", "… at INT n"
  gate_present 0x90
  gate_absent 3
  attempt
    int3
  attempted
  expect 11, 3*8+2, "INT3 without a gate: #NP(IDT)"
  gate_present 3
  gate_absent 1
  attempt
1:
    .byte 0xF1
  attempted
  expect 11, 1*8+3, "INT1 without a gate: #NP(IDT, EXT)"
  gate_present 1
  # The gate's privilege counts for INT n and INT3, not for INT1.
  attempt
    enter_user
    int 0x20
  attempted
  expect 13, 0x20*8+2, "INT n in ring 3 through a gate of ring 0"
  attempt
    enter_user
    .byte 0xF1
  attempted
  expect 1, 0, "INT1 in ring 3 through a gate of ring 0"
  # Beyond the table.
  mov word ptr [idt_register], 0x20 * 16 - 1
  lidt [idt_register]
  attempt
    int 0x20
  attempted
  expect 13, 0x20*8+2, "INT n beyond the IDT"
  mov word ptr [idt_register], 256 * 16 - 1
  lidt [idt_register]
  # Gates that lead nowhere good.
  mov word ptr [idt + 0x90 * 16 + 2], 0
  attempt
    int 0x90
  attempted
  expect 13, 0, "a gate with a null selector"
  mov word ptr [idt + 0x90 * 16 + 2], DATA
  attempt
    int 0x90
  attempted
  expect 13, DATA, "a gate to a data segment"
  mov word ptr [idt + 0x90 * 16 + 2], 0xF8
  attempt
    int 0x90
  attempted
  expect 13, 0xF8, "a gate beyond the GDT"
  mov word ptr [idt + 0x90 * 16 + 2], CODE64
  mov byte ptr [idt + 0x90 * 16 + 5], 0xEC
  attempt
    int 0x90
  attempted
  expect 13, 0x90*8+2, "a call gate in the IDT"
  mov byte ptr [idt + 0x90 * 16 + 5], 0xE5
  attempt
    int 0x90
  attempted
  expect 13, 0x90*8+2, "a task gate in long mode"
  mov byte ptr [idt + 0x90 * 16 + 5], 0xEE
  mov dword ptr [idt + 0x90 * 16 + 8], 0x12345678
  attempt
    int 0x90
  attempted
  expect 13, 0, "a gate to an address that is not canonical"
  mov dword ptr [idt + 0x90 * 16 + 8], 0
  finish

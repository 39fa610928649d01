# Segment limits and types in 32-bit protected mode (SDM 3A 5.3, 5.5, 5.6), loads of segment registers, call gates.
.include "protected.inc"

.set BYTES, FREE                          # writable data, limit FFF
.set DOWN, FREE + 8                       # expand-down data, limit FFF, 32-bit
.set DOWN16, FREE + 16                    # likewise, upper bound FFFF
.set READ_ONLY, FREE + 24
.set EXECUTE_ONLY, FREE + 32
.set ABSENT, FREE + 40
.set CONFORMING, FREE + 48
.set SHORT_STACK, FREE + 56
.set GATE32, FREE + 64                    # call gates for ring 3
.set GATE16, FREE + 72
.set GATE_CONFORMING, FREE + 80
.set GATE_ABSENT, FREE + 88
.set CODE16, FREE + 96
.set USER_GATE32, GATE32 + 3
.set USER_GATE_CONFORMING, GATE_CONFORMING + 3
.set USER_GATE_ABSENT, GATE_ABSENT + 3

.macro try vector, error, text:vararg
  attempted
  expect \vector, \error, \text
.endm

.global main
main:
  descriptor BYTES, area, 0xFFF, 0x93, 0x4
  descriptor DOWN, area, 0xFFF, 0x97, 0x4
  descriptor DOWN16, area, 0xFFF, 0x97, 0x0
  descriptor READ_ONLY, area, 0xFFFFF, 0x91, 0xC
  descriptor EXECUTE_ONLY, 0, 0xFFFFF, 0x99, 0xC
  descriptor ABSENT, 0, 0xFFFFF, 0x13, 0xC
  descriptor CONFORMING, 0, 0xFFFFF, 0x9F, 0xC
  descriptor SHORT_STACK, area, 0xFFF, 0x93, 0x4
  descriptor CODE16, 0, 0xFFFFF, 0x9B, 0x0

  mov eax, BYTES
  mov fs, eax
  attempt
    mov al, fs:[0xFFF]
    mov ax, fs:[0xFFE]
    mov eax, fs:[0xFFC]
  try NONE, 0, "up to the limit"
  attempt
    mov al, fs:[0x1000]
  try 13, 0, "a byte beyond the limit"
  attempt
    mov ax, fs:[0xFFF]
  try 13, 0, "a word that reaches beyond it"
  attempt
    mov fs:[0xFFD], eax
  try 13, 0, "a doubleword likewise, written"
  attempt
    mov eax, fs:[0xFFFFFFFE]
  try 13, 0, "an access that wraps around"
  attempt
    fld qword ptr fs:[0xFF9]
  try 13, 0, "eight bytes"
  attempt
    mov esi, 0xFFE
    mov edi, offset area
    mov ecx, 4
    rep movsb es:[edi], fs:[esi]
  try 13, 0, "REP MOVSB runs into the limit"
  equal ecx, 2, "… after two iterations"
  mov eax, DOWN
  mov fs, eax
  attempt
    mov al, fs:[0x1000]
    mov al, fs:[0xFFFFFFFF]
  try NONE, 0, "expand-down: above the limit"
  attempt
    mov al, fs:[0xFFF]
  try 13, 0, "expand-down: at the limit"
  mov eax, DOWN16
  mov fs, eax
  attempt
    mov al, fs:[0xFFFF]
  try NONE, 0, "expand-down, 16-bit: up to FFFF"
  attempt
    mov al, fs:[0x10000]
  try 13, 0, "… and no further"
  mov eax, READ_ONLY
  mov fs, eax
  attempt
    mov al, fs:[0]
  try NONE, 0, "read-only data, read"
  attempt
    mov fs:[0], al
  try 13, 0, "read-only data, written"
  attempt
    add byte ptr fs:[0], 0
  try 13, 0, "… or modified"
  attempt
    mov byte ptr cs:[area], al
  try 13, 0, "code is not written"
  mov eax, CODE
  mov fs, eax
  attempt
    mov al, fs:[area]
  try NONE, 0, "readable code is read"
  xor eax, eax
  mov fs, eax
  attempt
    mov al, fs:[0]
  try 13, 0, "a null selector"
  # Loads.
  attempt
    mov eax, EXECUTE_ONLY
    mov fs, eax
  try 13, EXECUTE_ONLY, "execute-only code is no data"
  attempt
    mov eax, ABSENT
    mov fs, eax
  try 11, ABSENT, "data that is not present"
  attempt
    mov eax, ABSENT
    mov ss, eax
  try 12, ABSENT, "a stack that is not present"
  attempt
    mov eax, READ_ONLY
    mov ss, eax
  try 13, READ_ONLY, "a stack that is read-only"
  attempt
    xor eax, eax
    mov ss, eax
  try 13, 0, "a null stack"
  attempt
    mov eax, USER_DATA
    mov ss, eax
  try 13, USER_DATA-3, "a stack of another ring"
  attempt
    mov eax, TASK
    mov fs, eax
  try 13, TASK, "a TSS is no data"
  attempt
    mov eax, 0x104
    mov fs, eax
  try 13, 0x104, "a local selector without LDT"
  attempt
    mov eax, 0x100
    mov fs, eax
  try 13, 0x100, "beyond the GDT"
  attempt
    enter_user
    mov eax, DATA
    mov fs, eax
  try 13, DATA, "ring 3 loads ring 0's data"
  and byte ptr [gdt + BYTES + 5], ~1
  mov eax, BYTES
  mov fs, eax
  movzx ebx, byte ptr [gdt + BYTES + 5]
  equal ebx, 0x93, "a load sets the accessed bit"

  # The stack: #SS.
  mov ebp, esp
  attempt
    mov eax, SHORT_STACK
    mov ss, eax
    mov esp, 0x1000
    push eax
    pop eax
    mov esp, 0xFFF
    pop eax
    nop
  attempted
  mov eax, DATA
  mov ss, eax
  mov esp, ebp
  # Its delivery needs the same stack, which has room below.
  expect 12, 0, "POP across the limit"
  attempt
    mov eax, SHORT_STACK
    mov ss, eax
    mov esp, 0x800
    mov ebp, 0x1000
    mov eax, [ebp]
  attempted
  expect 12, 0, "EBP beyond the stack's limit"
  attempt
    mov eax, SHORT_STACK
    mov ss, eax
    mov esp, 0x800
    mov ebp, 0x1000
    mov eax, ds:[ebp + area]
    nop
  attempted
  expect NONE, 0, "… not with a DS override"
  mov eax, DATA
  mov ss, eax
  mov esp, offset stack_top - 128

  # Far transfers.
  attempt
    jmp DATA:0
  try 13, DATA, "far JMP to data"
  attempt
    jmp USER_CODE:0
  try 13, USER_CODE-3, "far JMP to ring 3"
  attempt
    jmp 0:0
  try 13, 0, "far JMP to a null selector"
  attempt
    call CONFORMING:1f
1:
    nop
  try NONE, 0, "CALL of conforming code"

  # Call gates.
  gate "gdt+GATE32", CODE, "offset gate_target", 0xEC, 3
  gate "gdt+GATE16", CODE16, 0, 0xE4, 2
  gate "gdt+GATE_CONFORMING", CONFORMING, "offset conforming_target", 0xEC, 2
  gate "gdt+GATE_ABSENT", CODE, "offset gate_target", 0x6C
  attempt
    enter_user
    push 0x11111111
    push 0x22222222
    push 0x33333333
    mov ebx, esp
    call USER_GATE32:0xF4F4F4F4
1:
    int RETURN_VECTOR
  try RETURN_VECTOR, 0, "call gate from ring 3, and back"
  equal [note], "offset 1b", "… the return address"
  equal [note + 4], USER_CODE, "… CS"
  equal [note + 8], 0x33333333, "… the last parameter"
  equal [note + 16], 0x11111111, "… the first"
  equal [note + 20], ebx, "… ESP"
  equal [note + 24], USER_DATA, "… SS"
  equal [note + 28], CODE, "… in ring 0"
  equal [note + 32], "offset interrupt_stack_top - 28", "… on the stack of the TSS"
  add ebx, 12
  equal [seen_esp], ebx, "RETF 12 releases the parameters on both stacks"
  attempt
    enter_user
    call USER_GATE_CONFORMING:0
    int RETURN_VECTOR
  try RETURN_VECTOR, 0, "gate to conforming code"
  equal [note], CONFORMING+3, "… stays in ring 3"
  attempt
    enter_user
    call USER_GATE_ABSENT:0
  try 11, GATE_ABSENT, "a gate that is not present"
  mov byte ptr [gdt + GATE32 + 5], 0x8C
  attempt
    enter_user
    call USER_GATE32:0
  try 13, GATE32, "a gate of ring 0"
  mov byte ptr [gdt + GATE32 + 5], 0xEC
  attempt
    enter_user
    jmp USER_GATE32:0
  try 13, CODE, "JMP does not go inward"
  mov word ptr [gdt + GATE32 + 2], DATA
  attempt
    call GATE32:0
  try 13, DATA, "a gate to data"
  mov word ptr [gdt + GATE32 + 2], 0
  attempt
    call GATE32:0
  try 13, 0, "a gate to nothing"
  mov word ptr [gdt + GATE32 + 2], CODE
  # IRET and RETF outward take data segments that ring 3 may not have (2B RET).
  attempt
    mov eax, DATA
    mov fs, eax
    mov eax, USER_DATA
    mov gs, eax
    enter_user
    mov edx, fs
    mov ebx, gs
    int RETURN_VECTOR
  try RETURN_VECTOR, 0, "to ring 3"
  movzx edx, dx
  equal edx, 0, "… ring 0's data is taken away"
  movzx ebx, bx
  equal ebx, USER_DATA, "… ring 3's stays"
  finish

gate_target:
  mov [note + 32], esp
  pop dword ptr [note]
  pop dword ptr [note + 4]
  pop dword ptr [note + 8]
  pop dword ptr [note + 12]
  pop dword ptr [note + 16]
  pop dword ptr [note + 20]
  pop dword ptr [note + 24]
  sub esp, 28
  mov eax, cs
  movzx eax, ax
  mov [note + 28], eax
  retf 12

conforming_target:
  mov ax, cs
  movzx eax, ax
  mov [note], eax
  retf

.bss
  .align 4096
area: .skip 8192
note: .skip 64
.text

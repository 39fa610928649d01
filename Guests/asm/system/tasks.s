# Hardware task switches (SDM 3A chapter 8): JMP, CALL, IRET, task gates; busy and NT flags; what faults, where; the T flag.
.include "protected.inc"

.set OTHER, FREE                          # the other task's TSS
.set GATE, FREE + 8                       # a task gate to it
.set LDT, FREE + 16
.set NOT_PRESENT, FREE + 24               # a code segment that is not there
.set SHORT_TSS, FREE + 32                     # a TSS that is too short
.set TSS16, FREE + 40
.set CATCHER, FREE + 64

# Is the TSS of `selector` busy?
.macro busy selector, wanted, text:vararg
  movzx ebx, byte ptr [gdt + \selector + 5]
  and ebx, 0x9F
  equal ebx, \wanted, \text
.endm

# The other task, ready to start at `target`.
prepare:
  mov edi, offset other_task
  mov ecx, TSS_SIZE
  xor eax, eax
  rep stosb
  mov [other_task + TSS_EIP], edx
  mov dword ptr [other_task + TSS_EFLAGS], 2
  mov dword ptr [other_task + TSS_ESP], offset other_stack_top
  mov dword ptr [other_task + TSS_ESP0], offset other_stack_top
  mov dword ptr [other_task + TSS_SS0], DATA
  mov dword ptr [other_task + TSS_CS], CODE
  mov dword ptr [other_task + TSS_SS], DATA
  mov dword ptr [other_task + TSS_DS], DATA
  mov dword ptr [other_task + TSS_ES], DATA
  mov dword ptr [other_task + TSS_EAX], 0x12345678
  mov word ptr [other_task + TSS_MAP], TSS_SIZE
  descriptor OTHER, other_task, TSS_SIZE-1, 0x89
  descriptor TASK, main_task, TSS_SIZE-1, 0x8B
  ret

.macro prepared target
  mov edx, offset \target
  call prepare
.endm

# Back in the main task after a fault in the other one: as if LTR had loaded it.
.macro back_in_main
  descriptor TASK, main_task, TSS_SIZE-1, 0x89
  mov eax, TASK
  ltr ax
  pushf
  and dword ptr [esp], ~FLAG_NT
  popf
.endm

.global main
main:
  gate "gdt + GATE", OTHER, 0, 0x85
  descriptor LDT, local_table, 15, 0x82
  descriptor NOT_PRESENT, 0, 0xFFFFF, 0x1B, 0xC
  descriptor SHORT_TSS, other_task, TSS_SIZE-2, 0x89

  # CALL, IRET.
  prepared called_task
  clts
  call OTHER:0xF4F4F4F4
1:
  equal [note], 0x12345678, "CALL: EAX from the TSS"
  equal [note + 4], TASK, "CALL: the link to the old task"
  mov eax, [note + 8]
  and eax, FLAG_NT
  equal eax, FLAG_NT, "CALL: NT is set in the new task"
  equal [note + 12], OTHER, "CALL: TR"
  equal [note + 16], 0x8B, "CALL: the old task stays busy"
  equal [note + 20], 0x8B, "CALL: the new task is busy"
  equal [main_task + TSS_EIP], "offset 1b", "CALL: EIP in the old TSS is behind it"
  busy OTHER, 0x89, "IRET: the task is not busy any more"
  busy TASK, 0x8B, "IRET: this one still is"
  mov eax, cr0
  and eax, 8
  equal eax, 8, "CR0.TS is set"
  equal [other_task + TSS_EIP], "offset called_again", "IRET: the task goes on behind it"
  mov eax, [other_task + TSS_EFLAGS]
  and eax, FLAG_NT
  equal eax, 0, "IRET: NT is clear in its image"
  call OTHER:0
  equal [note], 0x77, "CALL again: it goes on"

  # JMP: no link, the old task is not busy.
  prepared jumped_task
  jmp OTHER:0
  equal [note], 0x8B, "JMP: the new task is busy"
  equal [note + 4], 0x89, "JMP: the old one is not"
  mov eax, [note + 8]
  and eax, FLAG_NT
  equal eax, 0, "JMP: NT is not set"
  busy OTHER, 0x89, "JMP back: likewise"
  busy TASK, 0x8B, "JMP back: likewise"

  # Through a task gate in the GDT and in the IDT.
  prepared called_task
  call GATE:0
  equal [note], 0x12345678, "CALL of a task gate"
  prepared called_task
  gate "idt+0x90*8", OTHER, 0, 0xE5
  int 0x90
  equal [note + 4], TASK, "INT through a task gate: link"
  # An exception with an error code: it lies on the new task's stack.
  prepared fault_task
  gate "idt+13*8", OTHER, 0, 0x85
  mov eax, 0xF8
1:
  mov ds, eax
  equal [note], 0xF8, "#GP through a task gate: the error code"
  equal [note + 4], "offset other_stack_top - 4", "… on the new stack"
  equal [main_task + TSS_EAX], DATA, "… the handler mended EAX in the TSS"
  gate "idt+13*8", CODE, "offset exception_stubs + 13 * 16", 0x8E

  # Descriptors.
  prepared called_task
  mov byte ptr [gdt + OTHER + 5], 0x8B
  attempt
    call OTHER:0
  attempted
  expect 13, OTHER, "CALL of a busy task"
  attempt
    int 0x90
  attempted
  expect 13, OTHER, "a task gate to a busy task, INT n: no EXT"
  mov byte ptr [gdt + OTHER + 5], 0x09
  attempt
    jmp OTHER:0
  attempted
  expect 11, OTHER, "a TSS that is not present"
  attempt
    jmp SHORT_TSS:0
  attempted
  expect 10, SHORT_TSS, "a TSS that is too short"
  equal [seen_task], TASK, "… in the old task"
  attempt
    jmp TASK:0
  attempted
  expect 13, TASK, "JMP to the task itself"
  attempt
    pushf
    or dword ptr [esp], FLAG_NT
    popf
    mov word ptr [main_task + TSS_LINK], OTHER
    iretd
  attempted
  expect 10, OTHER, "IRET with NT to a task that is not busy"
  pushf
  and dword ptr [esp], ~FLAG_NT
  popf

  # The new task's segments: faults come in the new task. Their handlers are tasks, too, since nothing can be pushed onto a
  # stack that is not loaded yet (6.15, interrupt 10).
  .macro bad field, value, vector, error, text:vararg
  prepared called_task
  mov dword ptr [other_task + \field], \value
  mov edi, offset catcher_task
  mov ecx, TSS_SIZE
  xor eax, eax
  rep stosb
  mov dword ptr [catcher_task + TSS_EIP], offset catcher
  mov dword ptr [catcher_task + TSS_EFLAGS], 2
  mov dword ptr [catcher_task + TSS_ESP], offset catcher_stack_top
  mov dword ptr [catcher_task + TSS_CS], CODE
  mov dword ptr [catcher_task + TSS_SS], DATA
  mov dword ptr [catcher_task + TSS_DS], DATA
  descriptor CATCHER, catcher_task, TSS_SIZE-1, 0x89
  gate "idt+\vector*8", CATCHER, 0, 0x85
  mov dword ptr [note], NONE
  jmp OTHER:0
  equal [note], \error, \text
  equal [note + 4], OTHER, "… in the new task"
  equal [other_task + TSS_EIP], "offset called_task", "… at its first instruction"
  gate "idt+\vector*8", CODE, "offset exception_stubs+\vector*16", 0x8E
  .endm
  bad TSS_CS, 0, 10, 0, "a null CS"
  bad TSS_CS, 0xF8+0x100, 10, 0x1F8, "a CS beyond the GDT"
  bad TSS_CS, DATA, 10, DATA, "a CS that is data"
  bad TSS_CS, NOT_PRESENT, 11, NOT_PRESENT, "a CS that is not present"
  bad TSS_SS, 0, 10, 0, "a null SS"
  bad TSS_SS, USER_DATA, 10, USER_DATA-3, "an SS of another ring"
  bad TSS_SS, CODE, 10, CODE, "an SS that is code"
  bad TSS_DS, TASK, 10, TASK, "a DS that is a TSS"
  bad TSS_ES, NOT_PRESENT, 11, NOT_PRESENT, "an ES that is not present"
  bad TSS_LDT, DATA, 10, DATA, "an LDT that is none"

  # A local table, and a segment in it.
  prepared local_task
  mov dword ptr [other_task + TSS_LDT], LDT
  mov dword ptr [other_task + TSS_FS], 0x0C
  call OTHER:0
  equal [note], LDT, "LDTR is loaded"
  equal [note + 4], 0x0C, "… before FS, which lies in it"

  # The T flag: a debug exception before the first instruction (18.3.1.5).
  prepared called_task
  mov word ptr [other_task + TSS_T], 1
  xor eax, eax
  mov dr6, eax
  attempt
    jmp OTHER:0
  attempted
  expect 1, 0, "the T flag"
  equal [seen_eip], "offset called_task", "… at the first instruction"
  mov ebx, dr6
  equal ebx, 0xFFFF8FF0, "… DR6.BT"
  back_in_main

  # DR7's local enables go with the task, global ones stay.
  mov eax, 0x7FF
  mov dr7, eax
  prepared called_task
  call OTHER:0
  mov ebx, dr7
  equal ebx, 0x6AA, "L0–L3 and LE are cleared"
  mov eax, 0x400
  mov dr7, eax

  # A 16-bit TSS.
  mov word ptr [short_task + 14], offset task16 - 0x100000
  mov word ptr [short_task + 16], 2
  mov word ptr [short_task + 26], offset other_stack_top - 0x100000
  mov word ptr [short_task + 34], DATA
  mov word ptr [short_task + 36], FREE + 48
  mov word ptr [short_task + 38], FREE + 56
  mov word ptr [short_task + 40], DATA
  descriptor FREE+48, 0x100000, 0xFFFFF, 0x9B, 0x4
  descriptor FREE+56, 0x100000, 0xFFFFF, 0x93, 0x4
  descriptor TSS16, short_task, 43, 0x81
  call TSS16:0
  equal [note], TSS16, "a 16-bit TSS"
  equal [short_task], TASK, "… links back"
  finish

# The task of the handlers of #TS and #NP.
catcher:
  pop dword ptr [note]
  movzx eax, word ptr [catcher_task + TSS_LINK]
  mov [note + 4], eax
  jmp TASK:0

called_task:
  mov [note], eax
  movzx eax, word ptr [other_task + TSS_LINK]
  mov [note + 4], eax
  pushf
  pop dword ptr [note + 8]
  str ax
  movzx eax, ax
  mov [note + 12], eax
  movzx eax, byte ptr [gdt + TASK + 5]
  mov [note + 16], eax
  movzx eax, byte ptr [gdt + OTHER + 5]
  mov [note + 20], eax
  iretd
called_again:
  mov dword ptr [note], 0x77
  iretd

jumped_task:
  movzx eax, byte ptr [gdt + OTHER + 5]
  mov [note], eax
  movzx eax, byte ptr [gdt + TASK + 5]
  mov [note + 4], eax
  pushf
  pop dword ptr [note + 8]
  jmp TASK:0

fault_task:
  mov [note + 4], esp
  pop dword ptr [note]
  mov dword ptr [main_task + TSS_EAX], DATA
  iretd

local_task:
  xor eax, eax
  sldt ax
  mov [note], eax
  mov ax, fs
  mov [note + 4], eax
  iretd

task16:
  str ax
  movzx eax, ax
  mov ds, [data_selector]
  mov [note], eax
  iretd

.data
  .align 8
local_table:
  .quad 0
  .quad 0x00CF93000000FFFF
.bss
  .align 16
other_task: .skip TSS_SIZE
short_task: .skip 44
catcher_task: .skip TSS_SIZE
note: .skip 32
  .skip 512
catcher_stack_top:
  .skip 1024
other_stack_top:
.text

# Virtual-8086 mode (SDM 3A chapter 21), with and without the extensions of CR4.VME.
.include "protected.inc"

.set CODE86, 0x4000                       # where the 8086 code lies: segment 400
.set STACK86, 0x5000
.set IOPL3, 0x3000

# body86 label_from, label_to: copies 8086 code to its place.
.macro body86 from, to
  mov esi, offset \from
  mov edi, CODE86
  mov ecx, offset \to
  sub ecx, esi
  rep movsb
.endm
# Into virtual-8086 mode with these flags, at the start of the code.
.macro enter86 flags
  push 0x66                               # GS
  push 0x55                               # FS
  push 0x44                               # DS
  push 0x33                               # ES
  push 0x500                              # SS
  push 0x800                              # ESP
  push FLAG_VM | 2 | \flags
  push 0x400
  push 0
  iretd
.endm
# text, flags, vector, error, code…
.macro try86 text, flags, vector, error, code
  body86 1f, 2f
  attempt
    enter86 \flags
  .code16
1:
    \code
    ud2
2:
  .code32
  attempted
  expect \vector, \error, "\text"
.endm
.macro vme on
  mov eax, cr4
  .if \on
    or eax, 1
  .else
    and eax, ~1
  .endif
  mov cr4, eax
.endm

.global main
main:
  # The 8086 interrupt table: INT 0x40 leads to 400:100, which returns.
  mov dword ptr [0x40 * 4], 0x04000100
  mov byte ptr [CODE86 + 0x100], 0xCF     # iret
  # The redirection map lies below the I/O map (21.3): 40 goes to the 8086 handler, 41 to the monitor.
  mov word ptr [main_task + TSS_MAP], TSS_SIZE + 32
  mov byte ptr [redirection + 0x41 / 8], 1 << (0x41 % 8)
  mov byte ptr [io_map + 8192], 0xFF
  descriptor TASK, main_task, TSS_SIZE+32+8192, 0x89
  mov eax, TASK
  ltr ax

  try86 "into virtual-8086 mode, #UD", 0, 6, 0, ""
  equal [seen_eip], 0, "… IP"
  equal [seen_cs], 0x400, "… CS"
  equal [seen_esp], 0x800, "… SP"
  equal [seen_ss], 0x500, "… SS"
  equal [seen_es], 0x33, "… ES behind them"
  equal [seen_ds], 0x44, "… DS"
  mov eax, [seen_flags]
  and eax, FLAG_VM
  equal eax, FLAG_VM, "… VM in the image"

  # IOPL below 3 without VME: #GP.
  vme 0
  try86 "CLI", 0, 13, 0, "cli"
  try86 "STI", 0, 13, 0, "sti"
  try86 "PUSHF", 0, 13, 0, "pushf"
  try86 "POPF", 0, 13, 0, "popf"
  try86 "INT n", 0, 13, 0, "int 0x40"
  try86 "IRET", 0, 13, 0, "iret"
  try86 "HLT", 0, 13, 0, "hlt"
  try86 "MOV CR0", 0, 13, 0, "mov eax, cr0"
  try86 "LGDT", 0, 13, 0, "lgdt [0]"
  try86 "INT3 goes through the IDT whatever IOPL is", 0, 13, 3*8+2, "int3"
  mov byte ptr [idt + 3 * 8 + 5], 0xEE
  try86 "… with its gate open", 0, 3, 0, "int3"
  try86 "SLDT is undefined", 0, 6, 0, "sldt ax"
  try86 "LAR is undefined", 0, 6, 0, "lar ax, bx"
  try86 "ARPL is undefined", 0, 6, 0, "arpl ax, bx"
  # Ports: the I/O map alone counts (19.5.2 of volume 1).
  try86 "OUT to a port that the map allows", 0, 6, 0, "out 0x80, al"
  mov byte ptr [io_map + 0x80 / 8], 1
  try86 "… and forbids", IOPL3, 13, 0, "out 0x80, al"
  mov byte ptr [io_map + 0x80 / 8], 0

  # IOPL 3: as on an 8086, but that INT n goes through the IDT.
  try86 "IOPL 3: CLI", IOPL3, 6, 0, "cli"
  try86 "IOPL 3: POPF", IOPL3, 6, 0, "push 0x7202; popf"
  mov eax, [seen_flags]
  and eax, 0x7200
  equal eax, 0x7200, "… changes IF and NT, IOPL stays"
  try86 "IOPL 3: INT n goes through the IDT", IOPL3, 0x90, 0, "int 0x90"
  mov byte ptr [idt + 0x90 * 8 + 5], 0x8E
  try86 "… whose gate's DPL counts", IOPL3, 13, 0x90*8+2, "int 0x90"
  mov byte ptr [idt + 0x90 * 8 + 5], 0xEE
  try86 "a limit: FFFF", IOPL3, 13, 0, "mov bx, 0xFFFF; mov ax, [bx]"
  try86 "… on the stack", IOPL3, 12, 0, "mov bp, 0xFFFF; mov ax, [bp]"

  # With VME.
  vme 1
  try86 "VME: CLI clears VIF", FLAG_VIF, 6, 0, "cli"
  mov eax, [seen_flags]
  and eax, FLAG_VIF
  equal eax, 0, "… in the image"
  try86 "VME: STI sets VIF", 0, 6, 0, "sti"
  mov eax, [seen_flags]
  and eax, FLAG_VIF | FLAG_IF
  equal eax, FLAG_VIF, "… not IF"
  try86 "VME: STI with VIP", FLAG_VIP, 13, 0, "sti"
  try86 "VME: PUSHF", FLAG_VIF, 6, 0, "pushf; pop ax"
  movzx eax, word ptr [STACK86 + 0x7FE]
  and eax, 0x3200
  equal eax, 0x3200, "… tells VIF as IF, and IOPL 3"
  try86 "VME: POPF", 0, 6, 0, "push 0x0202; popf"
  mov eax, [seen_flags]
  and eax, FLAG_VIF | FLAG_IF
  equal eax, FLAG_VIF, "… sets VIF for IF"
  try86 "VME: POPF with TF", 0, 13, 0, "push 0x0102; popf"
  try86 "VME: POPFD is not virtual", 0, 13, 0, "popfd"
  try86 "VME: INT n to the 8086 handler and back by IRET", FLAG_VIF, 6, 0, "int 0x40"
  movzx eax, word ptr [STACK86 + 0x7FA]
  equal eax, 2, "… IP behind it on its stack"
  movzx eax, word ptr [STACK86 + 0x7FE]
  and eax, 0x3200
  equal eax, 0x3200, "… flags with VIF as IF"
  mov eax, [seen_flags]
  and eax, FLAG_VIF
  equal eax, FLAG_VIF, "… and VIF again after IRET"
  try86 "VME: INT n that the map gives to the monitor", 0, 13, 0, "int 0x41"
  try86 "VME, IOPL 3: redirected, too", IOPL3, 6, 0, "int 0x40"
  vme 0

  # PVI: CLI and STI in ring 3 of protected mode (21.4).
  mov eax, cr4
  or eax, 2
  mov cr4, eax
  attempt
    enter_user FLAG_VIF | 2
    cli
    int RETURN_VECTOR
  attempted
  expect RETURN_VECTOR, 0, "PVI: CLI in ring 3"
  mov eax, [seen_flags]
  and eax, FLAG_VIF
  equal eax, 0, "… clears VIF"
  attempt
    enter_user FLAG_VIP | 2
    sti
  attempted
  expect 13, 0, "PVI: STI with VIP"
  finish


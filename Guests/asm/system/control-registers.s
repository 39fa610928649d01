# What CR0, CR3, CR4, CR8, EFER and XCR0 refuse (SDM 2B MOV, 3A 2.5, 4.1), PCID and INVPCID, UMIP, what is not announced.
.include "system.inc"

.set CR4_UMIP, 1 << 11
.set CR4_LA57, 1 << 12
.set CR4_VMXE, 1 << 13
.set CR4_PCIDE, 1 << 17

.macro try vector, text:vararg
  attempted
  expect \vector, 0, \text
.endm
.macro set_cr number, text:vararg
    mov cr\number, rax
  try 13, \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  mov rbx, cr0
  mov rbp, cr4
  mov r12, cr3

  attempt
    mov eax, 0x80000000
  set_cr 0, "CR0: paging without protection"
  attempt
    lea rax, [rbx]
    or eax, 0x20000000
    and eax, ~0x40000000
  set_cr 0, "CR0: NW without CD"
  attempt
    mov rax, rbx
    bts rax, 32
  set_cr 0, "CR0: bit 32"
  attempt
    mov rax, rbx
    btr rax, 31
  set_cr 0, "CR0: no paging in 64-bit mode"
  mov rax, cr0
  equal rax, rbx, "CR0 has not changed"
  attempt
    mov rax, rbp
    btr rax, 5
  set_cr 4, "CR4: no PAE in long mode"
  attempt
    mov rax, rbp
    xor rax, CR4_LA57
  set_cr 4, "CR4: LA57 in long mode"
  attempt
    mov rax, rbp
    or rax, CR4_VMXE
  set_cr 4, "CR4: VMXE without VMX"
  attempt
    mov rax, rbp
    bts rax, 63
  set_cr 4, "CR4: bit 63"
  attempt
    mov rax, rbp
    bts rax, 23
  set_cr 4, "CR4: CET without it"
  mov rax, cr4
  equal rax, rbp, "CR4 has not changed"
  attempt
    mov rax, r12
    bts rax, 60
  set_cr 3, "CR3: bit 60"
  attempt
    mov rax, r12
    bts rax, 63
  set_cr 3, "CR3: bit 63 without PCIDE"
  attempt
    mov eax, 16
  set_cr 8, "CR8: 16"
  attempt
    mov ecx, MSR_EFER
    rdmsr
    and eax, ~EFER_LME
    wrmsr
  try 13, "EFER: LME while paging"
  attempt
    mov ecx, MSR_EFER
    rdmsr
    or edx, 1
    wrmsr
  try 13, "EFER: bit 32"
  attempt
    .byte 0x0F, 0x20, 0xC8                # mov rax, cr1
  try 6, "CR1"
  attempt
    .byte 0x0F, 0x22, 0xE8                # mov cr5, rax
  try 6, "CR5"
  attempt
    enter_user
    mov rax, cr0
  try 13, "CR0 in ring 3"
  # LMSW sets PE, and cannot clear it.
  attempt
    mov eax, 0
    lmsw ax
  try NONE, "LMSW"
  mov rax, cr0
  and eax, 1
  equal rax, 1, "… leaves PE"
  mov cr0, rbx

  # PCID (4.10.1) and INVPCID (2A).
  skip_unless 1, ecx, 17, 1f
  mov rbx, cr0
  attempt
    lea rax, [r12 + 1]
    mov cr3, rax
    mov rax, rbp
    or rax, CR4_PCIDE
    mov cr4, rax
  try 13, "PCIDE with CR3[11:0] not 0"
  mov cr3, r12
  attempt
    mov rax, rbp
    or rax, CR4_PCIDE
    mov cr4, rax
  try NONE, "PCIDE"
  attempt
    mov rax, r12
    or rax, 0x123
    bts rax, 63
    mov cr3, rax
  try NONE, "CR3: bit 63 with PCIDE"
  mov rax, cr3
  lea rcx, [r12 + 0x123]
  equal rax, rcx, "… which is not kept"
  attempt
    mov rax, rbx
    btr rax, 31
  set_cr 0, "no paging with PCIDE"
  mov cr3, r12
  skip_unless 7, ebx, 10, 1f
  mov rbx, cr0
  .macro invalidate type, pcid, address, vector, text:vararg
  attempt
    mov rax, \pcid
    mov [descriptor], rax
    mov rax, \address
    mov [descriptor + 8], rax
    mov eax, \type
    invpcid rax, [descriptor]
  try \vector, \text
  .endm
  invalidate 0, 5, 0x1000, NONE, "INVPCID: an address"
  invalidate 0, 5, 1<<62, 13, "INVPCID: an address that is not canonical"
  invalidate 1, 5, 1<<62, NONE, "INVPCID: a context, whatever the address"
  invalidate 1, 0x1000, 0, 13, "INVPCID: a reserved bit of the descriptor"
  invalidate 2, 5, 0, NONE, "INVPCID: everything"
  invalidate 3, 5, 0, NONE, "INVPCID: all but global"
  invalidate 4, 0, 0, 13, "INVPCID: type 4"
  mov cr4, rbp
  invalidate 0, 5, 0x1000, 13, "INVPCID: a PCID without PCIDE"
  invalidate 1, 0, 0, NONE, "INVPCID: PCID 0 without PCIDE"
  attempt
    enter_user
    xor eax, eax
    invpcid rax, [descriptor]
  try 13, "INVPCID in ring 3"
1:
  mov cr4, rbp
  mov cr3, r12

  # UMIP (2.5).
  skip_unless 7, ecx, 2, 1f
  .macro umip text, vector, code
  attempt
    enter_user
    \code
    int RETURN_VECTOR
  attempted
  expect \vector, 0, "\text"
  .endm
  umip "SGDT in ring 3 without UMIP", RETURN_VECTOR, "sgdt [descriptor]"
  mov rax, rbp
  or rax, CR4_UMIP
  mov cr4, rax
  umip "SGDT in ring 3", 13, "sgdt [descriptor]"
  umip "SIDT in ring 3", 13, "sidt [descriptor]"
  umip "SLDT in ring 3", 13, "sldt eax"
  umip "STR in ring 3", 13, "str eax"
  umip "SMSW in ring 3", 13, "smsw eax"
  attempt
    smsw eax
  try NONE, "SMSW in ring 0"
  mov cr4, rbp
1:
  # XCR0 (2B XSETBV).
  skip_unless 1, ecx, 26, 1f
  attempt
    xor ecx, ecx
    xgetbv
  try 6, "XGETBV without CR4.OSXSAVE"
  mov rax, rbp
  bts rax, 18
  mov cr4, rax
  .macro xcr value, number, vector, text:vararg
  attempt
    mov eax, \value
    mov ecx, \number
    xor edx, edx
    xsetbv
  try \vector, \text
  .endm
  xcr 3, 0, NONE, "XCR0: x87 and SSE"
  xcr 2, 0, 13, "XCR0: SSE without x87"
  xcr 5, 0, 13, "XCR0: AVX without SSE"
  xcr 0x13, 0, 13, "XCR0: MPX"
  xcr 3, 1, 13, "XCR1"
  mov cr4, rbp
1:
  # Not announced, not there.
  .macro undefined text, bytes:vararg
  attempt
    .byte \bytes
  attempted
  expect 6, 0, "\text"
  .endm
  undefined "UMONITOR", 0xF3, 0x0F, 0xAE, 0xF0
  undefined "TPAUSE", 0x66, 0x0F, 0xAE, 0xF0
  undefined "VMCALL", 0x0F, 0x01, 0xC1
  undefined "VMMCALL", 0x0F, 0x01, 0xD9
  undefined "VMRUN", 0x0F, 0x01, 0xD8
  undefined "RDPRU", 0x0F, 0x01, 0xFD
  undefined "CLZERO", 0x0F, 0x01, 0xFC
  undefined "GETSEC", 0x0F, 0x37
  undefined "ENCLS", 0x0F, 0x01, 0xCF
  undefined "RSM", 0x0F, 0xAA
  undefined "XABORT", 0xC6, 0xF8, 0x00
  undefined "INCSSP", 0xF3, 0x48, 0x0F, 0xAE, 0xE8
  undefined "LOCK NOP", 0xF0, 0x90
  undefined "LOCK ADD to a register", 0xF0, 0x01, 0xC0
  undefined "UD0", 0x0F, 0xFF, 0xC0
  undefined "UD1", 0x0F, 0xB9, 0xC0
  undefined "PUSHA in 64-bit mode", 0x60
  undefined "AAA in 64-bit mode", 0x37
  undefined "CALL far direct in 64-bit mode", 0x9A, 0, 0, 0, 0, 8, 0
  undefined "MOV CS", 0x8E, 0xC8
  undefined "LEA of a register", 0x8D, 0xC0
  finish

.data
  .align 16
descriptor: .quad 0, 0
.text

# Canonical addresses (SDM 1 3.3.7.1): #SS for the stack, #GP for everything else, and where they are checked.
.include "system.inc"

.set BAD, 0x0000800000000000
.set HIGH_END, 0x00007FFFFFFFFFFF

.macro try vector, text:vararg
  attempted
  expect \vector, 0, \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  mov rbx, BAD
  attempt
    mov rax, [rbx]
  try 13, "read"
  attempt
    mov [rbx], al
  try 13, "write"
  attempt
    mov rcx, HIGH_END
    mov rax, [rcx]
  try 13, "an access that begins below the hole and ends in it"
  attempt
    mov rbp, BAD
    mov rax, [rbp]
  try 12, "RBP as base: stack segment"
  attempt
    mov rbp, BAD
    mov rax, ds:[rbp]
  try 12, "… a DS prefix does not count in 64-bit mode"
  attempt
    mov rax, [rsp + rbx]
  try 12, "RSP as base"
  call use_ist
  attempt
    mov rsp, BAD
    push rax
  attempted
  expect 14, 2, "PUSH from the hole's first byte writes to the page before it"
  attempt
    mov rsp, BAD + 16
    push rax
  try 12, "PUSH"
  attempt
    mov rsp, BAD
    pop rax
  try 12, "POP"
  attempt
    mov rsp, BAD
    ret
  try 12, "RET"
  attempt
    mov rsp, BAD + 64
    call 1f
1:
  try 12, "CALL"
  attempt
    mov rsp, BAD
    iretq
  try 12, "IRETQ"
  attempt
    mov rbp, BAD
    leave
  try 12, "LEAVE"
  attempt
    mov rsp, BAD + 64
    enter 0, 0
  try 12, "ENTER"
  attempt
    mov rsp, BAD
    popf
  try 12, "POPF"
  call use_no_ist

  # Control transfers.
  attempt
1:
    jmp rbx
  try 13, "JMP"
  equal [seen_rip], "offset 1b", "… is refused at JMP"
  attempt
1:
    call rbx
  try 13, "CALL"
  equal [seen_rip], "offset 1b", "… is refused at CALL"
  attempt
    push rbx
1:
    jmp [rsp]
  try 13, "JMP through memory"
  equal [seen_rip], "offset 1b", "… likewise"
  attempt
    push rbx
1:
    ret
  try 13, "RET to the hole"
  equal [seen_rip], "offset 1b", "… is refused at RET, before RIP changes"
  attempt
    mov rax, rsp
    push DATA
    push rax
    pushf
    push CODE64
    push rbx
    iretq
  try 13, "IRETQ to the hole"
  attempt
    sub rsp, 16
    mov [rsp], rbx
    mov word ptr [rsp + 8], CODE64
    rex.w jmp fword ptr [rsp]
  try 13, "far JMP to the hole"

  # Addresses that are loaded, not used.
  .macro wrmsr_of number, text:vararg
  attempt
    mov ecx, \number
    mov eax, 0
    mov edx, 0x02000000                   # bit 57: canonical at no width
    wrmsr
  try 13, \text
  .endm
  wrmsr_of 0xC0000082, "IA32_LSTAR"
  wrmsr_of 0xC0000083, "IA32_CSTAR"
  wrmsr_of 0xC0000100, "IA32_FS_BASE"
  wrmsr_of 0xC0000101, "IA32_GS_BASE"
  wrmsr_of 0xC0000102, "IA32_KERNEL_GS_BASE"
  wrmsr_of 0x175, "IA32_SYSENTER_ESP"
  wrmsr_of 0x176, "IA32_SYSENTER_EIP"
  attempt
    mov rax, 1 << 57
    mov [pointer + 2], rax
    lgdt [pointer]
  try 13, "LGDT"
  attempt
    lidt [pointer]
  try 13, "LIDT"
  attempt
    invlpg [rbx]
  try NONE, "INVLPG is not checked"
  attempt
    lea rax, [rbx]
  try NONE, "LEA neither"
  attempt
    prefetcht0 [rbx]
  try NONE, "PREFETCH neither"
  attempt
    clflush [rbx]
  try 13, "CLFLUSH is"
  # SYSRET checks RCX in ring 0 (2B SYSRET).
  mov ecx, MSR_EFER
  rdmsr
  or eax, 1
  wrmsr
  mov ecx, 0xC0000081
  xor eax, eax
  mov edx, 0x00100008
  wrmsr
  attempt
    mov rcx, rbx
    mov r11d, 2
    sysretq
  try 13, "SYSRET"
  equal [seen_cs], CODE64, "… in ring 0"
  finish

# #SS and #PF on a stack of their own.
use_ist:
  mov eax, offset interrupt_stack_top
  mov edi, offset task_state
  mov [rdi + 36], rax
  mov byte ptr [idt + 12 * 16 + 4], 1
  mov byte ptr [idt + 13 * 16 + 4], 1
  mov byte ptr [idt + 14 * 16 + 4], 1
  ret
use_no_ist:
  mov byte ptr [idt + 12 * 16 + 4], 0
  mov byte ptr [idt + 13 * 16 + 4], 0
  mov byte ptr [idt + 14 * 16 + 4], 0
  ret

.data
pointer: .word 0xFFFF
  .quad 0
.text

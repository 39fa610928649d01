# #AC (SDM 3A 6.15, interrupt 17): CR0.AM, RFLAGS.AC and ring 3.
.include "system.inc"

.set CR0_AM, 1 << 18

.macro try vector, text:vararg
  attempted
  expect \vector, 0, \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  mov ebx, offset data
  mov rax, cr0
  or rax, CR0_AM
  mov cr0, rax
  pushf
  or dword ptr [rsp], FLAG_AC
  popf
  attempt
    mov eax, [rbx + 1]
  try NONE, "not in ring 0"
  pushf
  and dword ptr [rsp], ~FLAG_AC
  popf

  .macro user text, vector, body
  attempt
    enter_user 0x3002 | FLAG_AC
    \body
    int RETURN_VECTOR
  attempted
  expect \vector, 0, "\text"
  .endm
  user "word at an odd address", 17, "mov ax, [rbx + 1]"
  user "word at an even address", RETURN_VECTOR, "mov ax, [rbx + 2]"
  user "doubleword at 2", 17, "mov eax, [rbx + 2]"
  user "doubleword at 4", RETURN_VECTOR, "mov eax, [rbx + 4]"
  user "quadword at 4", 17, "mov rax, [rbx + 4]"
  user "quadword written at 4", 17, "mov [rbx + 4], rax"
  user "a byte anywhere", RETURN_VECTOR, "mov al, [rbx + 3]"
  user "PUSH", 17, "lea rsp, [rbx + 35]; push rax"
  user "read-modify-write", 17, "inc dword ptr [rbx + 1]"
  user "LOCK", 17, "lock inc dword ptr [rbx + 1]"
  user "MOVQ", 17, "movq xmm0, [rbx + 4]"
  user "FLD of 64 bits", 17, "fld qword ptr [rbx + 4]"
  user "string", 17, "lea rsi, [rbx + 1]; lodsd"
  attempt
    enter_user 0x3002
    mov eax, [rbx + 1]
    int RETURN_VECTOR
  try RETURN_VECTOR, "not without RFLAGS.AC"
  # MOVAPS at an odd address is #GP in any ring.
  attempt
    movaps xmm0, [rbx + 4]
  try 13, "MOVAPS"
  mov rax, cr0
  and rax, ~CR0_AM
  mov cr0, rax
  attempt
    enter_user 0x3002 | FLAG_AC
    mov eax, [rbx + 1]
    int RETURN_VECTOR
  try RETURN_VECTOR, "not without CR0.AM"
  finish

.bss
  .align 64
data: .skip 64
.text

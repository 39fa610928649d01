# FS and GS in 64-bit mode: their bases are MSRs, whatever becomes of the selectors (SDM 3A 3.4.4.1, 2A IRET, 2B MOV, SWAPGS).
.include "system.inc"

.set FS_BASE, 0xC0000100
.set GS_BASE, 0xC0000101
.set KERNEL_GS_BASE, 0xC0000102
.set CR4_FSGSBASE, 1 << 16

.macro set_base number, value
  mov ecx, \number
  mov eax, \value
  xor edx, edx
  wrmsr
.endm
.macro base_is number, value, text:vararg
  mov ecx, \number
  rdmsr
  equal rax, \value, \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  set_base GS_BASE, 0x1000
  base_is GS_BASE, 0x1000, "IA32_GS_BASE"
  mov ax, gs
  movzx eax, ax
  equal rax, 0, "… leaves the selector alone"
  mov eax, offset value - 0x1000
  mov eax, gs:[rax]
  equal rax, 0x5678, "an access through GS"
  mov eax, DATA
  mov gs, eax
  base_is GS_BASE, 0, "a selector loads the descriptor's base"
  set_base GS_BASE, 0x1000
  set_base FS_BASE, 0x2000
  attempt
    mov eax, DATA
    mov fs, eax
    mov ecx, FS_BASE
    mov eax, 0x2000
    xor edx, edx
    wrmsr
    enter_user
    mov dx, fs
    mov eax, offset value - 0x1000
    mov eax, gs:[rax]
    int RETURN_VECTOR
  attempted
  expect RETURN_VECTOR, 0, "to ring 3"
  equal rax, 0x5678, "GS's base stays, though IRET takes its selector away"
  movzx edx, dx
  equal rdx, 0, "… which is null then"
  base_is FS_BASE, 0x2000, "FS's base likewise"
  attempt
    mov eax, 3
    mov fs, eax
    enter_user
    mov dx, fs
    int RETURN_VECTOR
  attempted
  expect RETURN_VECTOR, 0, "to ring 3 with a null selector of RPL 3"
  movzx edx, dx
  equal rdx, 0, "… which is 0 there"
  set_base KERNEL_GS_BASE, 0x3000
  swapgs
  base_is GS_BASE, 0x3000, "SWAPGS"
  base_is KERNEL_GS_BASE, 0x1000, "… and the other one"
  attempt
    enter_user
    swapgs
  attempted
  expect 13, 0, "SWAPGS in ring 3"
  attempt
    rdgsbase rax
  attempted
  expect 6, 0, "RDGSBASE without CR4.FSGSBASE"
  skip_unless 7, ebx, 0, none
  mov rax, cr4
  or rax, CR4_FSGSBASE
  mov cr4, rax
  attempt
    enter_user
    mov eax, 0x4000
    wrfsbase rax
    rdfsbase rbx
    int RETURN_VECTOR
  attempted
  expect RETURN_VECTOR, 0, "WRFSBASE in ring 3"
  equal rbx, 0x4000, "… and back"
  attempt
    mov rax, 1 << 62
    wrgsbase rax
  attempted
  expect 13, 0, "WRGSBASE of an address that is not canonical"
none:
  finish

.data
  .align 8
value: .quad 0x5678
.text

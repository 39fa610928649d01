# Protection keys of supervisor pages (SDM 3A 4.6.2): IA32_PKRS, CR4.PKS; and what is left alone: user pages, fetches, CR0.WP.
.include "system.inc"

.set IA32_PKRS, 0x6E1
.set CR4_PKS, 1 << 24
.set KEY, 1 << 59
.set AD, 4                                # access-disable, write-disable of key 1
.set WD, 8
.set PAGE, 0x0000008000000000

.macro rights value
  mov ecx, IA32_PKRS
  mov eax, \value
  xor edx, edx
  wrmsr
.endm
.macro try vector, error, text:vararg
  attempted
  expect \vector, \error, \text
.endm

.global main
main:
  call console_open
  call install_exceptions
  skip_unless 7, ecx, 31, none
  attempt
    mov ecx, IA32_PKRS
    xor eax, eax
    mov edx, 1
    wrmsr
  try 13, 0, "IA32_PKRS: the upper half is reserved"
  mov eax, offset pointers + 7
  mov [page_map + 8], rax
  mov eax, offset directory + 7
  mov [pointers], rax
  mov eax, offset table + 7
  mov [directory], rax
  # A supervisor's page with key 1, a user's one with key 1.
  mov eax, offset frame + 3
  mov rcx, KEY
  or rax, rcx
  mov [table], rax
  or rax, 4
  mov [table + 8], rax
  mov rbx, PAGE
  rights AD
  attempt
    mov al, [rbx]
  try NONE, 0, "not without CR4.PKS"
  mov rax, cr4
  or rax, CR4_PKS
  mov cr4, rax
  attempt
    mov al, [rbx]
  try 14, 0x21, "AD: read"
  equal [seen_cr2], rbx, "… CR2"
  attempt
    mov [rbx], al
  try 14, 0x23, "AD: write"
  attempt
    call rbx
  try NONE, 0, "AD: a fetch is none of its business"
  attempt
    mov al, [rbx + 0x1000]
  try NONE, 0, "AD: nor is a user page"
  rights WD
  attempt
    mov al, [rbx]
  try NONE, 0, "WD: read"
  attempt
    mov [rbx], al
  try 14, 0x23, "WD: write"
  mov rax, cr0
  btr rax, 16
  mov cr0, rax
  attempt
    mov [rbx], al
  try NONE, 0, "WD: write without CR0.WP"
  bts rax, 16
  mov cr0, rax
  rights 0
  attempt
    mov al, [rbx]
    mov [rbx], al
  try NONE, 0, "no rights taken"
  mov ecx, IA32_PKRS
  rdmsr
  equal rax, 0, "IA32_PKRS reads back"
none:
  equal 1, 1, "done"
  finish

.data
  .align 4096
frame: .byte 0xC3
  .skip 4095
.bss
  .align 4096
pointers: .skip 4096
directory: .skip 4096
table: .skip 4096
.text

# Five levels of paging (SDM 3A 4.5, 4.1.1): 57-bit addresses in use, and what stays refused.
.include "system.inc"

.set CR4_LA57, 1 << 12
.set CODE32, 0x38

.global main
main:
  call console_open
  call install_exceptions
  skip_unless 7, ecx, 16, none
  mov eax, 0x80000008
  cpuid
  movzx eax, ah
  equal rax, 57, "CPUID announces 57 bits"

  # Without it an address of 57 bits is not canonical, though MSRs and table registers may hold it.
  mov rbx, 0x00F0000000000000
  attempt
    mov al, [rbx]
  attempted
  expect 13, 0, "48 bits: an address beyond"
  attempt
    mov ecx, 0xC0000102
    mov eax, ebx
    mov rdx, rbx
    shr rdx, 32
    wrmsr
  attempted
  expect NONE, 0, "48 bits: an MSR may hold it"
  attempt
    wrgsbase rbx
  attempted
  expect 6, 0, "WRGSBASE without CR4.FSGSBASE"

  # To five levels by way of compatibility mode without paging.
  mov eax, offset level5
  mov ecx, offset page_map
  add ecx, 7
  mov [rax], rcx
  mov ecx, offset high_map
  add ecx, 7
  # Entry F0000000000000 >> 48 & 511 = F0 of the top level.
  mov [rax + 0xF0 * 8], rcx
  mov ecx, offset page_directory_pointers
  add ecx, 7
  mov eax, offset high_map
  mov [rax], rcx
  lgdt [own_register]
  push CODE32
  push offset 1f
  rex.w retf
.code32
1:
  mov eax, cr0
  and eax, 0x7FFFFFFF
  mov cr0, eax
  mov eax, cr4
  or eax, CR4_LA57
  mov cr4, eax
  mov eax, offset level5
  mov cr3, eax
  mov eax, cr0
  or eax, CR0_PG
  mov cr0, eax
  jmp CODE64:2f
.code64
2:
  mov rax, cr4
  shr rax, 12
  and eax, 1
  equal rax, 1, "CR4.LA57 is set"
  lea rcx, [rip + value]
  mov rbx, 0x00F0000000000000
  add rbx, rcx
  attempt
    mov rax, [rbx]
  attempted
  expect NONE, 0, "57 bits: an address beyond 48"
  mov rdx, 0x1122334455667788
  equal rax, rdx, "… leads through five levels"
  attempt
    mov rbx, 0x0100000000000000
    mov al, [rbx]
  attempted
  expect 13, 0, "57 bits: bit 56 alone"
  attempt
    mov rbx, 0xFF00000000000000
    mov al, [rbx]
  attempted
  expect 14, 0, "57 bits: the lowest address of the upper half is not mapped"
  equal [seen_cr2], rbx, "… CR2"
  attempt
    mov rbx, 0x0080000000000000
    mov al, [rbx]
  attempted
  expect 14, 0, "57 bits: an empty entry"
  attempt
    mov rax, cr4
    btr rax, 12
    mov cr4, rax
  attempted
  expect 13, 0, "LA57 cannot be cleared in long mode"
  # Code there, too.
  lea rcx, [rip + far_code]
  mov rbx, 0x00F0000000000000
  add rbx, rcx
  attempt
    call rbx
  attempted
  expect NONE, 0, "code at a 57-bit address"
  equal rax, rbx, "… knows where it is"
none:
  equal 1, 1, "done"
  finish

far_code:
  lea rax, [rip + far_code]
  ret

.data
  .align 8
# As boot.inc's, with 32-bit code behind the task state.
own_gdt:
  .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF, 0, 0, 0x00CF9B000000FFFF
own_register:
  .word 63
  .quad own_gdt
value: .quad 0x1122334455667788
.bss
  .align 4096
level5: .skip 4096
high_map: .skip 4096
.text

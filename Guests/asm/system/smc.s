# Self-modifying code (SDM 3A 11.6): a store to code is seen by the very next instruction, in the same block, through
# another mapping, across pages.
.include "system.inc"

.global main
main:
  call console_open
  call install_exceptions

  # The instruction right behind the store.
  mov ecx, 3
1:
  lea rbx, [rip + 2f + 1]
  mov byte ptr [rbx], 0x22                # of mov eax, imm32
2:
  mov eax, 0x11
  equal rax, 0x22, "the instruction behind the store"
  mov byte ptr [2b + 1], 0x11
  dec ecx
  jnz 1b

  # Later in the same run of straight code, by a longer store.
  lea rbx, [rip + 3f]
  mov rdx, 0x90909000000033B8             # mov eax, 0x33; nop; nop; nop
  nop
  mov [rbx], rdx
  nop
  nop
3:
  mov eax, 0x11
  nop
  nop
  nop
  equal rax, 0x33, "further down in straight code"

  # By a string instruction.
  lea rdi, [rip + 4f]
  mov ecx, 2
  mov al, 0x90
  mov ebx, 7
  rep stosb
4:
  xor ebx, ebx
  equal rbx, 7, "REP STOSB over what follows"

  # Through another mapping: the same page at 1 TiB.
  mov eax, offset alias_pointers + 7
  mov [page_map + 2 * 8], rax
  mov rax, [page_directory_pointers]
  mov [alias_pointers], rax
  mov rbx, 0x0000010000000000
  lea rdx, [rip + 5f + 1]
  add rbx, rdx
  mov ecx, 2
6:
  mov byte ptr [rbx], 0x55
5:
  mov eax, 0x11
  equal rax, 0x55, "through another mapping"
  mov byte ptr [rbx], 0x11
  dec ecx
  jnz 6b

  # A function that was executed before, on another page; called again.
  call far_function
  mov byte ptr [far_function + 1], 0x66
  call far_function
  equal rax, 0x66, "a function on another page"
  # An instruction across two pages, changed in its second half.
  call crossing_function
  equal rax, 0x11223344, "an instruction across pages"
  mov byte ptr [crossing_page + 1], 0x77
  call crossing_function
  equal rax, 0x77223344, "… its second page was written"
  # By the push of a CALL.
  mov eax, offset pushed + 8
  mov rbx, rsp
  mov rsp, rax
  call 1f
1:
  mov rsp, rbx
  mov rax, [pushed]
  equal rax, "offset 1b", "CALL pushes onto a page of code"
  finish

  .align 4096
far_function:
  mov eax, 0x11
  ret
  .align 16
pushed: .quad 0

  .align 4096
  .skip 4096 - 3
crossing_function:
  .byte 0xB8, 0x44, 0x33                  # mov eax, 0x11223344
crossing_page:
  .byte 0x22, 0x11
  ret
  .align 4096

.bss
  .align 4096
alias_pointers: .skip 4096
.text

# Page-fault error codes (SDM 3A 4.6, 4.7) as a full cross product: what the page says (present, writable, user, no-execute,
# reserved bit; writable and user also one level up), what the processor is set to (CR0.WP, SMEP, SMAP, NXE, PKE with both
# rights of the key), and the access (read, write, fetch; supervisor with and without RFLAGS.AC, user). The expectation is
# worked out below, step by step as the manual tells it, and compared with what comes. Also: accessed and dirty bits.
.include "system.inc"

.set CR0_WP, 1 << 16
.set CR4_SMEP, 1 << 20
.set CR4_SMAP, 1 << 21
.set CR4_PKE, 1 << 22
.set EFER_NXE, 1 << 11

# Bits of a combination, the slow ones (the processor's) on top.
.set P, 0
.set W, 1
.set U, 2
.set NX, 3
.set RESERVED, 4
.set W_ABOVE, 5
.set U_ABOVE, 6
.set FETCH, 7                             # of FETCH and WRITE at most one
.set WRITE, 8
.set USER, 9
.set AC, 10
.set KEY_AD, 11
.set KEY_WD, 12
.set WP, 13
.set SMEP, 14
.set SMAP, 15
.set NXE, 16
.set PKE, 17
.set COMBINATIONS, 1 << 18

.set TEST_PAGE, 0x0000008000000000        # entry 1 of the page map: the page under test
.set USER_PAGE, 0x0000010000000000        # entry 2: code for ring 3

.global main
main:
  call console_open
  call install_exceptions
  # The kernel's own pages are the supervisor's, so that SMEP and SMAP leave it alone.
  and byte ptr [page_map], ~4
  mov eax, offset test_pointers + 7
  mov [page_map + 8], rax
  mov eax, offset test_directory + 7
  mov [test_pointers], rax
  mov eax, offset user_pointers + 7
  mov [page_map + 16], rax
  mov eax, offset user_directory + 7
  mov [user_pointers], rax
  mov eax, offset user_table + 7
  mov [user_directory], rax
  mov eax, offset user_code + 7
  mov [user_table], rax
  mov eax, offset user_stack_page + 7
  mov [user_table + 8], rax
  mov rax, cr3
  mov cr3, rax

  # What this processor has, as bits of combinations that may be set.
  mov r14, COMBINATIONS - 1
  mov eax, 7
  xor ecx, ecx
  cpuid
  bt ebx, 7
  jc 1f
  btr r14, SMEP
1:
  bt ebx, 20
  jc 1f
  btr r14, SMAP
1:
  bt ecx, 3
  jc 1f
  btr r14, PKE
  btr r14, KEY_AD
  btr r14, KEY_WD
1:
  mov dword ptr [set_up], -1
  xor r15, r15
combination:
  mov rax, r15
  not r14
  test rax, r14
  not r14
  jnz next_combination
  mov eax, r15d
  and eax, 1 << FETCH | 1 << WRITE
  cmp eax, 1 << FETCH | 1 << WRITE
  je next_combination
  # A user's AC is of no matter here, and rights of the key are none without PKE.
  bt r15, USER
  jnc 1f
  bt r15, AC
  jc next_combination
1:
  bt r15, PKE
  jc 1f
  test r15d, 1 << KEY_AD | 1 << KEY_WD
  jnz next_combination
1:
  # Combinations that cannot differ are left out: not present is not present.
  bt r15, P
  jc 1f
  test r15d, 1 << W | 1 << NX | 1 << RESERVED | 1 << W_ABOVE
  jnz next_combination
1:
  call set_processor
  call set_page
  call work_out
  call access
  inc dword ptr [combinations]
  mov eax, [seen_vector]
  cmp eax, [wanted_vector]
  jne wrong
  cmp eax, 14
  jne right
  mov eax, [seen_error]
  cmp eax, [wanted_error]
  jne wrong
  mov rax, [seen_cr2]
  mov rcx, TEST_PAGE
  cmp rax, rcx
  jne wrong
right:
  # Accessed is set by an access that went through, dirty by a write (4.8).
  mov rax, [test_table]
  shr eax, 5
  and eax, 3
  cmp eax, [wanted_marks]
  je next_combination
wrong:
  inc dword ptr [failures]
  cmp dword ptr [failures], 20
  ja next_combination
  print "FAILED combination "
  mov rax, r15
  call print_hex
  print ": wanted "
  mov rax, [wanted_vector]
  call print_hex_byte
  print " error "
  mov eax, [wanted_error]
  call print_hex
  print " marks "
  mov eax, [wanted_marks]
  call print_hex_byte
  print ", got marks "
  mov rax, [test_table]
  shr eax, 5
  and eax, 3
  call print_hex_byte
  call print_seen
next_combination:
  inc r15
  cmp r15, COMBINATIONS
  jb combination
  mov r15, 1 << NXE | 1 << WP
  call set_processor
  equal [failures], 0, "all combinations as the manual says"
  print "combinations: "
  mov eax, [combinations]
  call print_decimal
  print "\n"
  finish

# CR0.WP, CR4, EFER.NXE as the combination says, where they change.
set_processor:
  mov eax, r15d
  shr eax, KEY_AD
  cmp eax, [set_up]
  je 2f
  mov [set_up], eax
  mov rax, cr0
  btr rax, 16
  bt r15, WP
  jnc 1f
  bts rax, 16
1:
  mov cr0, rax
  mov rax, cr4
  and rax, ~(CR4_SMEP | CR4_SMAP | CR4_PKE)
  mov rcx, r15
  shr rcx, SMEP
  and ecx, 3
  shl rcx, 20
  or rax, rcx
  bt r15, PKE
  jnc 1f
  or rax, CR4_PKE
1:
  mov cr4, rax
  mov ecx, MSR_EFER
  rdmsr
  and eax, ~EFER_NXE
  bt r15, NXE
  jnc 1f
  or eax, EFER_NXE
1:
  wrmsr
  bt r15, PKE
  jnc 2f
  mov eax, r15d
  shr eax, KEY_AD
  and eax, 3
  shl eax, 2                              # key 1
  xor ecx, ecx
  xor edx, edx
  wrpkru
2:
  ret

# The page under test and the entry above it.
set_page:
  mov eax, offset test_frame
  mov rcx, r15
  and ecx, 7
  or rax, rcx
  bt r15, NX
  jnc 1f
  bts rax, 63
1:
  bt r15, RESERVED
  jnc 1f
  bts rax, 51
1:
  bt r15, PKE
  jnc 1f
  bts rax, 59
1:
  mov [test_table], rax
  mov eax, offset test_table + 1
  mov ecx, r15d
  shr ecx, W_ABOVE
  and ecx, 3
  lea rax, [rax + 2 * rcx]
  mov [test_directory], rax
  mov rax, TEST_PAGE
  invlpg [rax]
  ret

# wanted_vector, wanted_error, wanted_marks: SDM 3A 4.6 and 4.7.
work_out:
  mov qword ptr [wanted_vector], RETURN_VECTOR
  mov dword ptr [wanted_marks], 1
  xor ebx, ebx                            # error code
  bt r15, WRITE
  jnc 1f
  or ebx, 2
  mov dword ptr [wanted_marks], 3
1:
  bt r15, USER
  jnc 1f
  or ebx, 4
1:
  # I/D is told of a fetch if NXE or SMEP is set.
  bt r15, FETCH
  jnc 2f
  bt r15, NXE
  jc 1f
  bt r15, SMEP
  jnc 2f
1:
  or ebx, 16
2:
  bt r15, P
  jnc faults
  or ebx, 1
  bt r15, RESERVED
  jc 1f
  bt r15, NX
  jnc 2f
  bt r15, NXE
  jc 2f
1:
  or ebx, 8
  jmp faults
2:
  # DL: writable, DH: a user page.
  mov eax, r15d
  shr eax, W
  mov ecx, r15d
  shr ecx, W_ABOVE
  and eax, ecx
  mov edx, eax
  and edx, 1
  shr eax, 1
  and eax, 1
  mov dh, al
  xor esi, esi                            # 1: it faults
  bt r15, FETCH
  jnc data
  bt r15, NX
  jnc 1f
  mov esi, 1
1:
  bt r15, USER
  jc 1f
  bt r15, SMEP
  jnc decided
  test dh, dh
  jz decided
  mov esi, 1
  jmp decided
1:
  test dh, dh
  jnz decided
  mov esi, 1
  jmp decided
data:
  bt r15, USER
  jc user_data
  # A supervisor's write to a page that is not writable: CR0.WP.
  bt r15, WRITE
  jnc 1f
  test dl, dl
  jnz 1f
  bt r15, WP
  jnc 1f
  mov esi, 1
1:
  # A supervisor's access to a user page: SMAP, unless RFLAGS.AC.
  test dh, dh
  jz keys
  bt r15, SMAP
  jnc keys
  bt r15, AC
  jc keys
  mov esi, 1
  jmp keys
user_data:
  test dh, dh
  jnz 1f
  mov esi, 1
1:
  bt r15, WRITE
  jnc keys
  test dl, dl
  jnz keys
  mov esi, 1
keys:
  # Protection keys: data accesses to user pages.
  test dh, dh
  jz decided
  bt r15, PKE
  jnc decided
  bt r15, KEY_AD
  jc 1f
  bt r15, KEY_WD
  jnc decided
  bt r15, WRITE
  jnc decided
  bt r15, USER
  jc 1f
  bt r15, WP
  jnc decided
1:
  or ebx, 32
  mov esi, 1
decided:
  test esi, esi
  jnz faults
  ret
faults:
  mov qword ptr [wanted_vector], 14
  mov [wanted_error], ebx
  mov dword ptr [wanted_marks], 0
  ret

# The access; it ends by an exception in any case.
access:
  mov rdi, TEST_PAGE
  attempt
    bt r15, USER
    jc 3f
    bt r15, AC
    jnc 1f
    pushf
    or dword ptr [rsp], FLAG_AC
    popf
1:
    bt r15, FETCH
    jc 2f
    bt r15, WRITE
    jc 1f
    mov al, [rdi]
    int RETURN_VECTOR
1:
    mov byte ptr [rdi], 0xCD              # INT RETURN_VECTOR, which it is
    int RETURN_VECTOR
2:
    jmp rdi
3:
    mov rax, USER_PAGE
    xor ecx, ecx                          # read
    bt r15, WRITE
    jnc 1f
    mov ecx, offset write_in_user - user_code
1:
    bt r15, FETCH
    jnc 1f
    mov ecx, offset fetch_in_user - user_code
1:
    add rcx, rax
    lea rdx, [rax + 0x2000]
    push USER_DATA
    push rdx
    push 2
    push USER_CODE64
    push rcx
    iretq
  attempted
  pushf
  and dword ptr [rsp], ~FLAG_AC
  popf
  ret

  .align 4096
user_code:
  mov al, [rdi]
  int RETURN_VECTOR
write_in_user:
  mov byte ptr [rdi], 0xCD
  int RETURN_VECTOR
fetch_in_user:
  jmp rdi
  .align 4096

.data
  .align 4096
test_frame: .byte 0xCD, RETURN_VECTOR
  .skip 4094

.bss
  .align 4096
test_pointers: .skip 4096
test_directory: .skip 4096
test_table: .skip 4096
user_pointers: .skip 4096
user_directory: .skip 4096
user_table: .skip 4096
user_stack_page: .skip 4096
set_up: .skip 4
wanted_marks: .skip 4
combinations: .skip 4
.text

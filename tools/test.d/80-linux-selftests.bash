# Linux's own tests of the x86 entry code (tools/testing/selftests/x86): breakpoints behind MOV SS, single steps over system
# calls, segments, FSGSBASE, x87. With --all: they come from Debian's package of the kernel's source.
source "$(dirname "$0")/../lib/check.bash"
[[ $INQUEST_TEST_ALL == yes ]] || exit 0
source "$repository/tools/lib/packages.bash"

tests=(single_step_syscall syscall_nt iopl ioperm mov_ss_trap fsgsbase fsgsbase_restore ldt_gdt ptrace_syscall sigaltstack
  sigtrap_loop syscall_arg_fault syscall_numbering sysret_rip sysret_ss_attrs sigreturn test_FCMOV test_FCOMI test_FISTTP
  test_mremap_vdso test_vsyscall)

# The programs, in bin.
build() {
  local folder=linux-source-6.1 package
  install gcc libc6-dev xz-utils || return 1
  package=$(fetch $folder) || return 1
  dpkg-deb --fsys-tarfile "$package" | tar x ./usr/src/$folder.tar.xz || return 1
  tar xf usr/src/$folder.tar.xz $folder/tools/testing/selftests/x86 $folder/tools/testing/selftests/kselftest.h \
    $folder/arch/x86/include/asm/desc_defs.h || return 1
  rm -rf usr
  mkdir -p bin
  local name more
  for name in "${tests[@]}"; do
    more=()
    [[ $name != sysret_ss_attrs ]] || more=(thunks.S)
    (cd "$folder/tools/testing/selftests/x86" &&
      gcc -O2 -std=gnu99 -pthread -no-pie -static -w -I.. -I. -DCAN_BUILD_64 -o "$OLDPWD/bin/$name" "$name.c" \
        "${more[@]}" -lrt -lm) || return 1
  done
  strip bin/*
}

write_init() {
  cat >init <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
$b mkdir -p /tmp
$b mount -t tmpfs tmpfs /tmp
for t in TESTS; do
  $b timeout 120 /bin/$t >/tmp/out 2>&1
  echo "SELFTEST $t status $?"
  $b grep FAIL /tmp/out | $b head -n 8
done
$b poweroff -f
INIT
  sed -i "s/TESTS/${tests[*]}/" init
  chmod +x init
}

run() {
  local options=() name
  for name in "${tests[@]}"; do options+=(--with "bin/$name:/bin/$name"); done
  "$repository/tools/guest" --init init "${options[@]}" -o guest || return 1
  timeout 1800 "$INQUEST" run -m 256 -kernel guest/vmlinuz -initrd guest/initrd.img -append 'console=ttyS0 quiet' \
    -serial file:console
}

check 'fetched and built' build
write_init
check 'ran to the end' run
for name in "${tests[@]}"; do check "$name" grep -q "SELFTEST $name status 0" console; done
exit 0

# A crash told without debug information: log, backtrace, tasks, modules, report and dumps of Debian's cloud kernel, compared
# with what the kernel itself wrote to its console, and opened with gdb, makedumpfile and drgn where they are.
source "$(dirname "$0")/../lib/check.bash"

linux=(-m 256 -kernel "$GUESTS/cloud/vmlinuz" -initrd "$GUESTS/cloud/initrd.img"
  -append 'console=ttyS0 panic=5 loglevel=8' -device pvpanic)
check 'record a panic' timeout 300 "$INQUEST" record "${linux[@]}" -serial file:console -o crash.inq

# The log from memory has the console's lines, each with its time, in order. The console shows them from its driver's start
# on, and replays what came before.
"$INQUEST" dmesg crash.inq >dmesg.txt
check 'dmesg ends well' test $? = 0
tr -d '\r' <console | grep -a '^\[ *[0-9]*\.[0-9]*\] ' >console.txt
check 'dmesg has hundreds of lines' test "$(wc -l <dmesg.txt)" -gt 200
check 'every line of the console is in dmesg' status 1 grep -vxFf dmesg.txt console.txt
check 'the last line is the same' test "$(tail -n 1 dmesg.txt)" = "$(tail -n 1 console.txt)"
"$INQUEST" dmesg crash.inq --json >dmesg.json
check 'the panic is an emergency' test \
  "$(json dmesg.json '[r["level"] for r in it["records"] if r["text"].startswith("Kernel panic")]')" = '[0]'
check 'an instant before the panic has less' test \
  "$("$INQUEST" dmesg crash.inq --at t=2s | wc -l)" -lt "$(wc -l <dmesg.txt)"
check 'an instant before the kernel says so' refused 65 'no Linux kernel|not in 64-bit mode|too early|log' \
  "$INQUEST" dmesg crash.inq --at 1000

# From here on, one core instead of a replay each.
check 'a plain core' "$INQUEST" dump crash.inq -o core.elf
check 'the core has the same log' same <("$INQUEST" dmesg core.elf) dmesg.txt

"$INQUEST" backtrace core.elf >backtrace.txt
check 'the backtrace ends in user mode' grep -q 'user mode' backtrace.txt
for function in panic sysrq_handle_crash write_sysrq_trigger ksys_write do_syscall_64 entry_SYSCALL_64_after_hwframe; do
  check "the backtrace has $function" grep -qE " $function\+0x" backtrace.txt
done
check 'nothing in it is a guess' status 1 grep -q '?' backtrace.txt
# What the kernel printed as sure is what we found, but for the function that printed and for the place in panic.
sed -n 's/^\[ *[0-9.]*\]  \([a-z_][^ ]*+0x.*\)$/\1/p' console.txt | grep -v '^dump_stack\|^panic+' >own.txt
check 'the kernel printed a call trace' test "$(wc -l <own.txt)" -ge 5
check "all of the kernel's own call trace is in it" test \
  "$(while read -r line; do grep -cF " $line" backtrace.txt; done <own.txt | sort -u)" = 1
check 'in the running task' grep -q '^task 1 init$' backtrace.txt
check 'backtraces of all tasks' "$INQUEST" backtrace core.elf --all

"$INQUEST" tasks core.elf --json >tasks.json
check 'init runs' test "$(json tasks.json '[t["name"] for t in it["tasks"] if t["current"]]')" = "['init']"
check 'the list is whole' test "$(json tasks.json '"problem" in it')" = False
"$INQUEST" modules core.elf --json >modules.json
check 'pvpanic is loaded, with a build id' test \
  "$(json modules.json '[len(m["buildID"]) for m in it["modules"] if m["name"] == "pvpanic"]')" = '[40]'
check 'interrupts name the serial port' grep -q ttyS0 <("$INQUEST" interrupts core.elf)

check 'a report' "$INQUEST" report crash.inq -o crash.html
check 'it is one file that needs no network' status 1 grep -qE '(src|href)="?https?:' crash.html
check 'it names the panic' grep -q '<h1>Kernel panic: sysrq triggered crash</h1>' crash.html
"$INQUEST" report core.elf --json >report.json
check 'the report as data' test "$(json report.json 'it["fault"]["symbol"].split("+")[0]')" = sysrq_handle_crash

# Dumps that other tools read.
check 'a compressed kdump' "$INQUEST" dump crash.inq --format kdump-zlib -o vmcore
check 'a kernel-only one' "$INQUEST" dump crash.inq --format kdump-zlib --pages kernel -o small
check 'it is smaller' test "$(stat -c %s small)" -lt "$(stat -c %s vmcore)"
check 'formats that do not go together' refused 64 'pages' "$INQUEST" dump crash.inq --pages kernel -o x.elf
check 'gdb reads registers and memory of the core' grep -q 'rip *0xffffffff.*0x100000:' <(gdb -nx -batch -c core.elf \
  -ex 'info registers rip' -ex 'x/4xb 0x100000' 2>&1 | tr '\n' ' ')

[[ $INQUEST_TEST_ALL == no ]] || source "$repository/tools/lib/packages.bash"
[[ $INQUEST_TEST_ALL == no ]] || install makedumpfile crash
if command -v makedumpfile >/dev/null; then
  for core in core.elf vmcore small; do
    check "makedumpfile reads the log of $core" makedumpfile --dump-dmesg -f "$core" "$core.dmesg"
    check "it is ours ($core)" same "$core.dmesg" dmesg.txt
    check "makedumpfile filters $core" makedumpfile -f -c -d 31 "$core" "$core.filtered"
  done
  check 'filtering ELF and kdump gives the same' same core.elf.filtered vmcore.filtered
fi
if python3 -c 'import drgn' 2>/dev/null; then
  address=$(json modules.json 'it["base"]')
  for core in core.elf vmcore; do
    check "drgn opens $core" python3 -c '
import sys, drgn
program = drgn.Program()
program.set_core_dump(sys.argv[1])
assert program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL
assert len(program.read(int(sys.argv[2], 16), 4096)) == 4096' "$core" "$address"
  done
fi
# With the debug package's vmlinux: INQUEST_VMLINUX=/usr/lib/debug/boot/vmlinux-….
if [[ -r ${INQUEST_VMLINUX:-} ]] && command -v crash >/dev/null; then
  for core in core.elf vmcore; do
    printf 'bt\nlog\nps\nmod\nexit\n' >commands
    crash -s -i commands "$INQUEST_VMLINUX" "$core" >"$core.crash" 2>&1 </dev/null
    check "crash shows the backtrace of $core" grep -q 'sysrq_handle_crash at' "$core.crash"
    check "crash shows the log of $core" grep -q 'sysrq triggered crash' "$core.crash"
    check "crash lists the modules of $core" grep -q 'pvpanic' "$core.crash"
  done
fi
exit 0

# Debian's gdb on recorded runs, backwards too, and on machines that are being recorded.
source "$(dirname "$0")/../lib/check.bash"
remote=$repository/tools/lib/gdbremote.py

# serve NAME TRACE OPTION…: starts `inquest debug`; sets `port`, and `server` to its process.
serve() {
  local name=$1
  shift
  "$INQUEST" debug "$@" --json >"$name.json" 2>"$name.log" &
  server=$!
  started+=("$server")
  for _ in {1..600}; do [[ -s $name.json ]] || sleep 0.05; done
  port=$(json "$name.json" 'it["port"]')
}

# with_gdb FILE COMMAND…: gdb in batch mode on the server, its output into the file.
with_gdb() {
  local output=$1 command
  local arguments=(-ex 'set pagination off' -ex 'set confirm off' -ex "target remote localhost:$port")
  shift
  for command in "$@"; do arguments+=(-ex "$command"); done
  timeout 120 gdb -nx -q -batch "${arguments[@]}" >"$output" 2>&1
}

# symbol NAME: a symbol's address in the guest that panics.
symbol() { nm "$GUESTS/panic.elf" | sed -n "s/^0*\([0-9a-f]*\) . $1$/0x\1/p"; }

# --- A recorded panic, and back from it.
check 'a recording to go through' timeout 60 "$INQUEST" record -m 16 -kernel "$GUESTS/panic.elf" -device pvpanic \
  --seed 7 -serial file:panic.console -o panic.inq
serve panic panic.inq --at panic
check 'debug prints a port' test "$port" -gt 0
check 'debug prints the command for gdb' grep -q "gdb -q -ex 'target remote localhost:$port'" panic.json

balances=$(symbol balances)
culprit=$(symbol culprit)
with_gdb panic.out 'info registers' 'x/8i $rip' 'reverse-stepi' 'x/i $rip' 'stepi' 'monitor info replay' \
  "print \$place = $balances + 8 * *(int*)$culprit" 'watch *(long*)$place' 'reverse-continue' 'x/i $rip'
check 'info registers shows the panic' grep -qE "^rip +$(symbol after_pvpanic) " panic.out
check 'system registers, too' grep -qE '^cr0 .*\[ (WP )?.*PG .*PE|^cr0 .*PE.*PG' panic.out
check 'x/8i disassembles 64-bit code' counts 8 '^(=>|  ) 0x[0-9a-f]+:' <(sed -n '/^efer/,/^0x/p' panic.out | tail -n +2)
check 'reverse-stepi stands at the OUT' grep -qE '^=> .*out +%al,\(%dx\)' panic.out
check 'monitor info replay' grep -q "^Replaying execution 'panic.inq': instruction count = " panic.out
check 'reverse-continue stops at a watchpoint' grep -q '^Old value = ' panic.out
check 'in front of the instruction that wrote' grep -qE '^=> .*(dec|add|sub)' <(tail -n 3 panic.out)

# The coin that went missing: the last write to the culprit's account that is no transfer.
with_gdb culprit.out "watch *(int*)$culprit" 'reverse-continue' 'x/i $rip' 'reverse-stepi' 'x/i $rip'
check 'the fault itself is found' grep -qE '^=> .*decq? ' culprit.out

with_gdb run.out 'monitor seek start' 'maintenance flush register-cache' 'print $rip' "hbreak *$(symbol transfer)" \
  'continue' 'continue 3' 'reverse-continue' 'print $_hit_bpnum' 'delete' 'reverse-continue' 'stepi' 'continue' 'continue'
check 'monitor seek goes to the start' grep -q '^now at 0, rip ' run.out
check 'hbreak stops' counts 3 "^Breakpoint 1, 0x0*$(printf %x "$(symbol transfer)") in" run.out
check 'the start ends reverse-continue' grep -q 'No more reverse-execution history' run.out
check 'the panic stops continue, as a signal that is none' grep -q 'received signal ?, Unknown signal' run.out

with_gdb many.out $(for ((i = 0; i < 40; i++)); do printf 'hbreak*%d ' $((0x200000 + i)); done) \
  "hbreak *$(symbol start64)" 'monitor seek start' 'maintenance flush register-cache' 'continue'
check 'forty hardware breakpoints and one that is met' grep -q '^Breakpoint 41, ' many.out

with_gdb write.out 'set $rax = 5'
check 'a register cannot be written; the message names branch' grep -q 'inquest branch' write.out
with_gdb write.out "set *(char*)$culprit = 1"
check 'nor can memory' grep -qi 'cannot access memory' write.out

with_gdb who.out "monitor who-wrote $culprit 4"
check 'monitor who-wrote' grep -qE '^last written at .* by processor, rip 0x' who.out
with_gdb physical.out 'maintenance packet Qqemu.PhyMemMode:1' "x/2gx $balances" 'maintenance packet Qqemu.PhyMemMode:0'
check 'physical memory' grep -qE "^$balances:" physical.out

# The guest begins in 32-bit mode, which gdb cannot disassemble on a 64-bit machine; the monitor can.
with_gdb mode.out 'monitor seek 20' 'monitor x/2i $pc' "monitor x/2i $(symbol start)" 'monitor x/3i 0xdead0000'
check 'monitor x/i knows the mode' grep -qE '^0x[0-9a-f]+: +rep stosd' mode.out
check 'at an address, too' grep -qE "^$(symbol start): +cli" mode.out

# --- What gdb would not do.
check 'a client that dies in the middle, and the next one' "$remote" "localhost:$port" \
  '?=>^T05thread:01;' 'Z2,100,8=>OK' 'raw:$bc#c5' close 'qC=>^QC01$' 'm100000,8=>^[0-9a-f]{16}$'
check 'Ctrl-C' "$remote" "localhost:$port" 'qRcmd,7365656b207374617274=>.' 'wait:OK' 'raw:$c#63' 'raw:\x03' 'wait:^T(02|8f)'
check 'garbage, and packets that are too long' "$remote" "localhost:$port" \
  'raw:$$$garbage#00#ff+++---\x00\xff' 'raw:$m0,1#ff' 'raw:$' 'many:300000:a' 'raw:#00' 'qC=>^QC01$' \
  'm=>^E' 'vCont;x=>^E' 'Z9,0,0=>^$' 'nonsense=>^$'
check 'no acknowledgements' "$remote" "localhost:$port" 'QStartNoAckMode=>OK' '?=>^T05' 'g=>^[0-9a-f]{1000,}$' 'D=>OK'
check 'the ends of the recording' "$remote" "localhost:$port" 'bc=>^T05replaylog:begin;' 'bs=>^T05replaylog:begin;'
check 'kill ends it' timeout 20 "$remote" "localhost:$port" 'vKill;1=>OK'
wait "$server"
check 'with status 0' test $? = 0

"$INQUEST" debug panic.inq -gdb unix:gdb.sock,server=on,wait=off >unix.out 2>unix.log &
started+=($!)
for _ in {1..200}; do [[ -s unix.out ]] || sleep 0.05; done
check 'on a socket in the file system' "$remote" gdb.sock '?=>^T05' 'vKill;1=>OK'
check 'the command names it' grep -q "target remote $PWD/gdb.sock" unix.out

timeout 60 gdb -nx -q -batch -ex "target remote | '$INQUEST' debug panic.inq -gdb stdio 2>pipe.log" -ex 'reverse-stepi' \
  -ex 'x/i $rip' >pipe.out 2>&1
check 'through a pipe' grep -qE '^=> .*out +%al,\(%dx\)' pipe.out

check 'a port in use is told' refused 69 'in use' bash -c \
  "'$INQUEST' debug panic.inq -gdb tcp:127.0.0.1:0 >first.out 2>/dev/null & trap 'kill %1' EXIT
   for _ in {1..200}; do [[ -s first.out ]] || sleep 0.05; done
   '$INQUEST' debug panic.inq -gdb tcp:127.0.0.1:\$(sed -n 's/.*localhost:\([0-9]*\).*/\1/p' first.out)"

# --- A machine that is being recorded.
# live NAME OPTION…: starts a recording with a gdb server; sets `port` and `recorder`.
live() {
  local name=$1
  shift
  timeout 100 "$INQUEST" record -m 16 -kernel "$GUESTS/panic.elf" -device pvpanic --seed 7 -serial "file:$name.console" \
    -o "$name.inq" "$@" >"$name.log" 2>&1 &
  recorder=$!
  started+=("$recorder")
  for _ in {1..200}; do grep -q 'waiting for gdb' "$name.log" 2>/dev/null || sleep 0.05; done
  port=$(sed -n 's/.*localhost:\([0-9]*\).*/\1/p' "$name.log")
}
live watched -gdb tcp:127.0.0.1:0,server=on,wait=off -S -qmp unix:qmp.sock,server=on,wait=off
with_gdb watched.out 'print $rip' "hbreak *$(symbol transfer)" 'continue' 'stepi' 'delete' \
  "watch *(long*)$(symbol transfers)" 'continue' 'continue' 'delete'
check '-S waits at the first instruction' grep -q "= .*$(symbol start)$" watched.out
check 'a watchpoint in a live machine' grep -q '^New value = 2' watched.out
# gdb has gone and let the machine go on; the next one finds it in its panic.
for _ in {1..200}; do grep -q PANIC watched.console && break || sleep 0.05; done
with_gdb again.out 'print $rip' 'continue' 'kill'
check 'another gdb finds the panic' grep -q "= .*$(symbol after_pvpanic)$" again.out
wait "$recorder"
check 'a replay of a run that was only watched' timeout 60 "$INQUEST" replay watched.inq -serial file:watched.again
check 'the guest saw nothing of the debugger' same <(sed '/^.*PANIC/,$d' panic.console) <(sed '/^.*PANIC/,$d' watched.console)

live changed -gdb tcp:127.0.0.1:0,server=on,wait=off -S
with_gdb changed.out "hbreak *$(symbol transfer)" 'continue' "set *(long*)$balances = 5000" 'set $rbx = 3' \
  'set $xmm5.v2_int64[1] = 7' 'delete' 'continue' 'kill'
wait "$recorder"
check 'a live debugger changes the run' grep -q 'total 2[0-9]*, expected 256000' changed.console
check 'memory and registers are inputs of the trace' test \
  "$("$INQUEST" events changed.inq --kind debuggerWrite | wc -l)" = 3
check 'the replay applies them' timeout 60 "$INQUEST" replay changed.inq -serial file:changed.again
check 'and says the same' same changed.console changed.again
serve changed changed.inq --at panic
with_gdb changed-back.out 'print $xmm5.v2_int64[1]' "hbreak *$(symbol transfer)" 'reverse-continue' 'reverse-continue' \
  "print *(long*)$balances" 'reverse-continue' 'stepi' 'reverse-stepi' 'print $xmm5.v2_int64[1]' 'reverse-stepi' \
  "print *(long*)$balances"
check 'what a debugger wrote is there in a replay' grep -q '^\$1 = 7' changed-back.out
check 'and is not there before' test "$(sed -n 's/^\$4 = //p' changed-back.out)" = 1000
kill "$server"

# --- A branch, and a replay that gdb comes to.
start() { # start NAME COMMAND…: in the background; sets `port`.
  local name=$1
  shift
  timeout 100 "$@" >"$name.log" 2>&1 &
  recorder=$!
  started+=("$recorder")
  for _ in {1..200}; do grep -q 'waiting for gdb' "$name.log" 2>/dev/null || sleep 0.05; done
  port=$(sed -n 's/.*localhost:\([0-9]*\).*/\1/p' "$name.log")
}
start branch "$INQUEST" branch panic.inq --at panic-2000 -gdb tcp:127.0.0.1:0 -S -serial file:branch.console -o branch.inq
with_gdb branch.out "set *(int*)$culprit = 99" 'continue' "print *(int*)$culprit" 'kill'
wait "$recorder"
check 'a branch that gdb changes, through its panic' grep -q '^\$1 = 99' branch.out
check 'it replays' timeout 60 "$INQUEST" replay branch.inq -serial null

start replayed "$INQUEST" replay panic.inq -gdb tcp:127.0.0.1:0 -S -serial file:replayed.console
with_gdb replayed.out "hbreak *$(symbol transfer)" 'continue' 'delete' 'continue' 'reverse-stepi' 'x/i $rip' 'kill'
wait "$recorder"
check 'replay -gdb -S' grep -qE '^=> .*out +%al,\(%dx\)' replayed.out
check 'shows the console once' same replayed.console panic.console
check 'replay -gdb without gdb runs to the end' timeout 60 "$INQUEST" replay panic.inq -gdb tcp:127.0.0.1:0 -serial null

# --- Without gdb.
"$INQUEST" registers panic.inq >registers.out 2>&1
check 'inquest registers' grep -q "^RIP=0*$(printf %x "$(symbol after_pvpanic)") " registers.out
"$INQUEST" registers panic.inq --all >registers.all 2>&1
check 'inquest registers --all' grep -q '^XMM00=' registers.all
"$INQUEST" registers panic.inq --json >registers.json 2>/dev/null
check 'inquest registers --json' test "$(json registers.json 'it["registers"]["rip"]')" = "$(symbol after_pvpanic)"
"$INQUEST" memory panic.inq --address "$balances" --length 2048 --raw >linear.bin 2>/dev/null
"$INQUEST" memory panic.inq --address "$balances" --length 0x800 --physical --raw >physical.bin 2>/dev/null
check 'inquest memory, linear and physical' same linear.bin physical.bin
check 'the missing coin' test "$(python3 -c "import struct; print(sum(struct.unpack('<256q', open('linear.bin', 'rb').read())))")" = 255999
check 'memory that is not there' refused 64 'no mapped memory' "$INQUEST" memory panic.inq --address 0xdead00000000
"$INQUEST" serial panic.inq >serial.out
check 'inquest serial' same serial.out panic.console
check 'inquest serial within a line' test "$("$INQUEST" serial panic.inq --at 40000 | wc -c)" -lt "$(wc -c <panic.console)"

check 'an address that is none' refused 64 'a number' "$INQUEST" memory panic.inq --address 12z

# --- Debian's cloud kernel.
check 'the cloud kernel panics' timeout 300 "$INQUEST" record -m 256 -kernel "$GUESTS/cloud/vmlinuz" \
  -initrd "$GUESTS/cloud/initrd.img" -append 'console=ttyS0 panic=1' -device pvpanic -serial file:cloud.console -o cloud.inq
"$INQUEST" memory cloud.inq --address linux_banner --length 16 --raw >banner.out 2>/dev/null
check 'cloud: memory by symbol' grep -q '^Linux version ' banner.out
serve cloud cloud.inq --at panic
with_gdb cloud.out 'info registers rip' 'x/8i $rip' 'reverse-stepi' 'x/i $rip' 'stepi' 'print $sp' 'watch *(long*)$sp' \
  'reverse-continue' 'x/i $rip' 'monitor who-wrote $rsp' 'delete' 'hbreak *$rip' 'stepi' 'reverse-continue' 'detach'
check 'cloud: registers' grep -qE '^rip +0xffffffff' cloud.out
check 'cloud: eight instructions' test "$(sed -n '/^rip/,/^0x/p' cloud.out | grep -cE '^(=>|  ) 0x')" -ge 8
check 'cloud: reverse-stepi stands at the OUT' grep -qE '^=> .*out +%al,\(%dx\)' cloud.out
check 'cloud: reverse-continue to the last write of the stack' grep -q '^Old value = ' cloud.out
check 'cloud: who-wrote' grep -qE '^last written at .* by processor' cloud.out
check 'cloud: back to a breakpoint' grep -qE '^Breakpoint [0-9]+, ' cloud.out
with_gdb cloud-again.out 'info registers rip' 'monitor seek panic' 'monitor info replay'
check 'cloud: detached and back' grep -q "^Replaying execution 'cloud.inq'" cloud-again.out
kill "$server"
serve named cloud.inq --at panic --symbols guest
symbols=$(sed -n "s/.*symbol-file \([^']*\)'.*/\1/p" named.json)
with_gdb named.out "symbol-file $symbols" 'flushregs' 'bt' 'hbreak sysrq_handle_crash' 'reverse-continue' 'bt 2'
check 'cloud: the guest'"'"'s own symbols name the frames' grep -qE '^#[1-9].* in panic \(\)' named.out
check 'cloud: up to the system call' grep -qE '^#[0-9]+ .* in do_syscall_64 \(\)' named.out
check 'cloud: a breakpoint by name, backwards' grep -q '^Breakpoint 1, .* in sysrq_handle_crash ()' named.out
kill "$server"
wait "$server"
check 'the file with the symbols is gone' test ! -e "$symbols"

exit 0

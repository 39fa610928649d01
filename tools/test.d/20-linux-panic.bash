# The main job on Debian's cloud kernel: recorded through a panic, a `cont`, a reboot and a second panic; replayed,
# dumped, branched.
source "$(dirname "$0")/../lib/check.bash"

linux=(-m 256 -kernel "$GUESTS/cloud/vmlinuz" -initrd "$GUESTS/cloud/initrd.img"
  -append 'console=ttyS0 panic=1' -device pvpanic)

timeout 300 "$INQUEST" record "${linux[@]}" -serial file:live.console \
  -qmp unix:qmp.sock,server=on,wait=off -o crash.inq >record.log 2>&1 &
recorder=$!
started+=("$recorder")
check 'panic, dump, cont, reboot, second panic, quit over QMP' "$qmp" qmp.sock --timeout 240 \
  wait:GUEST_PANICKED wait:STOP status:guest-panicked \
  '{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:live.elf"}}' \
  cont wait:RESUME wait:RESET wait:GUEST_PANICKED wait:STOP status:guest-panicked quit
wait "$recorder"
check 'the recording ended well' test $? = 0
check 'the kernel panicked twice' counts 2 'Kernel panic - not syncing' live.console
check 'after cont the kernel finished its panic' counts 1 'Rebooting in 1 seconds' live.console
check 'pvpanic was bound: nothing failed to load' status 1 grep -aq 'not loaded' live.console
check 'lz4 accepts the trace' lz4 -qt crash.inq

"$INQUEST" info --json crash.inq >info.json
check 'info counts two panics' test "$(json info.json 'len(it["panics"])')" = 2

check 'the replay reaches the end' timeout 300 "$INQUEST" replay crash.inq -serial file:again.console
check 'its console is the same to the byte' same live.console again.console

check 'dump at the panic' "$INQUEST" dump crash.inq --at panic -o core.elf.gz
check 'gzip accepts the dump' gzip -t core.elf.gz
gzip -dc core.elf.gz >core.elf
check 'it is the dump that QMP wrote' same core.elf live.elf
check 'plain dump' "$INQUEST" dump crash.inq --at panic -o plain.elf
check 'the plain dump has the same bytes' same core.elf plain.elf
readelf -aW core.elf >readelf.out 2>&1
check 'readelf finds nothing wrong' status 1 grep -iE 'warning|error:' readelf.out

# The OUT that told pvpanic is one byte long (EE: OUT DX, AL) and lies right before RIP.
gdb -nx -batch -c core.elf -ex 'info registers' -ex 'print/x $cs' >gdb.out 2>&1
rip=$(sed -n 's/^rip *\(0x[0-9a-f]*\).*/\1/p' gdb.out)
check 'gdb shows the kernel at the panic' test "${rip:0:10}" = 0xffffffff
check 'DX is the port of pvpanic' grep -qE '^rdx +0x[0-9a-f]*505 ' gdb.out
check 'CS is the kernel'"'"'s' grep -q '0x10$' gdb.out

replays=1
[[ $INQUEST_TEST_ALL == no ]] || replays=10
for ((run = 1; run <= replays; run++)); do
  "$INQUEST" dump crash.inq --at panic -o "again-$run.elf" >/dev/null 2>&1
  check "replay $run has the same memory and registers" same core.elf "again-$run.elf"
  rm -f "again-$run.elf"
done

check 'branch with cont' "$INQUEST" branch crash.inq --at panic --qmp '{"execute":"cont"}' --seed 7 --until reset -o a.inq
check 'the same again' "$INQUEST" branch crash.inq --at panic --qmp '{"execute":"cont"}' --seed 7 --until reset -o b.inq
check 'branch with system_reset' \
  "$INQUEST" branch crash.inq --at panic --qmp '{"execute":"system_reset"}' --qmp '{"execute":"cont"}' --seed 7 --until t=+1s -o c.inq
check 'the same command and seed: identical' "$INQUEST" diff a.inq b.inq
check 'another command: different' status 1 "$INQUEST" diff a.inq c.inq
mkdir elsewhere
cp a.inq elsewhere
check 'a branch replays alone' timeout 120 "$INQUEST" replay elsewhere/a.inq

exit 0

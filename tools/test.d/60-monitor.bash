# Monitors and consoles as people and programs use them: terminals, hostile clients, real clients, descriptors.
source "$(dirname "$0")/../lib/check.bash"

type=$repository/tools/lib/terminal.py
echo=(-m 8 -kernel "$GUESTS/serial-echo.elf")

check 'a terminal shared by console and monitor' "$type" see:ready 'type:hello\r' see:hello \
  'type:\x01c' 'see:(qemu) ' 'type:info status\r' 'see:VM status: running' 'see:(qemu) ' \
  'type:\x01c' 'type:again\r' see:again 'type:\x01h' 'see:C-a x' 'type:\x01x' end:0 \
  -- "$INQUEST" run "${echo[@]}" -nographic
check 'there Ctrl-C and Ctrl-a Ctrl-a are for the guest' "$type" see:ready 'type:ab\x03\x01\x01\r' see:5 'type:\x04' end:0 \
  -- "$INQUEST" run "${echo[@]}" -serial mon:stdio
check 'on a plain console Ctrl-C ends the run' "$type" see:ready 'type:ab\x03' end:0 \
  -- "$INQUEST" run "${echo[@]}" -serial stdio
check 'completion and editing on a monitor' "$type" 'see:(qemu) ' 'type:inf\t' see:info 'type: st\tatus\r' \
  'see:VM status' 'type:y\x7fx/2i $rip\r' see:0x 'type:quit\r' end:0 \
  -- "$INQUEST" run "${echo[@]}" -monitor stdio -serial null
check 'a pseudo terminal' "$type" --pty pty.log see:ready 'type:hello\r' see:hello 'type:\x04' end:0 \
  -- "$INQUEST" run "${echo[@]}" -serial pty

run=("$INQUEST" run "${echo[@]}")
check 'a socket where there is no folder' refused 69 'nofolder' "${run[@]}" -qmp unix:nofolder/q,server=on,wait=off
check 'a server that is not there' refused 69 'refused' "${run[@]}" -serial tcp:localhost:1
check 'a file that cannot be made' refused 69 'nofolder' "${run[@]}" -serial file:nofolder/x
check 'a device that is not there' refused 69 'nodevice' "${run[@]}" -monitor pipe:nodevice

check 'a command line of QEMU' timeout 60 "$INQUEST" record -o from.inq --from-qemu \
  "qemu-system-x86_64 -M q35,accel=kvm:tcg -enable-kvm -cpu host -m 16 -smp 1 -kernel $GUESTS/hello.elf
   -netdev user,id=n -device e1000,netdev=n -vga qxl -boot c -no-reboot -nographic"
check 'until the first panic' timeout 60 "$INQUEST" record -m 16 -kernel "$GUESTS/panic.elf" -device pvpanic \
  -serial null --on-panic cont --until panic --seed 3 -o until.inq

# served FOLDER ARGUMENT…: starts a recording with a QMP socket at FOLDER/qmp.
served() {
  local folder=$1
  shift
  mkdir "$folder"
  "$INQUEST" record "$@" -serial null -qmp "unix:$folder/qmp,server=on,wait=off" \
    -o "$folder/run.inq" >"$folder/log" 2>&1 &
  started+=("$!")
  recorder=$!
  for _ in {1..200}; do [[ -S $folder/qmp ]] || sleep 0.05; done
}

served storm "${echo[@]}"
check 'the socket is private' test "$(stat -c %a storm/qmp)" = 600
check '10,000 connections, half commands, disconnections' \
  "$repository/tools/lib/qmp-storm.py" storm/qmp "$recorder" 10000 1
check 'socat is served' grep -q '"running": true' <(
  printf '{"execute":"qmp_capabilities"}{"execute":"query-status"}' | timeout 10 socat -t 5 - UNIX-CONNECT:storm/qmp)
check 'the machine goes on' "$qmp" storm/qmp status:running quit
wait "$recorder"
check 'the socket is gone' test ! -e storm/qmp
check 'that recording replays' "$INQUEST" replay storm/run.inq -serial null

# Descriptors over the socket, detached dumps, what drgn asks.
served panicked -m 64 -kernel "$GUESTS/panic.elf" -device pvpanic --seed 5 -S
check 'a machine that waits for cont, and panics' "$qmp" panicked/qmp status:prelaunch cont wait:GUEST_PANICKED wait:STOP \
  status:guest-panicked
check 'dumps into descriptors' python3 "$repository/tools/lib/qmp-descriptors.py" panicked/qmp
check 'human monitor' "$qmp" panicked/qmp \
  '{"execute":"human-monitor-command","arguments":{"command-line":"info mtree -f"}}' \
  '{"execute":"human-monitor-command","arguments":{"command-line":"info pic"}}' \
  '{"execute":"human-monitor-command","arguments":{"command-line":"info tlb"}}' \
  '{"execute":"human-monitor-command","arguments":{"command-line":"gpa2hva 0x1000"}}'

if [[ $INQUEST_TEST_ALL == yes ]]; then
  source "$repository/tools/lib/packages.bash"
  install python3-venv
  python3 -m venv venv && venv/bin/pip -q install qemu.qmp drgn
  check 'qmp-shell' grep -q 'guest-panicked' <(
    printf 'query-status\nhuman-monitor-command command-line="info status"\n' |
      timeout 20 venv/bin/qmp-shell panicked/qmp)
  check 'QMPClient' timeout 30 venv/bin/python "$repository/tools/lib/qmp-client.py" panicked/qmp
  check 'drgn reads the memory' timeout 60 venv/bin/drgn --qemu panicked/qmp -q -e \
    'assert len(prog.read(0x100000, 4096, True)) == 4096'
fi
check 'the end' "$qmp" panicked/qmp quit
wait "$recorder"
if [[ $INQUEST_TEST_ALL == yes ]]; then
  timeout 120 "$INQUEST" replay panicked/run.inq -serial null --until panic \
    -qmp unix:panicked/replayed,server=on,wait=on >panicked/replay.log 2>&1 &
  started+=("$!")
  for _ in {1..100}; do [[ -S panicked/replayed ]] || sleep 0.05; done
  check 'drgn on a replay' timeout 60 venv/bin/drgn --qemu panicked/replayed -q -e \
    'assert len(prog.read(0x100000, 4096, True)) == 4096'
  wait "$!"
fi

exit 0

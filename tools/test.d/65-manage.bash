# `inquest manage`: each policy, the rules of QEMU 1.6, managers that die, and Debian's QEMU.
source "$(dirname "$0")/../lib/check.bash"

"$repository/tools/guests-asm" -D PANICS=6 -o . panics
mv panics.elf six.elf
"$repository/tools/guests-asm" -D PANICS=1 -o . panics
mv panics.elf one.elf
record=("$INQUEST" record -m 4 -device pvpanic -serial null -qmp unix:qmp.sock,server=on,wait=off)

# managed NAME POLICY MACHINE…: a machine from its start to its end under a manager; its journal is NAME/manage.jsonl.
managed() {
  local name=$1 policy=$2 machine
  shift 2
  mkdir "$name"
  rm -f qmp.sock
  timeout 60 "$@" >"$name/machine.log" 2>&1 &
  machine=$!
  started+=("$machine")
  timeout 60 "$INQUEST" manage --qmp qmp.sock --on-panic "$policy" --dump-dir "$name" 2>"$name/log"
  local status=$?
  wait "$machine" || true
  return $status
}
outcomes() { sed -n 's/.*"outcome": "\([^"]*\)".*/\1/p' "$1/manage.jsonl" | sort | uniq -c | tr -s ' ' | sed 's/^ //'; }

check 'cont' managed cont cont "${record[@]}" -kernel six.elf -o cont.inq
check 'six panics were continued' test "$(outcomes cont)" = '6 continued'
check 'reset' managed reset reset "${record[@]}" -kernel six.elf -o reset.inq
check 'six panics were reset' test "$(outcomes reset)" = '6 reset'
check 'destroy with a core' managed destroy coredump-destroy "${record[@]}" -name vm -kernel six.elf -o destroy.inq
check 'one panic, one core' test "$(outcomes destroy) $(find destroy -name 'vm-20*' | wc -l)" = '1 destroyed 1'
check 'reset with -no-reboot' managed ended coredump-reset "${record[@]}" -no-reboot -kernel six.elf -o ended.inq
check 'the machine ended' test "$(outcomes ended)" = '1 ended'
check 'what was done is in the trace' test \
  "$("$INQUEST" events --kind command --json cont.inq | grep -c '\\"cont\\"')" = 6
check 'the managed run replays' "$INQUEST" replay cont.inq -serial null

# Preserved, found again by another manager, and not handled again.
rm -f qmp.sock
timeout 60 "${record[@]}" -kernel one.elf -o preserve.inq >preserve.log 2>&1 &
machine=$!
started+=("$machine")
mkdir preserve
for _ in 1 2; do
  timeout 60 "$INQUEST" manage --qmp qmp.sock --on-panic coredump-preserve --dump-dir preserve 2>>preserve/log &
  manager=$!
  for _ in {1..100}; do grep -qs handled preserve/manage.jsonl && break; sleep 0.05; done
  sleep 0.3
  kill "$manager"
  wait "$manager" 2>/dev/null
done
check 'preserved once' test "$(outcomes preserve) $(find preserve -name 'guest-20*' | wc -l)" = '1 preserved 1'
check 'the machine still stands at its panic' "$qmp" qmp.sock status:guest-panicked quit
wait "$machine"

# QEMU 1.6: cont is refused, a reset is the way out.
rm -f qmp.sock
timeout 60 "${record[@]}" -machine panic-policy=qemu-1.6 -kernel one.elf -o old.inq >old.log 2>&1 &
machine=$!
started+=("$machine")
mkdir old
timeout 60 "$INQUEST" manage --qmp qmp.sock --on-panic cont --dump-dir old 2>old/log &
manager=$!
for _ in {1..100}; do grep -qs handled old/manage.jsonl && break; sleep 0.05; done
check 'a refused cont leaves the machine paused' test "$(outcomes old)" = '1 stays-paused'
check 'and says that QEMU should be updated' grep -q 'should be updated' old/log
kill "$manager"
wait "$manager" 2>/dev/null
check 'with the error of QEMU 1.6, and its way out' "$qmp" qmp.sock status:guest-panicked !cont \
  status:guest-panicked system_reset status:paused cont quit
wait "$machine"
check 'the run under the old rules replays' "$INQUEST" replay old.inq -serial null

check 'no machine' refused 69 'qmp' "$INQUEST" manage --qmp nobody.sock --on-panic cont --wait 0 --journal j
check 'an unknown policy' refused 64 'on-panic frob' "$INQUEST" manage --qmp x --on-panic frob

kills=12
[[ $INQUEST_TEST_ALL == no ]] || kills=200
"$repository/tools/guests-asm" -D PANICS=20 -o . panics
mkdir kills
check "$kills managers killed: no panic lost, none handled twice" \
  env -C kills "$repository/tools/lib/manage-kills.py" --kills "$kills" "$INQUEST" -- \
  "$INQUEST" run -m 4 -device pvpanic -serial null -kernel "$PWD/panics.elf" -qmp 'unix:{qmp},server=on,wait=off'
if [[ $INQUEST_TEST_ALL == yes ]]; then
  mkdir core-kills
  check '60 managers killed while they write cores and reset' \
    env -C core-kills "$repository/tools/lib/manage-kills.py" --policy coredump-reset --kills 60 "$INQUEST" -- \
    "$INQUEST" run -m 4 -device pvpanic -serial null -kernel "$PWD/panics.elf" -qmp 'unix:{qmp},server=on,wait=off'
  source "$repository/tools/lib/packages.bash"
  install qemu-system-x86
fi
if command -v qemu-system-x86_64 >/dev/null; then
  qemu=(qemu-system-x86_64 -m 16 -nodefaults -display none -device pvpanic -action panic=pause
    -device isa-debug-exit -qmp unix:qmp.sock,server=on,wait=off)
  check "Debian's QEMU: reset" managed qemu-reset coredump-reset "${qemu[@]}" -kernel six.elf
  check 'six panics, six cores' test "$(outcomes qemu-reset) $(find qemu-reset -name 'guest-20*' | wc -l)" = '6 reset 6'
  if [[ $INQUEST_TEST_ALL == yes ]]; then
    mkdir qemu-kills
    check "60 managers of Debian's QEMU killed" \
      env -C qemu-kills "$repository/tools/lib/manage-kills.py" --kills 60 "$INQUEST" -- \
      qemu-system-x86_64 -m 16 -nodefaults -display none -device pvpanic -action panic=pause -device isa-debug-exit \
      -kernel "$PWD/panics.elf" -qmp 'unix:{qmp},server=on,wait=off'
  fi
fi

exit 0

# Kernels that the host unpacks: the cloud kernel boots as it does by its own decompressor, and replays anywhere.
source "$(dirname "$0")/../lib/check.bash"

# boot NAME KERNEL-FOLDER APPEND [OPTION]…: records a boot to its panic as NAME.inq, NAME.console, NAME.json.
boot() {
  local name=$1 guest=$2 append=$3
  shift 3
  timeout 300 "$INQUEST" record -m 256 -kernel "$guest/vmlinuz" -initrd "$guest/initrd.img" \
    -append "console=ttyS0 $append" -device pvpanic -serial "file:$name.console" --json -o "$name.inq" "$@" >"$name.json"
}

# messages FILE: a kernel's log without what differs between any two boots: times, addresses, sizes of what lies at random
# places, identifiers, and the guesses ("? …") of stack traces.
messages() {
  tr -d '\r' <"$1" | grep -avE '^\[[^]]*\]  \? |setting system clock|sched_clock: Marking|INQUEST: boot' |
    sed -E 's/^\[ *[0-9]+\.[0-9]+\] //; s/0x[0-9a-f]+/ADDRESS/g; s/\b[0-9a-f]{8,}\b/NUMBER/g; s/[0-9]+K\b/SIZE/g' |
    LC_ALL=C sort
}

# alike FILE FILE: whether two boots said the same.
alike() { diff <(messages "$1") <(messages "$2"); }

cloud=$GUESTS/cloud
check 'the cloud kernel, unpacked by the host' boot host "$cloud" '' --seed 11
check 'the same, unpacked by itself' boot guest "$cloud" '' --seed 11 -machine pc,fast-boot=off
check 'the host did unpack it' grep -q '"fastBoot" : "lz4 kernel unpacked to' host.json
check 'the guest did unpack it' status 1 grep -q fastBoot guest.json
check 'both panicked' counts 1 'Kernel panic - not syncing' host.console
check 'both said the same' alike host.console guest.console
check 'that saved instructions' test "$(json host.json 'it["instructions"]')" -lt "$(json guest.json 'it["instructions"]')"

check 'its digest stands at the start' test "$("$INQUEST" events host.inq --kind digest | head -n 1 | cut -d ' ' -f 1)" = 0
check 'it replays' timeout 120 "$INQUEST" replay host.inq -serial file:again.console
check 'with the same console' same host.console again.console

check 'another seed' boot other "$cloud" '' --seed 12
check 'puts it elsewhere' status 1 cmp <(grep fastBoot host.json) <(grep fastBoot other.json)
check 'nokaslr' boot fixed "$cloud" nokaslr --seed 11
check 'leaves it where it was linked' grep -q 'unpacked to 0x1000000, not moved' fixed.json
check 'what the decompressor heeds is left to it' boot left "$cloud" mem=200M --seed 11
check 'and the report says why' grep -q "the guest unpacks its kernel: the command line has 'mem='" left.json

if [[ $INQUEST_TEST_ALL == yes ]]; then
  standard=$GUESTS/standard
  check 'the standard kernel, unpacked by the host' boot standard-host "$standard" '' --seed 11
  check 'the same, unpacked by itself' boot standard-guest "$standard" '' --seed 11 -machine fast-boot=off
  check 'the host did unpack it' grep -q '"fastBoot" : "xz kernel unpacked to' standard-host.json
  check 'both said the same' alike standard-host.console standard-guest.console
  check 'it replays' timeout 120 "$INQUEST" replay standard-host.inq
  check '6 GiB of memory' boot large "$cloud" '' --seed 1 -m 6G
  check 'the kernel may lie above 4 GiB' grep -q 'unpacked to 0x1[0-9a-f]\{8\},' large.json
  check 'and panics there as well' counts 1 'Kernel panic - not syncing' large.console
fi
exit 0

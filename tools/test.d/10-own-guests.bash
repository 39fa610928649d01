# The project's own guests: recorded, and replayed to the byte.
source "$(dirname "$0")/../lib/check.bash"

record() { timeout 60 "$INQUEST" record -m 16 "$@"; }

# record_replay NAME GUEST OPTION…: records, replays, compares the consoles.
record_replay() {
  local name=$1 guest=$2
  shift 2
  record -kernel "$GUESTS/$guest.elf" -serial "file:$name.console" -o "$name.inq" "$@" || return 1
  timeout 60 "$INQUEST" replay "$name.inq" -serial "file:$name.again" >"$name.replay" 2>&1 || {
    cat "$name.replay"
    return 1
  }
  grep -q '0 divergences' "$name.replay" || { cat "$name.replay"; return 1; }
  same "$name.console" "$name.again"
}

check 'hello' record_replay hello hello
check 'hello says so' grep -q '^hello, loaded by' hello.console
check 'lz4 accepts the trace' lz4 -qt hello.inq
check 'isa-debug-exit gives its status' status 33 record -kernel "$GUESTS/hello.elf" -device isa-debug-exit -o exit.inq

check 'a panic with nobody to continue it ends the recording' \
  record_replay panic panic -device pvpanic
check 'continued twice, the guest restarts twice and switches off' \
  record_replay continued panic -device pvpanic --on-panic cont
check 'both panics are on the console' counts 2 '^PANIC: ledger' continued.console
check 'three boots are on the console' counts 3 '^ledger: boot' continued.console
"$INQUEST" info --json continued.inq >continued.json
check 'info counts two panics' test "$(json continued.json 'len(it["panics"])')" = 2

check 'panic=none: the guest runs on through every event' \
  record_replay events events -device pvpanic -action panic=none
check 'the race does not show without chaos' record_replay race race -device pvpanic
check 'all ticks came on time' grep -q 'all ticks came on time' race.console

# Fresh entropy: two recordings differ; a seed repeats.
check 'first recording' record_replay first random
check 'second recording' record_replay second random
check 'two recordings differ' status 1 cmp -s first.console second.console
check 'a seed' record_replay seed-a random --seed 7
check 'the same seed' record_replay seed-b random --seed 7
check 'a seed repeats the run' same seed-a.console seed-b.console
check 'diff calls them identical' "$INQUEST" diff seed-a.inq seed-b.inq
check 'diff tells two recordings apart' status 1 "$INQUEST" diff first.inq second.inq

hundred() {
  local run
  for run in {1..100}; do
    record_replay hundred random || { echo "run $run"; return 1; }
    tail -n 2 hundred.console | head -n 1 >>hashes
  done
  [[ $(sort -u hashes | wc -l) == 100 ]] || { echo 'two of the hundred runs were alike'; return 1; }
}
check 'a hundred recordings with random seeds replay, no two alike' hundred

# Typing: what comes in on a socket is an input, and comes again in the replay.
"$INQUEST" record -m 16 -kernel "$GUESTS/serial-echo.elf" \
  -serial unix:serial.sock,server=on,wait=on -o echo.inq >echo.log 2>&1 &
recorder=$!
started+=("$recorder")
for _ in {1..100}; do [[ -S serial.sock ]] || sleep 0.05; done
(
  sleep 0.3
  printf 'what is typed\r'
  sleep 0.2
  printf 'comes back\r\004'
  sleep 0.5
) | timeout 20 socat -t 5 - UNIX-CONNECT:serial.sock >echo.console
wait "$recorder"
check 'the echo guest got what was typed' grep -q 'off after 26 bytes' echo.console
check 'it gets it again in the replay' timeout 20 "$INQUEST" replay echo.inq -serial file:echo.again
check 'the replay says the same' same echo.console echo.again

exit 0

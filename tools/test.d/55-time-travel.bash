# Time travel on Debian's cloud kernel: who wrote, the last instructions, stored checkpoints, the first difference.
source "$(dirname "$0")/../lib/check.bash"

linux=(-m 256 -kernel "$GUESTS/cloud/vmlinuz" -initrd "$GUESTS/cloud/initrd.img"
  -append 'console=ttyS0 panic=1' -device pvpanic)

check 'a recording with a checkpoint at its panic' timeout 300 "$INQUEST" record "${linux[@]}" --seed 11 -o crash.inq
check 'and one without' timeout 300 "$INQUEST" record "${linux[@]}" --seed 11 --checkpoint none -o plain.inq
"$INQUEST" info --json crash.inq >info.json
check 'info names the checkpoint' test "$(json info.json 'len(it["checkpoints"])')" = 1
check 'it is at the panic' test "$(json info.json 'it["checkpoints"][0]["instant"] == it["panics"][0]["instant"]')" = True
check 'lz4 accepts the trace' lz4 -qt crash.inq
check 'the two recordings are the same run' "$INQUEST" diff crash.inq plain.inq
check 'the trace replays as before' timeout 300 "$INQUEST" replay crash.inq

"$INQUEST" trace crash.inq --last 50 --at panic --json >stored.json 2>stored.err
"$INQUEST" trace plain.inq --last 50 --at panic --json >executed.json 2>executed.err
check 'the last instructions are those of a replay' same stored.json executed.json
check 'fifty of them' counts 50 '"rip"' stored.json
check 'the last is the OUT to pvpanic' grep -q '"bytes":"ee"' <(tail -n 1 stored.json)

"$INQUEST" who-wrote plain.inq --address jiffies --at panic --json >wrote.json
check 'who-wrote names an instruction of the kernel' grep -q '"symbol" : ".*jiffies' wrote.json
instant=$(json wrote.json 'it["write"]["instructions"]')
new=$(json wrote.json 'it["write"]["new"].replace(" ", "")')
old=$(json wrote.json 'it["write"]["old"].replace(" ", "")')
physical=$(json wrote.json 'it["write"]["physical"]')
# One delivery or instruction later the new value is there.
"$INQUEST" memory plain.inq --at "$instant" --physical --address "$physical" --length 8 --json >before.json
"$INQUEST" memory plain.inq --at "$((instant + 1))" --physical --address "$physical" --length 8 --json >after.json
check 'the old value lies there before it' grep -q "$old" before.json
check 'the new value lies there behind it' grep -q "$new" after.json

check 'checkpoints are added' timeout 300 "$INQUEST" checkpoint plain.inq --every 400M --panics
"$INQUEST" info --json plain.inq >info.json
check 'several of them' test "$(json info.json 'len(it["checkpoints"]) >= 4')" = True
"$INQUEST" who-wrote plain.inq --address jiffies --at panic --json >again.json
check 'what is asked from a checkpoint is answered the same' same wrote.json again.json
check 'they can be removed' "$INQUEST" checkpoint plain.inq --remove
check 'and then the trace is as before' "$INQUEST" diff crash.inq plain.inq

check 'a branch with another seed' timeout 300 "$INQUEST" branch crash.inq --at 500M --seed 12 -o branch.inq
check 'parts from its parent' status 1 "$INQUEST" diff crash.inq branch.inq --instructions --json
"$INQUEST" diff crash.inq branch.inq --instructions --json >diff.json
check 'it names both sides' test "$(json diff.json \
  'it["parting"]["first"]["step"]["instant"] == it["parting"]["second"]["step"]["instant"]')" = True
check 'and the seed as the cause' test "$(json diff.json 'it["cause"]["kind"] in ("input", "consequence")')" = True

check 'an unmapped address is refused' refused 64 'nothing is mapped' "$INQUEST" who-wrote crash.inq --address 0x10 --at panic
check 'an address that is none is refused' refused 64 'not a number' "$INQUEST" who-wrote crash.inq --address 0xfoo
check 'a damaged count is refused' refused 64 'not a size' "$INQUEST" trace crash.inq --checkpoint-memory many
exit 0

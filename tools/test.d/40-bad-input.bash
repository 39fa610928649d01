# Bad input: one clear line and the right status.
source "$(dirname "$0")/../lib/check.bash"

record=("$INQUEST" record -m 16 -serial null -o out.inq)
hello=(-kernel "$GUESTS/hello.elf")
: >empty
head -c 1000 "$GUESTS/cloud/vmlinuz" >truncated
head -c 5000 /bin/bash >foreign
echo 'a text' >text

check 'missing kernel' refused 66 'nowhere' "${record[@]}" -kernel nowhere
for file in empty truncated text; do check "$file kernel" refused 65\|66 "$file" "${record[@]}" -kernel $file; done
check 'missing initrd' refused 66 'nowhere' "${record[@]}" -kernel "$GUESTS/cloud/vmlinuz" -initrd nowhere
check 'no trace is left behind' test ! -e out.inq
check 'unknown option' refused 64 'frobnicate' "${record[@]}" "${hello[@]}" -frobnicate
check 'unknown device' refused 64 'frobnicator' "${record[@]}" "${hello[@]}" -device frobnicator
check 'more than one processor' refused 64 'smp|processor' "${record[@]}" "${hello[@]}" -smp 2
check 'too little memory' refused 64\|65 'memory|RAM' "$INQUEST" record -m 4 -serial null -o out.inq \
  -kernel "$GUESTS/cloud/vmlinuz"
check 'a folder that is not there' refused 73 'nofolder' "$INQUEST" record -m 16 -serial null "${hello[@]}" \
  -o nofolder/out.inq

check 'missing trace' refused 66 'nowhere' "$INQUEST" replay nowhere.inq
for file in empty text foreign; do check "$file trace" refused 65 "$file" "$INQUEST" replay $file; done

timeout 60 "$INQUEST" record -m 16 -serial null "${hello[@]}" -o good.inq
check 'an instant past the end' refused 64 'end|past' "$INQUEST" replay good.inq --until 999999999999

# A flipped bit anywhere: never a crash, never silence. Every 97th byte of the file.
flips() {
  python3 - "$INQUEST" <<'PYTHON'
import subprocess, sys

data = bytearray(open("good.inq", "rb").read())
step = max(1, len(data) // 97)
bad = []
for position in range(0, len(data), step):
    flipped = bytearray(data)
    flipped[position] ^= 1 << position % 8
    open("flipped.inq", "wb").write(flipped)
    run = subprocess.run([sys.argv[1], "replay", "flipped.inq"], capture_output=True, timeout=60)
    if run.returncode != 65 or not run.stderr:
        bad.append(f"byte {position}: status {run.returncode}")
if bad:
    sys.exit("\n".join(bad[:10]))
PYTHON
}
check 'a flipped bit is found' flips

# A socket path in use, and words that are not JSON.
"$INQUEST" record -m 16 -serial null -kernel "$GUESTS/serial-echo.elf" \
  -qmp unix:qmp.sock,server=on,wait=off -o idle.inq >idle.log 2>&1 &
recorder=$!
started+=("$recorder")
for _ in {1..100}; do [[ -S qmp.sock ]] || sleep 0.05; done
check 'a socket path in use' refused 69 'qmp.sock' "${record[@]}" "${hello[@]}" \
  -qmp unix:qmp.sock,server=on,wait=off
not_json() {
  local answer
  answer=$(printf 'hello\n{"execute":"qmp_capabilities"}\n' | timeout 5 socat -t 1 - UNIX-CONNECT:qmp.sock)
  [[ $answer == *'"error"'* ]]
}
check 'QMP that is not JSON gets an error' not_json
check 'and the machine is still there' "$qmp" qmp.sock query-status quit
wait "$recorder"

exit 0

# Recorders that end before their time.
source "$(dirname "$0")/../lib/check.bash"

linux=(-m 256 -kernel "$GUESTS/cloud/vmlinuz" -initrd "$GUESTS/cloud/initrd.img" -device pvpanic)

# end_with SIGNAL NAME: sends the signal in the middle of a run that would have no end, a kernel that panics and boots again
# and again; gives the recorder's status.
end_with() {
  "$INQUEST" record "${linux[@]}" -append 'console=ttyS0 panic=1' --on-panic cont -serial null -o "$2.inq" >"$2.log" 2>&1 &
  local recorder=$!
  started+=("$recorder")
  sleep 2
  kill "-$1" "$recorder"
  wait "$recorder" 2>/dev/null
}

end_with KILL killed
check 'killed: info exits 0' "$INQUEST" info killed.inq
check 'killed: info says that the recording was cut off' bash -c '"$INQUEST" info killed.inq 2>&1 | grep -qi "cut off"'
check 'killed: replay exits 0' timeout 60 "$INQUEST" replay killed.inq
check 'killed: replay says so too' bash -c '"$INQUEST" replay killed.inq 2>&1 | grep -qi "cut off"'
for signal in INT TERM; do
  end_with $signal "$signal"
  check "SIG$signal: the trace is closed" bash -c '! "$INQUEST" info '"$signal"'.inq 2>&1 | grep -qi "cut off"'
  check "SIG$signal: lz4 accepts it" lz4 -qt "$signal.inq"
  check "SIG$signal: it replays" timeout 60 "$INQUEST" replay "$signal.inq"
done

# A full disk: a file system of four pages, less than the trace of a boot, where we may mount one.
if [[ $(id -u) == 0 ]] && mkdir full && mount -t tmpfs -o size=16k tmpfs full 2>/dev/null; then
  check 'a full disk ends the recording with status 74 and a clear line' \
    refused 74 'full|No space' "$INQUEST" record "${linux[@]}" -append console=ttyS0 -serial null -o full/trace.inq
  umount full
fi

exit 0

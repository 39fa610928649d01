# Hunting for a flaky crash.
source "$(dirname "$0")/../lib/check.bash"

race=(-m 16 -serial null -kernel "$GUESTS/race.elf" -device pvpanic)
runs=60

check 'without chaos nothing is caught' status 1 timeout 300 "$INQUEST" hunt -n 20 -j 2 -o calm "${race[@]}"
check 'with chaos the race is caught' timeout 600 "$INQUEST" hunt -n $runs -j 2 --chaos -o crashes "${race[@]}"
shopt -s nullglob
caught=(crashes/*.inq)
echo "caught ${#caught[@]} of $runs"
check 'now and then, not always' test "${#caught[@]}" -ge 1 -a "${#caught[@]}" -le $((runs / 3))
for trace in "${caught[@]}"; do
  check "$(basename "$trace") replays to its panic" \
    bash -c '"$INQUEST" replay "$1" --until panic -serial file:caught.console && grep -q "a coin is missing" caught.console' - "$trace"
done

if [[ $INQUEST_TEST_ALL == yes ]]; then
  linux=(-m 256 -serial null -kernel "$GUESTS/cloud/vmlinuz" -initrd "$GUESTS/cloud/initrd.img"
    -append 'console=ttyS0 inquest.odds=20' -device pvpanic -no-reboot)
  check 'Linux panics on one boot in twenty' timeout 3600 "$INQUEST" hunt -n 80 -j 2 -o linux "${linux[@]}"
  caught=(linux/*.inq)
  echo "caught ${#caught[@]} of 80"
  for trace in "${caught[@]}"; do
    check "$(basename "$trace") replays to its panic" timeout 120 "$INQUEST" replay "$trace" --until panic
  done
fi

exit 0

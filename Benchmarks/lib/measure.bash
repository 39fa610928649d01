# Sourced by the benchmarks: programs run under measurement, samples kept, medians and tables made of them.
#
# A sample is a line `NAME METRIC VALUE` in $samples. Times are seconds, sizes bytes, unless a name says otherwise.

source "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/packages.bash"
export LC_ALL=C

# begin: a folder for the run, taken away at its end, and the files that the other functions write.
begin() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/inquest-bench.XXXXXX")
  samples=$work/samples
  : >"$samples"
  started=()
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  load_before=$(cut -d ' ' -f 1 /proc/loadavg)
  date=$(date -u '+%Y-%m-%d %H:%M UTC')
  processor="$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(nproc) cores"
}
clean_up() {
  local process
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  rm -rf "$work"
}

# build: `inquest` in release mode, unless $inquest names a program already.
build() {
  if [[ -n ${inquest:-} ]]; then
    [[ -x $inquest ]] || fail "'$inquest' is not a program" 66
    inquest=$(realpath "$inquest")
    return
  fi
  "$repository/tools/setup"
  say "building inquest (the first time this takes some minutes)"
  (cd "$repository" && swift build -c release --product inquest) >&2
  # A copy: somebody may build again while this runs.
  inquest=$work/inquest
  cp "$repository/.build/release/inquest" "$inquest"
}

sample() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$samples"; }

# now: host time in microseconds.
now() { printf '%s' "${EPOCHREALTIME/./}"; }

# seconds FROM TO: the time between two readings of `now`.
seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6f", (b - a) / 1000000 }'; }

# measure NAME COMMAND…: runs it and keeps wall, cpu (user and system) and rss (at most, bytes). Its output goes to
# NAME.log. A failure is told, leaves no sample, and does not end the benchmark.
measure() {
  local name=$1 status=0 times
  shift
  local TIMEFORMAT='%3R %3U %3S'
  times=$({ time timeout 600 /usr/bin/time -q -f %M -o "$work/rss" "$@" </dev/null >"$work/$name.log" 2>&1; } 2>&1) ||
    status=$?
  if ((status != 0)); then
    say "$name failed (status $status): $(tail -n 1 "$work/$name.log" | cut -c 1-200)"
    return 1
  fi
  read -r wall user system <<<"$times"
  sample "$name" wall "$wall"
  sample "$name" cpu "$(awk -v u="$user" -v s="$system" 'BEGIN { printf "%.3f", u + s }')"
  sample "$name" rss "$(($(tail -n 1 "$work/rss") * 1024))"
}

# median NAME METRIC: of the samples; nothing where there are none.
median() {
  awk -v name="$1" -v metric="$2" '$1 == name && $2 == metric { print $3 }' "$samples" | sort -g |
    awk '{ value[NR] = $1 }
      END { if (NR) print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

# median_ratio NAME METRIC NAME METRIC: the median of the ratios of samples taken side by side.
median_ratio() {
  paste -d ' ' <(awk -v n="$1" -v m="$2" '$1 == n && $2 == m { print $3 }' "$samples") \
    <(awk -v n="$3" -v m="$4" '$1 == n && $2 == m { print $3 }' "$samples") |
    awk 'NF == 2 && $2 > 0 { print $1 / $2 }' | sort -g |
    awk '{ value[NR] = $1 }
      END { if (NR) print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

# ratio A B [DIGITS]: A / B, or nothing where one of them is missing.
ratio() {
  [[ -n $1 && -n $2 ]] || return 0
  awk -v a="$1" -v b="$2" -v digits="${3:-2}" 'BEGIN { if (b > 0) printf "%.*f", digits, a / b }'
}

# met VALUE BOUND [at-least]: `yes` or `no`, nothing where there is no value.
met() {
  [[ -n $1 && -n $2 ]] || return 0
  awk -v v="$1" -v b="$2" -v least="${3:-}" 'BEGIN { print (least != "" ? v >= b : v <= b) ? "yes" : "no" }'
}

# json_field FILE NAME: the first number of that name in JSON that inquest has written.
json_field() { sed -n "s/^.*\"$2\" *: *\([0-9.]*\).*$/\1/p" "$1" | head -n 1; }

# json_samples: the medians as a JSON object of objects.
json_samples() {
  local name metric separator='' inner
  printf '{'
  for name in $(cut -d ' ' -f 1 "$samples" | sort -u); do
    printf '%s"%s":{' "$separator" "$name"
    inner=''
    for metric in $(awk -v n="$name" '$1 == n { print $2 }' "$samples" | sort -u); do
      printf '%s"%s":%s' "$inner" "$metric" "$(median "$name" "$metric")"
      inner=,
    done
    printf '}'
    separator=,
  done
  printf '}'
}

# stamp: copies lines, each behind the time at which it came, in microseconds.
stamp() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s %s\n' "${EPOCHREALTIME/./}" "$line"
  done
}

# between FILE FROM TO: seconds between the first line that matches FROM and the first that matches TO after it.
between() {
  awk -v from="$2" -v to="$3" '!a && $0 ~ from { a = $1; next } a && $0 ~ to { printf "%.6f", ($1 - a) / 1000000; exit }' "$1"
}

# cpu_time PROCESS: its user and system time so far, in seconds.
cpu_time() {
  awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat" 2>/dev/null || true
}

# QEMU on a guest: qemu NAME GUEST APPEND OPTION…, to the panic, measured.
qemu() {
  local name=$1 guest=$2 append=$3
  shift 3
  measure "$name" qemu-system-x86_64 -m 256 -kernel "$guest/vmlinuz" -initrd "$guest/initrd.img" -append "$append" \
    -display none -serial "file:$work/$name.console" -monitor none -net none -device pvpanic \
    -action panic=shutdown "$@"
}
have_qemu() { command -v qemu-system-x86_64 >/dev/null; }
qemu_version() { qemu-system-x86_64 --version | sed -n '1s/^QEMU emulator version \([0-9.]*\).*/\1/p'; }

# on_cpu PROCESS: nanoseconds that its threads have run so far; finer than cpu_time.
on_cpu() { cat "/proc/$1/task/"*/schedstat 2>/dev/null | awk '{ sum += $1 } END { printf "%.0f", sum }'; }

# marked NAME COMMAND…: runs a machine whose console is its standard output, and keeps the lines that mark where the
# guest is in NAME.marks: microseconds, nanoseconds of processor time of the machine so far, the line.
marked() {
  local name=$1 line process status=0
  shift
  rm -f "$work/console.pipe"
  mkfifo "$work/console.pipe"
  "$@" >"$work/console.pipe" 2>"$work/$name.log" </dev/null &
  process=$!
  started+=("$process")
  : >"$work/$name.marks"
  while IFS= read -r line; do
    case $line in
      *'BENCH '* | *'Linux version'* | *'INQUEST:'* | *'Kernel panic'*)
        printf '%s %s %s\n' "$(now)" "$(on_cpu "$process")" "$line" >>"$work/$name.marks"
        ;;
    esac
  done <"$work/console.pipe"
  wait "$process" || status=$?
  ((status == 0)) || say "$name failed (status $status): $(tail -n 1 "$work/$name.log" | cut -c 1-200)"
  return $status
}

# bench_samples NAME: from marks of the guest's b_* programs, samples NAME-PROGRAM instructions (by virtual time, 4 ns
# each), cpu and mips.
bench_samples() {
  awk -v name="$1" '
    match($0, /BENCH [a-z]+ start/) { split(substr($0, RSTART), word, " "); began[word[2]] = $2 }
    match($0, /BENCH [a-z]+ finish/) {
      split(substr($0, RSTART), word, " ")
      match($0, /guest_ms=[0-9.]+/)
      instructions = substr($0, RSTART + 9, RLENGTH - 9) * 1e6 / 4
      cpu = ($2 - began[word[2]]) / 1e9
      if (cpu <= 0) next
      printf "%s-%s instructions %.0f\n%s-%s cpu %.4f\n", name, word[2], instructions, name, word[2], cpu
      printf "%s-%s mips %.1f\n", name, word[2], instructions / cpu / 1e6
    }' "$work/$1.marks" >>"$samples"
}

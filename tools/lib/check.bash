# Sourced by the scripts in tools/test.d: checks that are counted, and ways to run `inquest`.
#
# Given by tools/test: INQUEST, the program; GUESTS, the folder of the built guests; INQUEST_TEST_ALL, yes or no. The
# script runs in an empty folder of its own. A failed check does not end it; it ends with `exit 0`, since any other status
# means that it broke off.

set -uo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
qmp=$repository/tools/lib/qmp.py
script=$(basename "$0" .bash)
script=${script#*-}

# check TEXT COMMAND…: runs the command; passes where it ends with status 0. Its output is shown only where it fails.
check() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then
    echo "passed $script: $text" | tee -a "$INQUEST_TEST_RESULTS"
  else
    echo "failed $script: $text (status $?)" | tee -a "$INQUEST_TEST_RESULTS"
    printf '%s\n' "$output" | tail -n 20 | sed 's/^/    /'
  fi
}

# status EXPECTED COMMAND…: whether the command ends with a status that matches the pattern. Its output is passed on.
status() {
  local expected=$1 actual=0
  shift
  "$@" || actual=$?
  [[ $actual =~ ^($expected)$ ]] || {
    echo "status $actual instead of $expected: $*" >&2
    return 1
  }
}

# refused EXPECTED PATTERN COMMAND…: whether the command ends with that status and one line on stderr that matches.
refused() {
  local expected=$1 pattern=$2 errors
  shift 2
  errors=$(status "$expected" timeout 60 "$@" 2>&1 >/dev/null) || {
    printf '%s\n' "$errors"
    return 1
  }
  printf '%s\n' "$errors"
  [[ $(wc -l <<<"$errors") == 1 ]] && grep -qE -e "$pattern" <<<"$errors"
}

# same FILE FILE…: whether all have the same bytes.
same() {
  local first=$1 file
  shift
  for file in "$@"; do cmp "$first" "$file" || return 1; done
}

# json FILE EXPRESSION: the value of a Python expression about the document `it`.
json() {
  python3 - "$1" "$2" <<'PYTHON'
import json, sys

try:
    print(eval(sys.argv[2], {"it": json.load(open(sys.argv[1]))}))
except (OSError, ValueError, LookupError, TypeError) as error:
    print(f"{sys.argv[1]}: {type(error).__name__}: {error}")
PYTHON
}

# counts COUNT PATTERN FILE: whether that many lines of the file match.
counts() {
  local found
  found=$(grep -caE -e "$2" "$3")
  [[ $found == "$1" ]] || {
    echo "$found lines match '$2', expected $1"
    return 1
  }
}

# Processes that a script started in the background end with it.
started=()
clean_up() { for process in "${started[@]}"; do kill "$process" 2>/dev/null; done; }
trap clean_up EXIT

# The machine code of the handlers.
source "$(dirname "$0")/../lib/check.bash"

check 'every handler ends in a jump' "$repository/tools/check-handlers" "$INQUEST"

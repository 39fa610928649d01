# Sourced by the other tools: messages, and Debian packages installed or fetched by name.

# Where the repository is, and where fetched and built things are kept.
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [[ -n ${XDG_CACHE_HOME:-} ]]; then
  cache=$XDG_CACHE_HOME/inquest
else
  cache=$repository/.cache
fi

tool=$(basename "$0")
say() { printf '%s: %s\n' "$tool" "$*" >&2; }
fail() {
  say "$1"
  exit "${2:-1}"
}

# Runs a command as root: directly, or through sudo where we are not root.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "this needs root, and there is no sudo here: please run as root: $*"
    return 1
  fi
}

need_debian() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    fail "this works with Debian packages, but apt-get and dpkg-deb are not on this machine"
  fi
}

# Fetches the package lists, at most once in a run. Fails with a message where that does not work.
lists_fresh=no
refresh_lists() {
  [[ $lists_fresh == no ]] || return 0
  say "fetching Debian's package lists (apt-get update)"
  local errors
  # APT reports an unreachable mirror as a mere warning and exits 0 unless told otherwise.
  if ! errors=$(as_root apt-get -q -o APT::Update::Error-Mode=any update 2>&1 >/dev/null); then
    printf '%s\n' "$errors" >&2
    fail "the package lists could not be fetched: is there a network, and are the mirrors in /etc/apt reachable?"
  fi
  lists_fresh=yes
}

# known PACKAGE: whether APT knows a package of that name that can be installed.
known() { [[ -n $(apt-cache madison -- "$1" 2>/dev/null) ]]; }

# need_known PACKAGE: as `known`, after fetching the lists where that helps; ends the tool otherwise.
need_known() {
  need_debian
  known "$1" && return
  refresh_lists
  known "$1" || fail "there is no Debian package '$1' (apt-cache search finds names)" 66
}

# installed PACKAGE: whether it is installed and configured.
installed() { [[ $(dpkg-query -W -f '${Status}' -- "$1" 2>/dev/null) == 'install ok installed' ]]; }

# install PACKAGE…: installs what is missing, and says what.
install() {
  local missing=() package
  need_debian
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  for package in "${missing[@]}"; do need_known "$package"; done
  say "installing ${missing[*]}"
  local log
  log=$(mktemp)
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}")
  if ! as_root "${command[@]}" >"$log" 2>&1; then
    # Lists that are older than the mirror name versions that are gone.
    refresh_lists
    if ! as_root "${command[@]}" >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      fail "installing ${missing[*]} failed"
    fi
  fi
  rm -f "$log"
}

# fetch PACKAGE: makes sure that its .deb is in the cache and prints the file's path. What was fetched once is used
# until it is deleted.
fetch() {
  local package=$1 directory=$cache/packages file
  mkdir -p "$directory"
  for file in "$directory/${package}_"*.deb; do
    if [[ -s $file ]]; then
      printf '%s\n' "$file"
      return
    fi
  done
  need_known "$package"
  local partial
  partial=$(mktemp -d "$directory/partial.XXXXXX")
  # APT downloads as user _apt where it is started as root, which may not write here.
  local download=(apt-get -q -o APT::Sandbox::User=root download "$package")
  say "fetching $package (apt-get download)"
  if ! (cd "$partial" && "${download[@]}") >"$partial/log" 2>&1; then
    refresh_lists
    if ! (cd "$partial" && "${download[@]}") >"$partial/log" 2>&1; then
      cat "$partial/log" >&2
      rm -rf "$partial"
      fail "$package could not be fetched: is there a network, and are the mirrors in /etc/apt reachable?"
    fi
  fi
  local debs=("$partial"/*.deb)
  if ! dpkg-deb --info "${debs[0]}" >/dev/null; then
    rm -rf "$partial"
    fail "$package: what was fetched is not a Debian package"
  fi
  file=$directory/$(basename "${debs[0]}")
  mv "${debs[0]}" "$file"
  rm -rf "$partial"
  printf '%s\n' "$file"
}

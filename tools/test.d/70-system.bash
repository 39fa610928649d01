# The guests that test the processor's system level, on the whole machine. Each says itself what went wrong.
source "$(dirname "$0")/../lib/check.bash"

sources=$repository/Guests/asm/system

# build NAME: assembles and links a guest to NAME.elf, the ELF32 that multiboot loaders want.
build() {
  (cd "$sources" && as --64 -I .. -o "$OLDPWD/$1.o" "$1.s") || return 1
  ld -m elf_x86_64 -nostdlib --build-id=none --no-warn-rwx-segments -z max-page-size=16 -T "$sources/system.ld" \
    -o "$1.elf64" "$1.o" || return 1
  objcopy -O elf32-i386 "$1.elf64" "$1.elf"
}

# run NAME OPTION…: passes where the guest counts no failure; isa-debug-exit makes status 1 of its 0.
run() {
  local name=$1
  shift
  build "$name" || return 1
  status 1 timeout 120 "$INQUEST" run -m 64 -kernel "$name.elf" -device isa-debug-exit,iobase=0xf4,iosize=0x4 \
    -serial "file:$name.console" "$@" || {
    grep -a FAILED "$name.console"
    return 1
  }
}

for file in "$sources"/*.s; do
  name=$(basename "$file" .s)
  # Its end is a reset.
  [[ $name != triple-fault ]] || continue
  check "$name" run "$name"
  [[ $name != page-faults && $name != la57 && $name != control-registers ]] ||
    check "$name with everything" run "$name" -cpu max
done
exit 0

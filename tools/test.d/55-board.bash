# The board: firmware, screens, test devices, disks, network. With --all boot loaders and Linux on virtio and IDE.
source "$(dirname "$0")/../lib/check.bash"
[[ $INQUEST_TEST_ALL == yes ]] && source "$repository/tools/lib/packages.bash"

# replays TRACE OPTION…: without a divergence.
replays() {
  local trace=$1
  shift
  timeout 300 "$INQUEST" replay "$trace" -serial null "$@" >replay.out 2>&1 || { cat replay.out; return 1; }
  grep -q ' 0 divergences' replay.out
}

# A ROM of 64 KiB that prints OK at port E9 and ends through isa-debug-exit.
python3 - <<'PYTHON'
rom = bytearray(b"\xf4" * 65536)
rom[0xF000:0xF00F] = bytes.fromhex("bae900b04feeb04beeba0105b010ee")
rom[0xFFF0:0xFFF5] = bytes.fromhex("ea00f000f0")
open("rom.bin", "wb").write(rom)
open("empty.bin", "wb")
disk = bytearray(512 * 64)
disk[3 * 512:3 * 512 + 10] = b"sector no3"
open("disk.img", "wb").write(disk)

# Another one: reads sector 3 of the first IDE disk by PIO and prints ten bytes of it.
code = bytes.fromhex(
    "baf601b0e0eebaf201b001ee42b003ee4230c0ee42eebaf701b020eeeca80874fbbaf001b90500edbae900ee88e0eebaf001e2f3ba0105b010eef4"
)
rom[0xF000:0xF000 + len(code)] = code
open("ide.bin", "wb").write(rom)
PYTHON
check 'a ROM of 64 KiB runs from the reset vector' \
  status 33 "$INQUEST" record -bios rom.bin -vga none -debugcon file:rom.out -device isa-debug-exit -o rom.inq
check 'it printed' grep -qx OK <(cat rom.out; echo)
check 'it replays' replays rom.inq
check 'a ROM reads a disk' status 33 "$INQUEST" record -bios ide.bin -vga none -drive file=disk.img,format=raw \
  -debugcon file:ide.out -device isa-debug-exit -o disk.inq
check 'it got the sector' grep -qx 'sector no3' <(cat ide.out; echo)
mv disk.img away.img
check 'it replays without the disk' replays disk.inq
check 'the sector is an input' counts 1 blockData <("$INQUEST" events disk.inq --kind blockData)
mv away.img disk.img
check 'an empty ROM is refused' refused 65 'empty' "$INQUEST" record -bios empty.bin -o x.inq
check 'a ROM that is not there is refused' refused 66 'nothing.bin' "$INQUEST" record -bios nothing.bin -o x.inq
check 'a machine without display says so' refused 64 'no display' "$INQUEST" screen rom.inq
check 'a disk that is not there is refused' refused 66 'nothing.img' \
  "$INQUEST" record -bios rom.bin -hda nothing.img -o x.inq
check 'a place taken twice is refused' refused 64 'four places' \
  "$INQUEST" record -bios rom.bin -hdc disk.img -cdrom disk.img -o x.inq
check 'a format that is unknown is refused' refused 64 'format=vmdk' \
  "$INQUEST" record -bios rom.bin -drive file=disk.img,format=vmdk -o x.inq
check 'a device that is unknown is refused' refused 64 'unknown device' \
  "$INQUEST" record -bios rom.bin -device floppy -o x.inq

seabios=
for folder in /usr/share/seabios /usr/share/qemu; do
  [[ -f $folder/bios-256k.bin ]] && seabios=$folder/bios-256k.bin && break
done
if [[ -n $seabios ]]; then
  check 'SeaBIOS runs' "$INQUEST" record -bios "$seabios" -device isa-debugcon,iobase=0x402,chardev=d \
    -chardev file,id=d,path=seabios.log --limit 3s -o seabios.inq
  check 'it knows the machine' grep -q 'Running on QEMU (i440fx)' seabios.log
  check 'its text is on the screen' grep -q '^SeaBIOS (version' <("$INQUEST" screen seabios.inq)
  check 'and in a picture' "$INQUEST" screen seabios.inq --png seabios.png
  check 'which is a PNG' grep -q PNG seabios.png
fi

[[ $INQUEST_TEST_ALL == yes ]] || exit 0

install seabios grub-pc-bin grub-common xorriso mtools qemu-utils qemu-system-data
mkdir -p iso/boot/grub
cp "$GUESTS/hello.elf" iso/boot/
cat >iso/boot/grub/grub.cfg <<'GRUB'
set timeout=0
terminal_output console
menuentry "hello" { multiboot /boot/hello.elf one two }
GRUB
grub-mkrescue -o grub.iso iso >mkrescue.log 2>&1
cp grub.iso hybrid.img
qemu-img convert -c -O qcow2 hybrid.img hybrid.qcow2
for medium in "-cdrom grub.iso" "-hda hybrid.img" "-drive file=hybrid.qcow2,format=qcow2"; do
  # shellcheck disable=SC2086
  check "SeaBIOS and GRUB boot $medium" status 33 "$INQUEST" record -bios bios-256k.bin $medium \
    -serial file:grub.console -device isa-debug-exit --limit 60s -o grub.inq
  check 'the guest says so' grep -q '^hello, loaded by multiboot' grub.console
  mv grub.iso grub.iso.away
  mv hybrid.img hybrid.img.away
  check 'it replays without the medium' replays grub.inq
  mv grub.iso.away grub.iso
  mv hybrid.img.away hybrid.img
done

cat >init <<'INIT'
#!/bin/sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
while read module; do busybox insmod "/lib/modules/$module"; done < /lib/modules/order
busybox sleep 1
for disk in vda sda; do
  [ -b /dev/$disk ] || continue
  echo "$disk md5 $(busybox dd if=/dev/$disk bs=64k 2>/dev/null | busybox md5sum)"
  busybox dd if=/dev/urandom of=/tmp/r bs=4096 count=16 2>/dev/null
  busybox dd if=/tmp/r of=/dev/$disk bs=4096 seek=4 conv=notrunc 2>/dev/null
  busybox sync
  echo 3 > /proc/sys/vm/drop_caches
  busybox dd if=/dev/$disk bs=4096 skip=4 count=16 2>/dev/null | busybox cmp - /tmp/r && echo "$disk keeps what is written"
done
[ -c /dev/hvc0 ] && echo "hello on hvc0" > /dev/hvc0
if [ -d /sys/class/net/eth0 ]; then
  busybox ip addr add 10.9.8.2/24 dev eth0
  busybox ip link set eth0 up
  busybox ping -c 2 -W 2 10.9.8.1 | busybox grep received
fi
busybox poweroff -f
INIT
chmod +x init
"$repository/tools/guest" --init init -o guest \
  --modules virtio_pci,virtio_blk,virtio_net,virtio_rng,virtio_console,ata_piix,sd_mod >guest.log 2>&1
head -c 4M /dev/urandom >disk.img
sum=$(md5sum <disk.img)
linux() {
  timeout 300 "$INQUEST" record -m 256 -kernel guest/vmlinuz -initrd guest/initrd.img --limit 60s "$@"
}
check 'Linux finds virtio' linux -append 'console=ttyS0 quiet' -drive file=disk.img,format=raw,if=virtio \
  -device virtio-rng-pci -device virtio-serial-pci -chardev file,id=c,path=hvc.out -device virtconsole,chardev=c \
  -serial file:virtio.out -o virtio.inq
check 'it reads the disk' grep -qF "vda md5 $sum" virtio.out
check 'it reads what it wrote' grep -q 'vda keeps what is written' virtio.out
check 'the file is as it was' test "$(md5sum <disk.img)" = "$sum"
check 'the virtio console printed' grep -q 'hello on hvc0' hvc.out

# Answers ARP and pings for 10.9.8.1, a datagram a frame.
cat >peer.py <<'PYTHON'
import socket, struct

s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("peer.sock")
mac, ip = bytes.fromhex("020000000001"), bytes([10, 9, 8, 1])

def checksum(b):
    t = sum(struct.unpack(">%dH" % (len(b) // 2), b))
    t = (t >> 16) + (t & 0xFFFF)
    return struct.pack(">H", ~(t + (t >> 16)) & 0xFFFF)

while True:
    f = s.recv(65536)
    if f[12:14] == b"\x08\x06" and f[38:42] == ip:
        s.sendto(f[6:12] + mac + f[12:20] + b"\0\2" + mac + ip + f[22:32] + bytes(18), "guest.sock")
    elif f[12:14] == b"\x08\0" and f[30:34] == ip and f[23] == 1:
        echo = bytearray(f[34:])
        echo[0], echo[2:4] = 0, b"\0\0"
        echo[2:4] = checksum(bytes(echo))
        head = bytearray(f[14:26] + ip + f[26:30])
        head[10:12] = b"\0\0"
        head[10:12] = checksum(bytes(head))
        s.sendto(f[6:12] + mac + f[12:14] + head + echo, "guest.sock")
PYTHON
python3 peer.py &
started+=($!)
sleep 1
check 'Linux finds IDE and a network' linux -append 'console=ttyS0 quiet pci=nomsi' -hda disk.img \
  -netdev dgram,id=n,local.type=unix,local.path=guest.sock,remote.type=unix,remote.path=peer.sock \
  -device virtio-net-pci,netdev=n --pcap live.pcap -serial file:ide.out -o ide.inq
check 'it reads the IDE disk' grep -qF "sda md5 $sum" ide.out
check 'the other side answered' grep -q '2 packets received' ide.out
rm disk.img
check 'virtio replays without disk' replays virtio.inq
check 'IDE and network replay without disk and network' replays ide.inq --pcap again.pcap
check 'the frames are the same' same live.pcap again.pcap
check 'a kernel through firmware' timeout 300 "$INQUEST" record -m 256 -bios bios-256k.bin -kernel guest/vmlinuz \
  -initrd guest/initrd.img -append 'console=ttyS0 quiet' --limit 60s -serial null -o through.inq
check 'it replays' replays through.inq

exit 0

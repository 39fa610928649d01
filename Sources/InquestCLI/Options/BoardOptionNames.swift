/// Options with values that name firmware, disks, cards and network: QEMU's, and Inquest's own.
enum BoardOptionNames {
  static let qemuValues: Set<String> = [
    "bios", "vga", "boot", "L", "drive", "hda", "hdb", "hdc", "hdd", "cdrom", "netdev",
  ]
  static let values: Set<String> = ["png", "pcap"]
}

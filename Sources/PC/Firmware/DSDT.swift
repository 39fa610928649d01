/// The differentiated description: what cannot be found by probing, as AML.
struct DSDT {
  let configuration: ACPIConfiguration

  /// The table's body, without header.
  var aml: [UInt8] {
    var systemBus: [AML.Bytes] = [pciHost]
    if configuration.hasHPET { systemBus.append(hpet) }
    systemBus += configuration.apicIDs.indices.map(processor)
    return AML.scope("_SB", systemBus)
      // SLP_TYP of S5 for PM1a and PM1b; PIIX4 calls "soft off" 0.
      + AML.name("_S5", AML.package([AML.integer(0), AML.integer(0), AML.integer(0), AML.integer(0)]))
  }

  private var pciHost: AML.Bytes {
    let windows = [
      AML.window16(.busNumber, 0...0xFF),
      AML.io(0xCF8, count: 8),
      AML.window16(.io, 0...0xCF7),
      AML.window16(.io, 0xD00...0xFFFF),
      AML.window32(.memory(cacheable: true), 0xA0000...0xBFFFF),
      AML.window32(.memory(cacheable: false), PCAddress.pciWindow),
    ]
    return AML.device(
      "PCI0",
      [
        AML.name("_HID", AML.eisaID("PNP0A03")),
        AML.name("_UID", AML.integer(0)),
        AML.resources(windows),
        AML.name("_PRT", interruptRouting),
        isaBridge,
      ])
  }

  /// Pin → PIRQ as on a PC with PIIX3: slots rotate through PIRQA–D, and each PIRQ is a fixed ISA interrupt.
  private var interruptRouting: AML.Bytes {
    var entries: [AML.Bytes] = []
    for slot in 0..<32 {
      for pin in 0..<4 {
        let route = PCAddress.pirqRoutes[(slot + pin + 3) & 3]
        entries.append(
          AML.package([
            AML.integer(UInt64(slot) << 16 | 0xFFFF), AML.integer(UInt64(pin)), AML.integer(0),
            AML.integer(UInt64(route)),
          ]))
      }
    }
    return AML.package(entries)
  }

  private var isaBridge: AML.Bytes {
    var devices: [AML.Bytes] = [
      AML.name("_ADR", AML.integer(0x0001_0000)),
      AML.device(
        "RTC",
        [
          AML.name("_HID", AML.eisaID("PNP0B00")),
          AML.resources([AML.io(0x70, count: 8), AML.irq(8)]),
        ]),
      AML.device(
        "KBD",
        [
          AML.name("_HID", AML.eisaID("PNP0303")), present,
          AML.resources([AML.io(0x60, count: 1), AML.io(0x64, count: 1), AML.irq(1)]),
        ]),
    ]
    if configuration.hasMouse {
      devices.append(
        AML.device("MOU", [AML.name("_HID", AML.eisaID("PNP0F13")), present, AML.resources([AML.irq(12)])]))
    }
    for (i, port) in configuration.serialPorts.enumerated() {
      devices.append(
        AML.device(
          "COM\(i + 1)",
          [
            AML.name("_HID", AML.eisaID("PNP0501")), AML.name("_UID", AML.integer(UInt64(i + 1))), present,
            AML.resources([AML.io(port.firstPort, count: 8), AML.irq(port.irq)]),
          ]))
    }
    if configuration.hasFWCfg {
      devices.append(
        AML.device(
          "FWCF",
          [
            AML.name("_HID", AML.string("QEMU0002")),
            // Present and functioning, not shown to people.
            AML.name("_STA", AML.integer(0xB)),
            AML.resources([AML.io(PCAddress.fwCfg, count: 12)]),
          ]))
    }
    if let port = configuration.pvpanicPort {
      devices.append(
        AML.device(
          "PEVT",
          [AML.name("_HID", AML.string("QEMU0001")), present, AML.resources([AML.io(port, count: 1)])]))
    }
    return AML.device("ISA", devices)
  }

  private var hpet: AML.Bytes {
    AML.device(
      "HPET",
      [
        AML.name("_HID", AML.eisaID("PNP0103")), AML.name("_UID", AML.integer(0)), present,
        AML.resources([AML.fixedMemory32(PCAddress.hpet, size: 0x400, writable: false)]),
      ])
  }

  /// - Parameter index: also the processor's `_UID`, by which MADT names it.
  private func processor(_ index: Int) -> AML.Bytes {
    let digits = String(index, radix: 16, uppercase: true)
    let name = "C" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    return AML.device(
      name, [AML.name("_HID", AML.string("ACPI0007")), AML.name("_UID", AML.integer(UInt64(index)))])
  }

  /// `_STA`: present, enabled, shown, functioning.
  private var present: AML.Bytes { AML.name("_STA", AML.integer(0xF)) }
}

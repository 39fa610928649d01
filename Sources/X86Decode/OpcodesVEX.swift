/// VEX encodings on general registers: BMI1 and BMI2 (SDM 2A 2.3).
extension OpcodeTableBuilder {
  mutating func defineVEX() {
    section(.vex0F38, .bmi1)
    row(0xF2, .np, .andn, .gy, .by, .ey, flags: .l0)
    row(0xF3, .np, reg: 1, .blsr, .by, .ey, flags: .l0)
    row(0xF3, .np, reg: 2, .blsmsk, .by, .ey, flags: .l0)
    row(0xF3, .np, reg: 3, .blsi, .by, .ey, flags: .l0)
    row(0xF7, .np, .bextr, .gy, .ey, .by, flags: .l0)
    section(.vex0F38, .bmi2)
    row(0xF5, .np, .bzhi, .gy, .ey, .by, flags: .l0)
    row(0xF5, .f3, .pext, .gy, .by, .ey, flags: .l0)
    row(0xF5, .f2, .pdep, .gy, .by, .ey, flags: .l0)
    row(0xF6, .f2, .mulx, .gy, .by, .ey, flags: .l0)
    row(0xF7, .p66, .shlx, .gy, .ey, .by, flags: .l0)
    row(0xF7, .f3, .sarx, .gy, .ey, .by, flags: .l0)
    row(0xF7, .f2, .shrx, .gy, .ey, .by, flags: .l0)
    section(.vex0F3A, .bmi2)
    row(0xF0, .f2, .rorx, .gy, .ey, .ib, flags: .l0)
  }
}

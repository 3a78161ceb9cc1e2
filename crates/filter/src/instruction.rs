//! One instruction of classic BPF, and the numbers that libpcap's headers give to its parts.
//!
//! The instruction is classic BPF's (`struct bpf_insn`) but for the width of its jumps: a chain of
//! filters jumps further than eight bits reach.

use core::fmt;

/// One instruction of classic BPF, as `pcap/bpf.h` defines it, with wide conditional jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// The operation: class, size or operator, mode or operand.
    pub code: u16,
    /// Instructions to skip if the condition holds. Eight bits in classic BPF.
    pub jt: u32,
    /// Instructions to skip if the condition does not hold. Eight bits in classic BPF.
    pub jf: u32,
    /// The operand. For an unconditional jump: instructions to skip, as a two's complement number.
    pub k: u32,
}

impl Instruction {
    /// Makes an instruction that is no conditional jump.
    pub const fn statement(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }

    /// Makes a conditional jump.
    pub const fn jump(code: u16, k: u32, jt: u32, jf: u32) -> Self {
        Self { code, jt, jf, k }
    }
}

impl fmt::Display for Instruction {
    /// Writes `code jt jf k` in decimal, as `tcpdump -ddd` does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.code, self.jt, self.jf, self.k)
    }
}

/// The operation codes of classic BPF that libpcap's `bpf_filter` knows.
pub(crate) mod code {
    pub(crate) const LD_IMM: u16 = 0x00;
    pub(crate) const LD_W_ABS: u16 = 0x20;
    pub(crate) const LD_H_ABS: u16 = 0x28;
    pub(crate) const LD_B_ABS: u16 = 0x30;
    pub(crate) const LD_W_IND: u16 = 0x40;
    pub(crate) const LD_H_IND: u16 = 0x48;
    pub(crate) const LD_B_IND: u16 = 0x50;
    pub(crate) const LD_MEM: u16 = 0x60;
    pub(crate) const LD_LEN: u16 = 0x80;
    pub(crate) const LDX_IMM: u16 = 0x01;
    pub(crate) const LDX_MEM: u16 = 0x61;
    pub(crate) const LDX_LEN: u16 = 0x81;
    pub(crate) const LDX_MSH: u16 = 0xb1;
    pub(crate) const ST: u16 = 0x02;
    pub(crate) const STX: u16 = 0x03;
    pub(crate) const ALU: u16 = 0x04;
    pub(crate) const NEG: u16 = 0x84;
    pub(crate) const JA: u16 = 0x05;
    pub(crate) const JMP: u16 = 0x05;
    pub(crate) const RET_K: u16 = 0x06;
    pub(crate) const RET_A: u16 = 0x16;
    pub(crate) const TAX: u16 = 0x07;
    pub(crate) const TXA: u16 = 0x87;
    /// Or'd to an arithmetic or jump code: the operand is X, and not `k`.
    pub(crate) const WITH_X: u16 = 0x08;
    /// Selects the class of a code.
    pub(crate) const CLASS: u16 = 0x07;
    /// Selects the operator of an arithmetic or jump code.
    pub(crate) const OPERATOR: u16 = 0xf0;
}

//! The interpreter: libpcap's `bpf_filter`, bit for bit.
//!
//! Runs on: any lcore. Allocates: never. It is the reference that native code is held against,
//! and what runs where there is none.

use crate::op::{Arithmetic, Condition, MEMORY_WORDS, Op, Operand, Width};

/// What loops may cost for one packet, in instructions run again. Where it is used up, the packet
/// is rejected.
///
/// libpcap has no such limit. Only `protochain` makes loops, and none that it makes comes near on
/// a packet that is no attack: it is a chain of 2,900 IPv6 extension headers, or 23 KiB of them.
pub const LOOP_INSTRUCTIONS_PER_PACKET_MAX: u32 = 65_536;

/// What a program has at hand while it runs; all zero at its start.
#[derive(Default)]
struct Machine {
    a: u32,
    x: u32,
    memory: [u32; MEMORY_WORDS],
}

/// Where a program goes on after it rejects a packet: nowhere, as there is no such operation.
const NOWHERE: usize = usize::MAX;

/// Runs a program or a chain on a packet; 0 rejects.
#[inline]
pub(crate) fn run(ops: &[Op], packet: &[u8], wire_bytes: u32) -> u32 {
    let mut machine = Machine::default();
    let mut loop_budget = LOOP_INSTRUCTIONS_PER_PACKET_MAX;
    let mut on_reject = NOWHERE;
    let mut at = 0usize;
    // A load beyond the packet, a division by zero and a spent budget reject.
    macro_rules! or_reject {
        ($outcome:expr) => {
            match $outcome {
                Some(value) => value,
                None => {
                    at = on_reject;
                    continue;
                }
            }
        };
    }
    while let Some(&op) = ops.get(at) {
        at += 1;
        match op {
            Op::BeginFilter { on_reject: next } => {
                machine = Machine::default();
                loop_budget = LOOP_INSTRUCTIONS_PER_PACKET_MAX;
                on_reject = next as usize;
            }
            Op::LoadAbsolute { width, offset } => {
                machine.a = or_reject!(load(packet, width, u64::from(offset)));
            }
            Op::LoadIndexed { width, offset } => {
                let offset = u64::from(machine.x) + u64::from(offset);
                machine.a = or_reject!(load(packet, width, offset));
            }
            Op::LoadLength => machine.a = wire_bytes,
            Op::LoadConstant(value) => machine.a = value,
            Op::LoadMemory(word) => machine.a = machine.memory[usize::from(word)],
            Op::LoadXConstant(value) => machine.x = value,
            Op::LoadXMemory(word) => machine.x = machine.memory[usize::from(word)],
            Op::LoadXLength => machine.x = wire_bytes,
            Op::LoadXHeaderLength(offset) => {
                let byte = or_reject!(load(packet, Width::Byte, u64::from(offset)));
                machine.x = (byte & 0xf) << 2;
            }
            Op::StoreA(word) => machine.memory[usize::from(word)] = machine.a,
            Op::StoreX(word) => machine.memory[usize::from(word)] = machine.x,
            Op::Arithmetic { operator, operand } => {
                let operand = machine.operand(operand);
                machine.a = or_reject!(calculate(operator, machine.a, operand));
            }
            Op::Negate => machine.a = machine.a.wrapping_neg(),
            Op::MoveAToX => machine.x = machine.a,
            Op::MoveXToA => machine.a = machine.x,
            Op::Jump { target } => at = target as usize,
            Op::JumpBack { target, span } => {
                loop_budget = or_reject!(loop_budget.checked_sub(span));
                at = target as usize;
            }
            Op::Branch { condition, operand, if_true, if_false } => {
                let holds = compare(condition, machine.a, machine.operand(operand));
                at = if holds { if_true } else { if_false } as usize;
            }
            Op::Return(value) => return value,
            Op::ReturnA => return machine.a,
        }
    }
    0
}

impl Machine {
    #[inline]
    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Constant(value) => value,
            Operand::X => self.x,
        }
    }
}

#[inline]
fn load(packet: &[u8], width: Width, offset: u64) -> Option<u32> {
    let bytes = packet.get(usize::try_from(offset).ok()?..)?;
    match width {
        Width::Byte => bytes.first().map(|&byte| u32::from(byte)),
        Width::Half => bytes.first_chunk().map(|&half| u32::from(u16::from_be_bytes(half))),
        Width::Word => bytes.first_chunk().map(|&word| u32::from_be_bytes(word)),
    }
}

/// Returns `a operator b`, or nothing where it is a division by zero.
#[inline]
pub(crate) fn calculate(operator: Arithmetic, a: u32, b: u32) -> Option<u32> {
    Some(match operator {
        Arithmetic::Add => a.wrapping_add(b),
        Arithmetic::Subtract => a.wrapping_sub(b),
        Arithmetic::Multiply => a.wrapping_mul(b),
        Arithmetic::Divide => return a.checked_div(b),
        Arithmetic::Modulo => return a.checked_rem(b),
        Arithmetic::Or => a | b,
        Arithmetic::And => a & b,
        Arithmetic::Xor => a ^ b,
        Arithmetic::ShiftLeft => a.checked_shl(b).unwrap_or(0),
        Arithmetic::ShiftRight => a.checked_shr(b).unwrap_or(0),
    })
}

/// Returns whether a condition holds between two numbers.
#[inline]
pub(crate) fn compare(condition: Condition, a: u32, b: u32) -> bool {
    match condition {
        Condition::Equal => a == b,
        Condition::Greater => a > b,
        Condition::GreaterOrEqual => a >= b,
        Condition::AnyBitSet => a & b != 0,
    }
}

#[cfg(test)]
mod tests;

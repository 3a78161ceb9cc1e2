//! The interpreter: libpcap's `bpf_filter`, bit for bit.
//!
//! Runs on: any lcore. Allocates: never. It is the reference that native code is held against,
//! and what runs where there is none.

use crate::op::{Arithmetic, Condition, MEMORY_WORDS};
use crate::step::{Code, Step};

/// What loops may cost for one packet, in instructions run again. Where it is used up, the packet
/// is rejected.
///
/// libpcap has no such limit. Only `protochain` makes loops, and none that it makes comes near on
/// a packet that is no attack: it is a chain of 2,900 IPv6 extension headers, or 23 KiB of them.
pub const LOOP_INSTRUCTIONS_PER_PACKET_MAX: u32 = 65_536;

/// Runs a program on a packet; 0 rejects.
pub(crate) fn run_program(steps: &[Step], packet: &[u8], wire_bytes: u32) -> u32 {
    run::<false>(steps, packet, wire_bytes)
}

/// Runs a chain on a packet; 0 if every filter rejects.
pub(crate) fn run_chain(steps: &[Step], packet: &[u8], wire_bytes: u32) -> u32 {
    run::<true>(steps, packet, wire_bytes)
}

#[inline]
fn run<const CHAIN: bool>(steps: &[Step], packet: &[u8], wire_bytes: u32) -> u32 {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; MEMORY_WORDS];
    let mut loop_budget = LOOP_INSTRUCTIONS_PER_PACKET_MAX;
    let mut on_reject = 0usize;
    let mut at = 0usize;
    // A load beyond the packet, a division by zero and a spent budget reject.
    macro_rules! or_reject {
        ($outcome:expr) => {
            match $outcome {
                Some(value) => value,
                None => {
                    if !CHAIN {
                        return 0;
                    }
                    at = on_reject;
                    continue;
                }
            }
        };
    }
    loop {
        let step = &steps[at];
        at += 1;
        let k = step.k;
        match step.code {
            Code::BeginFilter => {
                (a, x, memory) = (0, 0, [0; MEMORY_WORDS]);
                loop_budget = LOOP_INSTRUCTIONS_PER_PACKET_MAX;
                on_reject = step.target();
            }
            Code::LoadWord => a = or_reject!(word(packet, u64::from(k))),
            Code::LoadHalf => a = or_reject!(half(packet, u64::from(k))),
            Code::LoadByte => a = or_reject!(byte(packet, u64::from(k))),
            Code::LoadIndexedWord => a = or_reject!(word(packet, u64::from(x) + u64::from(k))),
            Code::LoadIndexedHalf => a = or_reject!(half(packet, u64::from(x) + u64::from(k))),
            Code::LoadIndexedByte => a = or_reject!(byte(packet, u64::from(x) + u64::from(k))),
            Code::LoadLength => a = wire_bytes,
            Code::LoadConstant => a = k,
            Code::LoadMemory => a = memory[step.word()],
            Code::LoadXConstant => x = k,
            Code::LoadXMemory => x = memory[step.word()],
            Code::LoadXLength => x = wire_bytes,
            Code::LoadXHeaderLength => {
                x = (or_reject!(byte(packet, u64::from(k))) & 0xf) << 2;
            }
            Code::StoreA => memory[step.word()] = a,
            Code::StoreX => memory[step.word()] = x,
            Code::AndConstant => a &= k,
            Code::CalculateConstant => a = or_reject!(calculate(step.arithmetic, a, k)),
            Code::CalculateX => a = or_reject!(calculate(step.arithmetic, a, x)),
            Code::Negate => a = a.wrapping_neg(),
            Code::MoveAToX => x = a,
            Code::MoveXToA => a = x,
            Code::Jump => at = step.target(),
            Code::JumpBack => {
                loop_budget = or_reject!(loop_budget.checked_sub(k));
                at = step.target();
            }
            Code::IfEqual => at = step.target_if(a == k),
            Code::IfGreater => at = step.target_if(a > k),
            Code::IfGreaterOrEqual => at = step.target_if(a >= k),
            Code::IfAnyBitSet => at = step.target_if(a & k != 0),
            Code::IfX => at = step.target_if(compare(step.condition, a, x)),
            Code::Return => return k,
            Code::ReturnA => return a,
        }
    }
}

#[inline]
fn byte(packet: &[u8], offset: u64) -> Option<u32> {
    Some(u32::from(*packet.get(usize::try_from(offset).ok()?)?))
}

#[inline]
fn half(packet: &[u8], offset: u64) -> Option<u32> {
    let half = packet.get(usize::try_from(offset).ok()?..)?.first_chunk()?;
    Some(u32::from(u16::from_be_bytes(*half)))
}

#[inline]
fn word(packet: &[u8], offset: u64) -> Option<u32> {
    let word = packet.get(usize::try_from(offset).ok()?..)?.first_chunk()?;
    Some(u32::from_be_bytes(*word))
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

//! How long a packet is known to be at each operation, from the loads that led there.
//!
//! A load that succeeded proves that the packet reaches that far, and what is proven need not be
//! tested again. In a chain this carries over from filter to filter.

use crate::op::Op;

/// Returns, for each operation, the bytes that every packet that gets there has at least; nothing
/// where no packet gets.
pub(super) fn reach(ops: &[Op]) -> Box<[Option<u64>]> {
    let mut reach: Box<[Option<u64>]> = vec![None; ops.len()].into();
    let arrive = |reach: &mut [Option<u64>], target: u32, bytes: u64| {
        // Absent only where a program rejects by leaving.
        if let Some(at) = reach.get_mut(target as usize) {
            *at = Some(at.map_or(bytes, |known| known.min(bytes)));
        }
    };
    for op in ops {
        if let Op::JumpBack { target, .. } = *op {
            // Who comes back here is not known yet, so nothing is.
            arrive(&mut reach, target, 0);
        }
    }
    arrive(&mut reach, 0, 0);
    let mut on_reject = u32::MAX;
    for (index, op) in (0u32..).zip(ops) {
        let next = index + 1;
        let Some(known) = reach[index as usize] else { continue };
        if let Op::BeginFilter { on_reject: target } = *op {
            on_reject = target;
        }
        if may_reject(op) {
            arrive(&mut reach, on_reject, known);
        }
        match *op {
            Op::Jump { target } => arrive(&mut reach, target, known),
            Op::Branch { if_true, if_false, .. } => {
                arrive(&mut reach, if_true, known);
                arrive(&mut reach, if_false, known);
            }
            Op::JumpBack { .. } | Op::Return(_) | Op::ReturnA => {}
            Op::LoadAbsolute { width, offset } | Op::LoadIndexed { width, offset } => {
                arrive(&mut reach, next, known.max(u64::from(offset) + u64::from(width.bytes())));
            }
            Op::LoadXHeaderLength(offset) => {
                arrive(&mut reach, next, known.max(u64::from(offset) + 1));
            }
            _ => arrive(&mut reach, next, known),
        }
    }
    reach
}

/// Returns whether an operation can end the filter by rejecting the packet.
fn may_reject(op: &Op) -> bool {
    matches!(
        op,
        Op::LoadAbsolute { .. }
            | Op::LoadIndexed { .. }
            | Op::LoadXHeaderLength(_)
            | Op::Arithmetic { .. }
            | Op::JumpBack { .. }
    )
}

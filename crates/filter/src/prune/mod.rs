//! The abstract run: whether any packet of which something is known can pass a filter.
//!
//! A filter's program is run on a packet of which only some bits and bounds on the lengths are
//! known. Where the known bits decide a branch, the run follows it; where they do not, it goes
//! both ways. If no way ends in acceptance, no packet like this one passes, whatever the rest of
//! it is. It may say that one could pass when none can, and never the other way round.

mod liveness;
mod packet;
mod state;
mod value;

use std::collections::HashSet;

use crate::Program;
use crate::op::{Condition, Op, Operand};
pub use packet::{AbstractPacket, KNOWN_BYTES_MAX};
use state::State;

pub(crate) use liveness::Liveness;

/// How many operations an abstract run may take before it gives up and says that a packet could
/// pass.
pub const PRUNE_STEPS_MAX: u32 = 65_536;

/// Returns whether a packet like `packet` could pass `program`: false only if none can.
pub fn may_match(program: &Program, packet: &AbstractPacket) -> bool {
    let run = Run {
        ops: program.ops(),
        liveness: program.liveness(),
        packet,
        pending: Vec::new(),
        seen: HashSet::new(),
        forked: false,
    };
    run.may_accept()
}

struct Run<'a> {
    ops: &'a [Op],
    liveness: &'a Liveness,
    packet: &'a AbstractPacket,
    /// Where the run has yet to go.
    pending: Vec<(u32, State)>,
    /// Where ways met, and what was known there: the same need not be followed twice.
    seen: HashSet<(u32, State)>,
    forked: bool,
}

/// What one operation leads to.
enum Step {
    Next,
    Goto(u32),
    Accept,
    Reject,
}

impl Run<'_> {
    fn may_accept(mut self) -> bool {
        let mut state = State::START;
        let mut at = 0u32;
        for _ in 0..PRUNE_STEPS_MAX {
            let step = if self.is_known(at, &mut state) {
                Step::Reject
            } else {
                self.step(at, &mut state)
            };
            match step {
                Step::Next => at += 1,
                Step::Goto(target) => at = target,
                Step::Accept => return true,
                Step::Reject => match self.pending.pop() {
                    Some((target, pending)) => (at, state) = (target, pending),
                    None => return false,
                },
            }
        }
        true
    }

    /// Returns whether the run has been here before with the same knowledge.
    fn is_known(&mut self, at: u32, state: &mut State) -> bool {
        // On one single way there is nothing to meet.
        if !self.forked || !self.liveness.is_meeting(at) {
            return false;
        }
        state.forget(self.liveness.dead(at));
        !self.seen.insert((at, state.clone()))
    }

    fn step(&mut self, at: u32, state: &mut State) -> Step {
        let op = self.ops[at as usize];
        match op {
            Op::Jump { target } | Op::JumpBack { target, .. } => Step::Goto(target),
            Op::Branch { condition, operand, if_true, if_false } => {
                self.branch(state, condition, operand, (if_true, if_false))
            }
            Op::Return(0) => Step::Reject,
            Op::Return(_) => Step::Accept,
            Op::ReturnA if state.a.max() == 0 => Step::Reject,
            Op::ReturnA => Step::Accept,
            _ => match state.execute(op, self.packet) {
                Some(()) => Step::Next,
                None => Step::Reject,
            },
        }
    }

    /// Goes where a condition leads, and leaves the other way for later if both are possible.
    fn branch(
        &mut self,
        state: &mut State,
        condition: Condition,
        operand: Operand,
        (if_true, if_false): (u32, u32),
    ) -> Step {
        let right = state.operand(operand);
        if let Some(holds) = value::compare(condition, state.a, right) {
            return Step::Goto(if holds { if_true } else { if_false });
        }
        let mut otherwise = state.clone();
        let may_hold = state.assume(condition, right, true);
        let may_fail = otherwise.assume(condition, right, false);
        match (may_hold, may_fail) {
            (true, true) => {
                self.forked = true;
                self.pending.push((if_false, otherwise));
                Step::Goto(if_true)
            }
            (true, false) => Step::Goto(if_true),
            (false, true) => {
                *state = otherwise;
                Step::Goto(if_false)
            }
            (false, false) => Step::Reject,
        }
    }
}

#[cfg(test)]
mod tests;

//! Filters in order of precedence, as one program.
//!
//! Where a filter would reject the packet, the program goes on with the next filter; where it
//! would accept, it ends with the filter's number. So one call per packet says which of many
//! filters is the first to match, and native code is made of all of them at once.

use std::sync::Arc;

use crate::op::{Condition, Op, Operand};
use crate::step::{self, Step};
use crate::{PROGRAM_INSTRUCTIONS_MAX, Program, interpret};

/// The most instructions that the filters of one chain may have together.
pub const CHAIN_INSTRUCTIONS_MAX: usize = 16 * PROGRAM_INSTRUCTIONS_MAX;

/// Why filters do not make a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Together, they are too long.
    #[error(
        "{filters} filters have {instructions} instructions, more than {CHAIN_INSTRUCTIONS_MAX}"
    )]
    TooLong {
        /// How many filters there are.
        filters: usize,
        /// How many instructions they have.
        instructions: usize,
    },
}

/// Filters in order of precedence. Cloning it copies a pointer.
#[derive(Clone, Debug)]
pub struct Chain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    programs: Box<[Program]>,
    /// What native code is made of.
    #[cfg(feature = "native")]
    ops: Box<[Op]>,
    steps: Box<[Step]>,
}

impl Chain {
    /// Makes one program of filters. Of no filters, it makes one that never matches.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if they are too long together.
    pub fn new(programs: &[Program]) -> Result<Self, ChainError> {
        let filters = programs.len();
        let instructions = programs.iter().map(|program| program.instructions().len()).sum();
        if instructions > CHAIN_INSTRUCTIONS_MAX {
            return Err(ChainError::TooLong { filters, instructions });
        }
        let mut ops = Vec::with_capacity(instructions + filters + 1);
        for (number, program) in (1..).zip(programs) {
            append(&mut ops, program.ops(), number);
        }
        ops.push(Op::Return(0));
        let steps = step::steps(&ops);
        let inner = Inner {
            programs: programs.into(),
            #[cfg(feature = "native")]
            ops: ops.into_boxed_slice(),
            steps,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns the number of the first filter that accepts the packet, counted from 1, and 0 if
    /// none does. It is as if [`Program::run`] were called on each in turn.
    #[inline]
    pub fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        interpret::run_chain(&self.inner.steps, packet, wire_bytes)
    }

    /// Returns the filters, in order.
    pub fn programs(&self) -> &[Program] {
        &self.inner.programs
    }

    #[cfg(feature = "native")]
    pub(crate) fn ops(&self) -> &[Op] {
        &self.inner.ops
    }
}

/// Appends a filter that ends with `number` where it accepted, and goes on behind itself where it
/// rejected.
fn append(ops: &mut Vec<Op>, filter: &[Op], number: u32) {
    // Where each operation of the filter comes to stand: all take one place, but `ReturnA`, whose
    // value decides between two.
    let mut place = index(ops.len()) + 1;
    let places: Vec<u32> = filter
        .iter()
        .map(|op| {
            let here = place;
            place += if matches!(op, Op::ReturnA) { 2 } else { 1 };
            here
        })
        .collect();
    let next_filter = place;
    let moved = |target: u32| places[target as usize];
    ops.push(Op::BeginFilter { on_reject: next_filter });
    for &op in filter {
        let here = index(ops.len());
        ops.push(match op {
            Op::Return(0) => Op::Jump { target: next_filter },
            Op::Return(_) => Op::Return(number),
            Op::ReturnA => Op::Branch {
                condition: Condition::Equal,
                operand: Operand::Constant(0),
                if_true: next_filter,
                if_false: here + 1,
            },
            Op::Jump { target } => Op::Jump { target: moved(target) },
            Op::JumpBack { target, span } => Op::JumpBack { target: moved(target), span },
            Op::Branch { condition, operand, if_true, if_false } => {
                let (if_true, if_false) = (moved(if_true), moved(if_false));
                Op::Branch { condition, operand, if_true, if_false }
            }
            same => same,
        });
        if matches!(op, Op::ReturnA) {
            ops.push(Op::Return(number));
        }
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a chain is at most twice CHAIN_INSTRUCTIONS_MAX long, and a bit")
}

#[cfg(test)]
mod tests;

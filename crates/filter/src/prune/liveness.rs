//! Which registers and words of memory are still read, and where ways through a program meet.

use crate::op::{Op, Operand};

use super::state::{A_BIT, X_BIT};

/// How often the operations are gone over until nothing changes. Programs without loops need two
/// passes, `protochain` a few more; one that needs more is taken to read everything everywhere.
const PASSES_MAX: usize = 32;

/// What [`may_match`](super::may_match) wants to know of a program, once for all packets.
#[derive(Debug)]
pub(crate) struct Liveness {
    points: Box<[Point]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// The registers and words that are read from here on before they are written.
    live: u32,
    /// How many ways lead here.
    arrivals: u32,
}

impl Liveness {
    pub(crate) fn of(ops: &[Op]) -> Self {
        let mut points = vec![Point::default(); ops.len()].into_boxed_slice();
        count_arrivals(ops, &mut points);
        if !(0..PASSES_MAX).any(|_| !pass(ops, &mut points)) {
            for point in &mut points {
                point.live = u32::MAX;
            }
        }
        Self { points }
    }

    /// Returns what nothing reads from here on.
    pub(super) fn dead(&self, at: u32) -> u32 {
        !self.points[at as usize].live
    }

    /// Returns whether several ways lead here.
    pub(super) fn is_meeting(&self, at: u32) -> bool {
        self.points[at as usize].arrivals > 1
    }
}

fn count_arrivals(ops: &[Op], points: &mut [Point]) {
    points[0].arrivals = 1;
    for (index, &op) in ops.iter().enumerate() {
        for target in successors(index, op).into_iter().flatten() {
            points[target].arrivals += 1;
        }
    }
}

/// Goes over all operations from the last to the first; returns whether anything changed.
fn pass(ops: &[Op], points: &mut [Point]) -> bool {
    let mut changed = false;
    for (index, &op) in ops.iter().enumerate().rev() {
        let after = successors(index, op).into_iter().flatten();
        let live_after = after.fold(0, |live, target| live | points[target].live);
        let (reads, writes) = effects(op);
        let live = live_after & !writes | reads;
        changed |= live != points[index].live;
        points[index].live = live;
    }
    changed
}

fn successors(index: usize, op: Op) -> [Option<usize>; 2] {
    match op {
        Op::Jump { target } | Op::JumpBack { target, .. } => [Some(target as usize), None],
        Op::Branch { if_true, if_false, .. } => [Some(if_true as usize), Some(if_false as usize)],
        Op::Return(_) | Op::ReturnA => [None, None],
        Op::BeginFilter { on_reject } => [Some(index + 1), Some(on_reject as usize)],
        _ => [Some(index + 1), None],
    }
}

/// Returns what an operation reads and what it writes.
fn effects(op: Op) -> (u32, u32) {
    let operand_bit = |operand| if operand == Operand::X { X_BIT } else { 0 };
    match op {
        Op::BeginFilter { .. } => (0, u32::MAX),
        Op::LoadAbsolute { .. } | Op::LoadLength | Op::LoadConstant(_) => (0, A_BIT),
        Op::LoadIndexed { .. } | Op::MoveXToA => (X_BIT, A_BIT),
        Op::LoadMemory(word) => (1 << word, A_BIT),
        Op::LoadXConstant(_) | Op::LoadXLength | Op::LoadXHeaderLength(_) => (0, X_BIT),
        Op::LoadXMemory(word) => (1 << word, X_BIT),
        Op::StoreA(word) => (A_BIT, 1 << word),
        Op::StoreX(word) => (X_BIT, 1 << word),
        Op::Arithmetic { operand, .. } => (A_BIT | operand_bit(operand), A_BIT),
        Op::Negate => (A_BIT, A_BIT),
        Op::MoveAToX => (A_BIT, X_BIT),
        Op::Branch { operand, .. } => (A_BIT | operand_bit(operand), 0),
        Op::ReturnA => (A_BIT, 0),
        Op::Jump { .. } | Op::JumpBack { .. } | Op::Return(_) => (0, 0),
    }
}

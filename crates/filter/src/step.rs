//! Operations as the interpreter takes them: one code for each, so that it decides once.
//!
//! [`Op`] says what an operation is made of, which is what compiling and reasoning want. Run as it
//! is, deciding first that it loads and then how much, it takes 1.7 times as long (`benches/run`).

use crate::op::{Arithmetic, Condition, Op, Operand, Width};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BeginFilter,
    LoadWord,
    LoadHalf,
    LoadByte,
    LoadIndexedWord,
    LoadIndexedHalf,
    LoadIndexedByte,
    LoadLength,
    LoadConstant,
    LoadMemory,
    LoadXConstant,
    LoadXMemory,
    LoadXLength,
    LoadXHeaderLength,
    StoreA,
    StoreX,
    AndConstant,
    CalculateConstant,
    CalculateX,
    Negate,
    MoveAToX,
    MoveXToA,
    Jump,
    JumpBack,
    IfEqual,
    IfGreater,
    IfGreaterOrEqual,
    IfAnyBitSet,
    IfX,
    Return,
    ReturnA,
}

/// One operation, in 16 bytes. What its code does not use is arbitrary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) code: Code,
    pub(crate) arithmetic: Arithmetic,
    pub(crate) condition: Condition,
    /// The constant, offset, memory word or span.
    pub(crate) k: u32,
    if_true: u32,
    if_false: u32,
}

impl Step {
    const fn new(code: Code, k: u32) -> Self {
        let (arithmetic, condition) = (Arithmetic::And, Condition::Equal);
        Self { code, arithmetic, condition, k, if_true: 0, if_false: 0 }
    }

    const fn to(code: Code, target: u32) -> Self {
        Self { if_true: target, ..Self::new(code, 0) }
    }

    /// Returns where it goes without a condition.
    #[inline]
    pub(crate) const fn target(&self) -> usize {
        self.if_true as usize
    }

    /// Returns where it goes if its condition holds, or does not.
    #[inline]
    pub(crate) const fn target_if(&self, holds: bool) -> usize {
        if holds {
            // Not that it is rare: it makes the compiler branch, which the CPU predicts, and not
            // select, which it waits for. That halves what a filter takes.
            core::hint::cold_path();
            self.if_true as usize
        } else {
            self.if_false as usize
        }
    }

    /// Returns its memory word.
    #[inline]
    pub(crate) const fn word(&self) -> usize {
        self.k as usize
    }
}

/// Makes one step of each operation, so that targets stay what they are.
pub(crate) fn steps(ops: &[Op]) -> Box<[Step]> {
    ops.iter().map(|&op| step(op)).collect()
}

fn step(op: Op) -> Step {
    match op {
        Op::BeginFilter { on_reject } => Step::to(Code::BeginFilter, on_reject),
        Op::LoadAbsolute { width: Width::Word, offset } => Step::new(Code::LoadWord, offset),
        Op::LoadAbsolute { width: Width::Half, offset } => Step::new(Code::LoadHalf, offset),
        Op::LoadAbsolute { width: Width::Byte, offset } => Step::new(Code::LoadByte, offset),
        Op::LoadIndexed { width: Width::Word, offset } => Step::new(Code::LoadIndexedWord, offset),
        Op::LoadIndexed { width: Width::Half, offset } => Step::new(Code::LoadIndexedHalf, offset),
        Op::LoadIndexed { width: Width::Byte, offset } => Step::new(Code::LoadIndexedByte, offset),
        Op::LoadLength => Step::new(Code::LoadLength, 0),
        Op::LoadConstant(value) => Step::new(Code::LoadConstant, value),
        Op::LoadMemory(word) => Step::new(Code::LoadMemory, word.into()),
        Op::LoadXConstant(value) => Step::new(Code::LoadXConstant, value),
        Op::LoadXMemory(word) => Step::new(Code::LoadXMemory, word.into()),
        Op::LoadXLength => Step::new(Code::LoadXLength, 0),
        Op::LoadXHeaderLength(offset) => Step::new(Code::LoadXHeaderLength, offset),
        Op::StoreA(word) => Step::new(Code::StoreA, word.into()),
        Op::StoreX(word) => Step::new(Code::StoreX, word.into()),
        Op::Arithmetic { operator, operand } => arithmetic(operator, operand),
        Op::Negate => Step::new(Code::Negate, 0),
        Op::MoveAToX => Step::new(Code::MoveAToX, 0),
        Op::MoveXToA => Step::new(Code::MoveXToA, 0),
        Op::Jump { target } => Step::to(Code::Jump, target),
        Op::JumpBack { target, span } => Step { k: span, ..Step::to(Code::JumpBack, target) },
        Op::Branch { condition, operand, if_true, if_false } => {
            Step { if_true, if_false, ..branch(condition, operand) }
        }
        Op::Return(value) => Step::new(Code::Return, value),
        Op::ReturnA => Step::new(Code::ReturnA, 0),
    }
}

fn arithmetic(operator: Arithmetic, operand: Operand) -> Step {
    let step = match (operator, operand) {
        (Arithmetic::And, Operand::Constant(value)) => Step::new(Code::AndConstant, value),
        (_, Operand::Constant(value)) => Step::new(Code::CalculateConstant, value),
        (_, Operand::X) => Step::new(Code::CalculateX, 0),
    };
    Step { arithmetic: operator, ..step }
}

fn branch(condition: Condition, operand: Operand) -> Step {
    let Operand::Constant(value) = operand else {
        return Step { condition, ..Step::new(Code::IfX, 0) };
    };
    let code = match condition {
        Condition::Equal => Code::IfEqual,
        Condition::Greater => Code::IfGreater,
        Condition::GreaterOrEqual => Code::IfGreaterOrEqual,
        Condition::AnyBitSet => Code::IfAnyBitSet,
    };
    Step::new(code, value)
}

const _: () = assert!(size_of::<Step>() == 16);

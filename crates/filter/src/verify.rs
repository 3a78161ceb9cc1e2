//! The verifier: whether a program may run on packets.
//!
//! It trusts nothing of what a program says, whoever wrote it. What it lets through terminates
//! within a bounded number of steps and touches nothing but the packet, two registers and sixteen
//! words of memory.

use crate::Instruction;
use crate::instruction::code;
use crate::op::{Arithmetic, Condition, MEMORY_WORDS, Op, Operand, Width};

/// The most instructions that one program may have.
pub const PROGRAM_INSTRUCTIONS_MAX: usize = 65_536;

/// Absolute offsets from here on are not offsets: Linux reads packet metadata through them
/// (`SKF_AD_OFF` in `linux/filter.h`).
const METADATA_OFFSET: u32 = 0xffff_f000;
/// How many of them there are (`SKF_AD_MAX`).
const METADATA_COUNT: u32 = 64;

/// Why a program may not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no instruction.
    #[error("the program is empty")]
    Empty,
    /// There are too many instructions.
    #[error("the program has {instructions} instructions, more than {PROGRAM_INSTRUCTIONS_MAX}")]
    TooLong {
        /// How many there are.
        instructions: usize,
    },
    /// An operation that classic BPF does not have.
    #[error("instruction {index} has the unknown code {code:#06x}")]
    UnknownCode {
        /// Where it stands.
        index: usize,
        /// Its code.
        code: u16,
    },
    /// A jump to a place that the program does not have.
    #[error("instruction {index} jumps out of the program")]
    JumpOutOfRange {
        /// Where it stands.
        index: usize,
    },
    /// A memory word that there is not.
    #[error("instruction {index} names memory word {word}; the last is 15")]
    MemoryOutOfRange {
        /// Where it stands.
        index: usize,
        /// The word that it names.
        word: u32,
    },
    /// A division or a remainder by zero.
    #[error("instruction {index} divides by zero")]
    DivisionByZero {
        /// Where it stands.
        index: usize,
    },
    /// A shift by more bits than a word has.
    #[error("instruction {index} shifts by {bits} bits")]
    ShiftTooFar {
        /// Where it stands.
        index: usize,
        /// How far it shifts.
        bits: u32,
    },
    /// A load of what only a live Linux socket knows: interface, direction, VLAN tag and the like.
    #[error("instruction {index} reads packet metadata, which a capture does not have")]
    PacketMetadata {
        /// Where it stands.
        index: usize,
    },
    /// The last instruction is not an end.
    #[error("the program runs past its last instruction")]
    NoReturn,
}

/// Checks a program and decodes it.
pub(crate) fn verify(instructions: &[Instruction]) -> Result<Box<[Op]>, VerifyError> {
    let instruction_count = instructions.len();
    if instruction_count > PROGRAM_INSTRUCTIONS_MAX {
        return Err(VerifyError::TooLong { instructions: instruction_count });
    }
    let mut ops = Vec::with_capacity(instruction_count);
    for (index, instruction) in instructions.iter().enumerate() {
        ops.push(Site { index, instruction_count }.decode(*instruction)?);
    }
    match ops.last() {
        None => Err(VerifyError::Empty),
        Some(Op::Return(_) | Op::ReturnA | Op::JumpBack { .. }) => Ok(ops.into_boxed_slice()),
        Some(_) => Err(VerifyError::NoReturn),
    }
}

/// Where an instruction stands.
#[derive(Clone, Copy)]
struct Site {
    index: usize,
    instruction_count: usize,
}

impl Site {
    fn decode(self, instruction: Instruction) -> Result<Op, VerifyError> {
        let Instruction { code, k, .. } = instruction;
        Ok(match code {
            code::LD_W_ABS => self.load(Width::Word, k)?,
            code::LD_H_ABS => self.load(Width::Half, k)?,
            code::LD_B_ABS => self.load(Width::Byte, k)?,
            code::LD_W_IND => Op::LoadIndexed { width: Width::Word, offset: k },
            code::LD_H_IND => Op::LoadIndexed { width: Width::Half, offset: k },
            code::LD_B_IND => Op::LoadIndexed { width: Width::Byte, offset: k },
            code::LD_LEN => Op::LoadLength,
            code::LD_IMM => Op::LoadConstant(k),
            code::LD_MEM => Op::LoadMemory(self.memory_word(k)?),
            code::LDX_IMM => Op::LoadXConstant(k),
            code::LDX_MEM => Op::LoadXMemory(self.memory_word(k)?),
            code::LDX_LEN => Op::LoadXLength,
            code::LDX_MSH => Op::LoadXHeaderLength(k),
            code::ST => Op::StoreA(self.memory_word(k)?),
            code::STX => Op::StoreX(self.memory_word(k)?),
            code::NEG => Op::Negate,
            code::TAX => Op::MoveAToX,
            code::TXA => Op::MoveXToA,
            code::RET_K => Op::Return(k),
            code::RET_A => Op::ReturnA,
            code::JA => self.jump(k)?,
            _ if code & code::CLASS == code::ALU => self.arithmetic(code, k)?,
            _ if code & code::CLASS == code::JMP => self.branch(instruction)?,
            _ => return Err(self.unknown(code)),
        })
    }

    fn unknown(self, code: u16) -> VerifyError {
        VerifyError::UnknownCode { index: self.index, code }
    }

    fn load(self, width: Width, offset: u32) -> Result<Op, VerifyError> {
        if (METADATA_OFFSET..METADATA_OFFSET + METADATA_COUNT).contains(&offset) {
            return Err(VerifyError::PacketMetadata { index: self.index });
        }
        Ok(Op::LoadAbsolute { width, offset })
    }

    fn memory_word(self, word: u32) -> Result<u8, VerifyError> {
        match u8::try_from(word) {
            Ok(small) if usize::from(small) < MEMORY_WORDS => Ok(small),
            _ => Err(VerifyError::MemoryOutOfRange { index: self.index, word }),
        }
    }

    fn arithmetic(self, code: u16, k: u32) -> Result<Op, VerifyError> {
        let operator = match code & code::OPERATOR {
            0x00 => Arithmetic::Add,
            0x10 => Arithmetic::Subtract,
            0x20 => Arithmetic::Multiply,
            0x30 => Arithmetic::Divide,
            0x40 => Arithmetic::Or,
            0x50 => Arithmetic::And,
            0x60 => Arithmetic::ShiftLeft,
            0x70 => Arithmetic::ShiftRight,
            0x90 => Arithmetic::Modulo,
            0xa0 => Arithmetic::Xor,
            _ => return Err(self.unknown(code)),
        };
        let operand = self.operand(code, k)?;
        match (operator, operand) {
            (Arithmetic::Divide | Arithmetic::Modulo, Operand::Constant(0)) => {
                Err(VerifyError::DivisionByZero { index: self.index })
            }
            (Arithmetic::ShiftLeft | Arithmetic::ShiftRight, Operand::Constant(bits @ 32..)) => {
                Err(VerifyError::ShiftTooFar { index: self.index, bits })
            }
            _ => Ok(Op::Arithmetic { operator, operand }),
        }
    }

    fn branch(self, instruction: Instruction) -> Result<Op, VerifyError> {
        let condition = match instruction.code & code::OPERATOR {
            0x10 => Condition::Equal,
            0x20 => Condition::Greater,
            0x30 => Condition::GreaterOrEqual,
            0x40 => Condition::AnyBitSet,
            _ => return Err(self.unknown(instruction.code)),
        };
        Ok(Op::Branch {
            condition,
            operand: self.operand(instruction.code, instruction.k)?,
            if_true: self.target_ahead(instruction.jt)?,
            if_false: self.target_ahead(instruction.jf)?,
        })
    }

    fn operand(self, code: u16, k: u32) -> Result<Operand, VerifyError> {
        match code & !(code::CLASS | code::OPERATOR) {
            0 => Ok(Operand::Constant(k)),
            code::WITH_X => Ok(Operand::X),
            _ => Err(self.unknown(code)),
        }
    }

    fn jump(self, k: u32) -> Result<Op, VerifyError> {
        // A jump back is the only instruction that libpcap reads as signed: `protochain` needs it.
        let skip = k.cast_signed();
        if skip >= 0 {
            return Ok(Op::Jump { target: self.target_ahead(k)? });
        }
        let back = usize::try_from(skip.unsigned_abs()).ok();
        let target = back.and_then(|back| (self.index + 1).checked_sub(back));
        let target = target.and_then(|target| u32::try_from(target).ok());
        let target = target.ok_or(VerifyError::JumpOutOfRange { index: self.index })?;
        Ok(Op::JumpBack { target, span: skip.unsigned_abs() })
    }

    fn target_ahead(self, skip: u32) -> Result<u32, VerifyError> {
        let target = usize::try_from(skip).ok().and_then(|skip| skip.checked_add(self.index + 1));
        match target {
            Some(target) if target < self.instruction_count => {
                u32::try_from(target).map_err(|_| VerifyError::JumpOutOfRange { index: self.index })
            }
            _ => Err(VerifyError::JumpOutOfRange { index: self.index }),
        }
    }
}

#[cfg(test)]
mod tests;

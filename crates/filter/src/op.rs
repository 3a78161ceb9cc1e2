//! The form in which programs run: decoded, and with absolute jump targets.
//!
//! Only the verifier makes operations, so whatever holds them may rely on what it checked: every
//! target lies within the program, every slot within the memory, no constant divisor is zero, and
//! the last operation does not fall through. A chain is made of such programs, and keeps that.

/// The memory words that a program has.
pub(crate) const MEMORY_WORDS: usize = 16;

/// How many bytes a load takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Width {
    Byte,
    Half,
    Word,
}

impl Width {
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
        }
    }
}

/// What the accumulator is combined with, or compared to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    /// A constant. Never zero where it divides, and less than 32 where it shifts.
    Constant(u32),
    /// The index register.
    X,
}

/// An arithmetic operator. All wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// A condition between the accumulator and an operand; numbers are unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBitSet,
}

/// One operation. Targets are indices into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// Begins a filter of a chain: everything is zero again, the loop budget is whole, and what
    /// would reject the packet goes on at `on_reject` instead, where the next one begins.
    BeginFilter { on_reject: u32 },
    /// A = the bytes at `offset`, big-endian; rejects the packet if they are not there.
    LoadAbsolute { width: Width, offset: u32 },
    /// A = the bytes at X + `offset`, big-endian; rejects the packet if they are not there.
    LoadIndexed { width: Width, offset: u32 },
    /// A = the packet's length on the wire.
    LoadLength,
    /// A = a constant.
    LoadConstant(u32),
    /// A = a memory word.
    LoadMemory(u8),
    /// X = a constant.
    LoadXConstant(u32),
    /// X = a memory word.
    LoadXMemory(u8),
    /// X = the packet's length on the wire.
    LoadXLength,
    /// X = four times the low nibble of the byte at the offset: an IPv4 header's length.
    LoadXHeaderLength(u32),
    /// A memory word = A.
    StoreA(u8),
    /// A memory word = X.
    StoreX(u8),
    /// A = A operator operand. Division by an X of zero rejects the packet; a shift by 32 or more
    /// leaves zero.
    Arithmetic { operator: Arithmetic, operand: Operand },
    /// A = -A.
    Negate,
    /// X = A.
    MoveAToX,
    /// A = X.
    MoveXToA,
    /// Goes on at `target`, which lies ahead.
    Jump { target: u32 },
    /// Goes back to `target`, `span` operations before this one, at the cost of `span` from the
    /// budget that the packet has for loops.
    JumpBack { target: u32, span: u32 },
    /// Goes on at one of two places ahead.
    Branch { condition: Condition, operand: Operand, if_true: u32, if_false: u32 },
    /// Ends with this number.
    Return(u32),
    /// Ends with A.
    ReturnA,
}

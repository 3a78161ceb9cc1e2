//! What is known at one point of an abstract run.

use crate::op::{Arithmetic, Condition, MEMORY_WORDS, Op, Operand, Width};

use super::packet::AbstractPacket;
use super::value::{self, Value};

/// Registers and memory, and what the way here has taught about the packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) a: Value,
    x: Value,
    memory: [Value; MEMORY_WORDS],
    /// Which bytes A was loaded from, if it still shows them.
    a_origin: Option<Origin>,
    /// Bits of the packet that branches on the way here have settled, by offset.
    learned: Vec<Learned>,
}

/// A number in the packet, seen through a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin {
    width: Width,
    offset: u32,
    mask: u32,
}

/// Bits of a byte of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Learned {
    offset: u32,
    value: u8,
    mask: u8,
}

/// Marks A in a set of dead registers; memory words have the bits below.
pub(super) const A_BIT: u32 = 1 << MEMORY_WORDS;
/// Marks X.
pub(super) const X_BIT: u32 = A_BIT << 1;

impl State {
    /// All zero, as every program starts.
    pub(super) const START: Self = Self {
        a: Value::ZERO,
        x: Value::ZERO,
        memory: [Value::ZERO; MEMORY_WORDS],
        a_origin: None,
        learned: Vec::new(),
    };

    pub(super) fn operand(&self, operand: Operand) -> Value {
        match operand {
            Operand::Constant(value) => Value::constant(value),
            Operand::X => self.x,
        }
    }

    /// Forgets what no operation will read, so that states which differ in nothing else are equal.
    pub(super) fn forget(&mut self, dead: u32) {
        if dead & A_BIT != 0 {
            (self.a, self.a_origin) = (Value::ZERO, None);
        }
        if dead & X_BIT != 0 {
            self.x = Value::ZERO;
        }
        for (word, value) in self.memory.iter_mut().enumerate() {
            if dead & 1 << word != 0 {
                *value = Value::ZERO;
            }
        }
    }

    /// Executes an operation that goes on with the next one; nothing if it must reject.
    pub(super) fn execute(&mut self, op: Op, packet: &AbstractPacket) -> Option<()> {
        let mut a_origin = None;
        match op {
            Op::LoadAbsolute { width, offset } => {
                a_origin = Some(Origin { width, offset, mask: u32::MAX });
                self.a = self.load(packet, width, Value::ZERO, offset)?;
            }
            Op::LoadIndexed { width, offset } => {
                let start = self.x.as_constant().and_then(|x| x.checked_add(offset));
                a_origin = start.map(|offset| Origin { width, offset, mask: u32::MAX });
                self.a = self.load(packet, width, self.x, offset)?;
            }
            Op::LoadLength => self.a = packet.wire()?,
            Op::LoadConstant(value) => self.a = Value::constant(value),
            Op::LoadMemory(word) => self.a = self.memory[usize::from(word)],
            Op::LoadXConstant(value) => self.x = Value::constant(value),
            Op::LoadXMemory(word) => self.x = self.memory[usize::from(word)],
            Op::LoadXLength => self.x = packet.wire()?,
            Op::LoadXHeaderLength(offset) => {
                let byte = self.load(packet, Width::Byte, Value::ZERO, offset)?;
                let nibble = byte.and(Value::constant(0xf));
                self.x = value::calculate(Arithmetic::ShiftLeft, nibble, Value::constant(2))?;
            }
            Op::StoreA(word) => self.memory[usize::from(word)] = self.a,
            Op::StoreX(word) => self.memory[usize::from(word)] = self.x,
            Op::Arithmetic { operator, operand } => {
                let operand = self.operand(operand);
                self.a = value::calculate(operator, self.a, operand)?;
                if let (Arithmetic::And, Some(mask)) = (operator, operand.as_constant()) {
                    a_origin = self.a_origin.map(|o| Origin { mask: o.mask & mask, ..o });
                }
            }
            Op::Negate => self.a = value::negate(self.a),
            Op::MoveAToX => self.x = self.a,
            Op::MoveXToA => self.a = self.x,
            Op::BeginFilter { .. } => *self = Self::START,
            Op::Jump { .. }
            | Op::JumpBack { .. }
            | Op::Branch { .. }
            | Op::Return(_)
            | Op::ReturnA => unreachable!("these do not go on with the next operation"),
        }
        if writes_a(op) {
            self.a_origin = a_origin;
        }
        Some(())
    }

    /// Returns what is known of the bytes at `index + offset`; nothing if they cannot be there.
    fn load(
        &self,
        packet: &AbstractPacket,
        width: Width,
        index: Value,
        offset: u32,
    ) -> Option<Value> {
        let start = u64::from(index.min()) + u64::from(offset);
        if !packet.can_reach(start + u64::from(width.bytes())) {
            return None;
        }
        let bits_max = width.bytes() * 8;
        let start = index.as_constant().and_then(|index| index.checked_add(offset));
        let (value, known) = match start {
            Some(start) => self.packet_bits(packet, width, start),
            None => (0, 0),
        };
        Some(Value::bits(value, known, bits_max))
    }

    fn packet_bits(&self, packet: &AbstractPacket, width: Width, offset: u32) -> (u32, u32) {
        let (mut value, mut known) = packet.bits(width, offset);
        for byte in 0..width.bytes() {
            let at = offset.wrapping_add(byte);
            if let Ok(index) = self.learned.binary_search_by_key(&at, |learned| learned.offset) {
                let shift = (width.bytes() - 1 - byte) * 8;
                let learned = self.learned[index];
                value |= u32::from(learned.value) << shift;
                known |= u32::from(learned.mask) << shift;
            }
        }
        (value, known)
    }

    /// Goes on where a condition between A and `right` holds, or does not. False if it cannot be.
    pub(super) fn assume(&mut self, condition: Condition, right: Value, holds: bool) -> bool {
        let Some(a) = value::assume(condition, self.a, right, holds) else { return false };
        self.a = a;
        if let (Some(origin), Some(right)) = (self.a_origin, right.as_constant()) {
            match (condition, holds) {
                (Condition::Equal, true) => self.learn(origin, right, origin.mask),
                (Condition::AnyBitSet, false) => self.learn(origin, 0, origin.mask & right),
                _ => {}
            }
        }
        true
    }

    /// Remembers bits of the packet that no later load on this way can contradict.
    fn learn(&mut self, origin: Origin, value: u32, mask: u32) {
        let width = origin.width.bytes();
        for byte in 0..width {
            let shift = (width - 1 - byte) * 8;
            let mask = (mask >> shift) as u8;
            if mask == 0 {
                continue;
            }
            let value = (value >> shift) as u8 & mask;
            let offset = origin.offset.wrapping_add(byte);
            match self.learned.binary_search_by_key(&offset, |learned| learned.offset) {
                Ok(index) => {
                    self.learned[index].value |= value;
                    self.learned[index].mask |= mask;
                }
                Err(index) => self.learned.insert(index, Learned { offset, value, mask }),
            }
        }
    }
}

fn writes_a(op: Op) -> bool {
    matches!(
        op,
        Op::LoadAbsolute { .. }
            | Op::LoadIndexed { .. }
            | Op::LoadLength
            | Op::LoadConstant(_)
            | Op::LoadMemory(_)
            | Op::Arithmetic { .. }
            | Op::Negate
            | Op::MoveXToA
    )
}

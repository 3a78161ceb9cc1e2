//! What is known of a number: some of its bits, and bounds.
//!
//! The bits follow masks and shifts, the bounds follow comparisons and sums, and each sharpens the
//! other. Sums of partly known numbers are those of the Linux eBPF verifier's "tnum" (Vishwanathan
//! et al., "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers", 2022).

use crate::interpret;
use crate::op::{Arithmetic, Condition};

/// A set of 32-bit numbers, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    /// The bits that are one in all of them.
    ones: u32,
    /// The bits that are zero in all of them.
    zeros: u32,
    min: u32,
    max: u32,
}

impl Value {
    pub(super) const UNKNOWN: Self = Self { ones: 0, zeros: 0, min: 0, max: u32::MAX };
    pub(super) const ZERO: Self = Self::constant(0);

    pub(super) const fn constant(value: u32) -> Self {
        Self { ones: value, zeros: !value, min: value, max: value }
    }

    /// Returns the numbers between two, including both.
    pub(super) fn range(min: u32, max: u32) -> Option<Self> {
        Self { min, max, ..Self::UNKNOWN }.sharpened()
    }

    /// Returns the numbers of so many bits at most that have the bits of `value` where `known` has
    /// ones.
    pub(super) fn bits(value: u32, known: u32, bits_max: u32) -> Self {
        let beyond = u32::MAX.checked_shl(bits_max).unwrap_or(0);
        Self { ones: value & known, zeros: !value & known | beyond, ..Self::UNKNOWN }.sound()
    }

    /// Returns the number if it is one.
    pub(super) fn as_constant(self) -> Option<u32> {
        (self.min == self.max).then_some(self.min)
    }

    pub(super) const fn min(self) -> u32 {
        self.min
    }

    pub(super) const fn max(self) -> u32 {
        self.max
    }

    /// Lets bits and bounds sharpen each other; nothing is left if they contradict.
    fn sharpened(self) -> Option<Self> {
        let min = self.min.max(self.ones);
        let max = self.max.min(!self.zeros);
        if min > max {
            return None;
        }
        // Above the highest bit in which the bounds differ, all numbers between them agree.
        let agreed = !u32::MAX.checked_shr((min ^ max).leading_zeros()).unwrap_or(0);
        let ones = self.ones | min & agreed;
        let zeros = self.zeros | !min & agreed;
        (ones & zeros == 0).then_some(Self { ones, zeros, min, max })
    }

    /// As [`sharpened`](Self::sharpened), for what cannot contradict: results of operations on
    /// sets that are not empty.
    fn sound(self) -> Self {
        self.sharpened().unwrap_or(Self::UNKNOWN)
    }

    fn intersected(self, other: Self) -> Option<Self> {
        let (ones, zeros) = (self.ones | other.ones, self.zeros | other.zeros);
        let (min, max) = (self.min.max(other.min), self.max.min(other.max));
        if ones & zeros != 0 {
            return None;
        }
        Self { ones, zeros, min, max }.sharpened()
    }

    /// The bits that are not the same in all numbers.
    const fn unsettled(self) -> u32 {
        !(self.ones | self.zeros)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            ones: self.ones & other.ones,
            zeros: self.zeros | other.zeros,
            min: 0,
            max: self.max.min(other.max),
        }
        .sound()
    }

    fn or(self, other: Self) -> Self {
        Self {
            ones: self.ones | other.ones,
            zeros: self.zeros & other.zeros,
            min: self.min.max(other.min),
            max: u32::MAX,
        }
        .sound()
    }

    fn xor(self, other: Self) -> Self {
        Self {
            ones: self.ones & other.zeros | self.zeros & other.ones,
            zeros: self.zeros & other.zeros | self.ones & other.ones,
            ..Self::UNKNOWN
        }
        .sound()
    }

    fn add(self, other: Self) -> Self {
        let unsettled = self.unsettled().wrapping_add(other.unsettled());
        let settled = self.ones.wrapping_add(other.ones);
        let carried = unsettled.wrapping_add(settled) ^ settled;
        let (min, max) = match self.max.checked_add(other.max) {
            Some(max) => (self.min + other.min, max),
            None => (0, u32::MAX),
        };
        self.combined(other, settled, carried, min, max)
    }

    fn subtract(self, other: Self) -> Self {
        let settled = self.ones.wrapping_sub(other.ones);
        let most = settled.wrapping_add(self.unsettled());
        let least = settled.wrapping_sub(other.unsettled());
        let (min, max) = match self.min.checked_sub(other.max) {
            Some(min) => (min, self.max - other.min),
            None => (0, u32::MAX),
        };
        self.combined(other, settled, most ^ least, min, max)
    }

    /// A sum or difference whose bits are `settled` where no operand and no carry is unsettled.
    fn combined(self, other: Self, settled: u32, carried: u32, min: u32, max: u32) -> Self {
        let known = !(carried | self.unsettled() | other.unsettled());
        Self { ones: settled & known, zeros: !settled & known, min, max }.sound()
    }

    fn multiply(self, other: Self) -> Self {
        match self.max.checked_mul(other.max) {
            Some(max) => Self { min: self.min * other.min, max, ..Self::UNKNOWN }.sound(),
            None => Self::UNKNOWN,
        }
    }

    fn divide(self, divisor: Self) -> Self {
        let (min, max) = (self.min / divisor.max.max(1), self.max / divisor.min.max(1));
        Self { min, max, ..Self::UNKNOWN }.sound()
    }

    fn modulo(self, divisor: Self) -> Self {
        if self.max < divisor.min {
            return self;
        }
        Self { max: self.max.min(divisor.max.saturating_sub(1)), ..Self::UNKNOWN }.sound()
    }

    fn shift_left(self, amount: Self) -> Self {
        let Some(bits) = amount.as_constant() else { return Self::UNKNOWN };
        let Some(ones) = self.ones.checked_shl(bits) else { return Self::ZERO };
        let zeros = !(!self.zeros << bits);
        let (min, max) = if self.max.leading_zeros() >= bits {
            (self.min << bits, self.max << bits)
        } else {
            (0, u32::MAX)
        };
        Self { ones, zeros, min, max }.sound()
    }

    fn shift_right(self, amount: Self) -> Self {
        let Some(bits) = amount.as_constant() else {
            return Self { max: self.max, ..Self::UNKNOWN }.sound();
        };
        let Some(ones) = self.ones.checked_shr(bits) else { return Self::ZERO };
        let zeros = !(!self.zeros >> bits);
        Self { ones, zeros, min: self.min >> bits, max: self.max >> bits }.sound()
    }
}

/// Returns what is known of `a operator b`; nothing if it divides by zero for certain.
pub(super) fn calculate(operator: Arithmetic, a: Value, b: Value) -> Option<Value> {
    if let (Some(a), Some(b)) = (a.as_constant(), b.as_constant()) {
        return interpret::calculate(operator, a, b).map(Value::constant);
    }
    Some(match operator {
        Arithmetic::Add => a.add(b),
        Arithmetic::Subtract => a.subtract(b),
        Arithmetic::Multiply => a.multiply(b),
        Arithmetic::Divide | Arithmetic::Modulo if b.max == 0 => return None,
        Arithmetic::Divide => a.divide(b),
        Arithmetic::Modulo => a.modulo(b),
        Arithmetic::Or => a.or(b),
        Arithmetic::And => a.and(b),
        Arithmetic::Xor => a.xor(b),
        Arithmetic::ShiftLeft => a.shift_left(b),
        Arithmetic::ShiftRight => a.shift_right(b),
    })
}

/// Returns what is known of `-a`.
pub(super) fn negate(a: Value) -> Value {
    match a.as_constant() {
        Some(a) => Value::constant(a.wrapping_neg()),
        None => Value::ZERO.subtract(a),
    }
}

/// Returns whether a condition holds, if that is known.
pub(super) fn compare(condition: Condition, a: Value, b: Value) -> Option<bool> {
    match condition {
        Condition::Equal => match (a.as_constant(), b.as_constant()) {
            (Some(a), Some(b)) => Some(a == b),
            _ => a.intersected(b).is_none().then_some(false),
        },
        Condition::Greater => is_ordered(b, a, u32::lt),
        Condition::GreaterOrEqual => is_ordered(b, a, u32::le),
        Condition::AnyBitSet => {
            if a.ones & b.ones != 0 {
                Some(true)
            } else {
                (!a.zeros & !b.zeros == 0).then_some(false)
            }
        }
    }
}

/// Returns whether `low` is below `high` in the sense of `below`, if that is known.
fn is_ordered(low: Value, high: Value, below: fn(&u32, &u32) -> bool) -> Option<bool> {
    if below(&low.max, &high.min) {
        Some(true)
    } else {
        (!below(&low.min, &high.max)).then_some(false)
    }
}

/// Returns what is left of `a` where a condition between it and `b` holds, or does not; nothing
/// if nothing is left.
pub(super) fn assume(condition: Condition, a: Value, b: Value, holds: bool) -> Option<Value> {
    match (condition, holds) {
        (Condition::Equal, true) => a.intersected(b),
        (Condition::Equal, false) => match b.as_constant() {
            Some(b) if b == a.min => a.intersected(Value::range(b.checked_add(1)?, u32::MAX)?),
            Some(b) if b == a.max => a.intersected(Value::range(0, b.checked_sub(1)?)?),
            _ => Some(a),
        },
        (Condition::Greater, true) => a.intersected(Value::range(b.min.checked_add(1)?, u32::MAX)?),
        (Condition::Greater, false) => a.intersected(Value::range(0, b.max)?),
        (Condition::GreaterOrEqual, true) => a.intersected(Value::range(b.min, u32::MAX)?),
        (Condition::GreaterOrEqual, false) => {
            a.intersected(Value::range(0, b.max.checked_sub(1)?)?)
        }
        (Condition::AnyBitSet, true) => Some(a),
        // Where b is one for certain, a must be zero.
        (Condition::AnyBitSet, false) => {
            a.intersected(Value { zeros: b.ones, ..Value::UNKNOWN }.sharpened()?)
        }
    }
}

#[cfg(test)]
mod tests;

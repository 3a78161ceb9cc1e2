use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::*;

impl Value {
    fn contains(self, number: u32) -> bool {
        self.ones & !number == 0
            && self.zeros & number == 0
            && (self.min..=self.max).contains(&number)
    }
}

const OPERATORS: [Arithmetic; 10] = [
    Arithmetic::Add,
    Arithmetic::Subtract,
    Arithmetic::Multiply,
    Arithmetic::Divide,
    Arithmetic::Modulo,
    Arithmetic::Or,
    Arithmetic::And,
    Arithmetic::Xor,
    Arithmetic::ShiftLeft,
    Arithmetic::ShiftRight,
];
const CONDITIONS: [Condition; 4] =
    [Condition::Equal, Condition::Greater, Condition::GreaterOrEqual, Condition::AnyBitSet];

fn number(rng: &mut Pcg64) -> u32 {
    let any: u32 = rng.random();
    let special = [0, 1, 2, 31, 32, 80, 443, 0x0800, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    match rng.random_range(0..4) {
        0 => any,
        1 => any >> rng.random_range(0..32),
        _ => special[rng.random_range(0..special.len())],
    }
}

/// Returns a number, and something that is known of it.
fn known_of_number(rng: &mut Pcg64) -> (u32, Value) {
    let number = number(rng);
    let mask = match rng.random_range(0..4) {
        0 => 0,
        1 => u32::MAX,
        2 => rng.random::<u32>() | rng.random::<u32>(),
        _ => rng.random(),
    };
    let bits = Value::bits(number, mask, 32);
    let (below, above) = (rng.random_range(0..300), rng.random_range(0..300));
    let range = Value::range(number.saturating_sub(below), number.saturating_add(above)).unwrap();
    let value = if rng.random_bool(0.5) { bits.intersected(range).unwrap() } else { bits };
    assert!(value.contains(number));
    (number, value)
}

#[test]
fn what_is_known_of_operands_is_true_of_the_result() {
    let mut rng = Pcg64::seed_from_u64(1);
    for _ in 0..300_000 {
        let (a, known_a) = known_of_number(&mut rng);
        let (b, known_b) = known_of_number(&mut rng);
        for operator in OPERATORS {
            if let Some(result) = interpret::calculate(operator, a, b) {
                let known = calculate(operator, known_a, known_b);
                assert!(
                    known.is_some_and(|known| known.contains(result)),
                    "{a:#x} {operator:?} {b:#x}: {known_a:x?}, {known_b:x?}: {known:x?}"
                );
            }
        }
        assert!(negate(known_a).contains(a.wrapping_neg()), "-{a:#x}: {known_a:x?}");
        for condition in CONDITIONS {
            let holds = interpret::compare(condition, a, b);
            let known = compare(condition, known_a, known_b);
            assert!(known.is_none_or(|known| known == holds), "{a:#x} {condition:?} {b:#x}");
            let left = assume(condition, known_a, known_b, holds);
            assert!(left.is_some_and(|left| left.contains(a)), "{a:#x} {condition:?} {b:#x}");
        }
    }
}

#[test]
fn what_is_known_exactly_stays_exact() {
    let mut rng = Pcg64::seed_from_u64(2);
    for _ in 0..100_000 {
        let (a, b) = (number(&mut rng), number(&mut rng));
        let (known_a, known_b) = (Value::constant(a), Value::constant(b));
        for operator in OPERATORS {
            let known = calculate(operator, known_a, known_b);
            assert_eq!(
                known.map(Value::as_constant),
                interpret::calculate(operator, a, b).map(Some),
                "{a:#x} {operator:?} {b:#x}"
            );
        }
        for condition in CONDITIONS {
            let holds = interpret::compare(condition, a, b);
            assert_eq!(compare(condition, known_a, known_b), Some(holds));
        }
    }
}

#[test]
fn bits_and_bounds_sharpen_each_other() {
    // A nibble, times four: an IPv4 header's length.
    let nibble = Value::UNKNOWN.and(Value::constant(0xf));
    assert_eq!((nibble.min(), nibble.max()), (0, 15));
    let length = calculate(Arithmetic::ShiftLeft, nibble, Value::constant(2)).unwrap();
    assert_eq!((length.min(), length.max()), (0, 60));
    assert_eq!(compare(Condition::AnyBitSet, length, Value::constant(3)), Some(false));
    // The high byte of a port is known.
    let port = Value::bits(0x1200, 0xff00, 16);
    assert_eq!((port.min(), port.max()), (0x1200, 0x12ff));
    assert_eq!(compare(Condition::Equal, port, Value::constant(443)), Some(false));
    assert_eq!(compare(Condition::Greater, port, Value::constant(1_023)), Some(true));
    assert_eq!(compare(Condition::GreaterOrEqual, port, Value::constant(0x1300)), Some(false));
    assert_eq!(compare(Condition::Equal, port, Value::constant(0x1234)), None);
    // Above 1,000 and below 1,024, six bits remain.
    let range = Value::range(1_000, 1_023).unwrap();
    assert_eq!(compare(Condition::AnyBitSet, range, Value::constant(0x200)), Some(true));
}

#[test]
fn contradictions_leave_nothing() {
    let ten = Value::constant(10);
    assert_eq!(assume(Condition::Equal, ten, Value::constant(11), true), None);
    assert_eq!(assume(Condition::Greater, Value::UNKNOWN, Value::constant(u32::MAX), true), None);
    assert_eq!(assume(Condition::GreaterOrEqual, Value::UNKNOWN, Value::constant(0), false), None);
    assert_eq!(Value::range(5, 4), None);
    assert_eq!(calculate(Arithmetic::Divide, Value::UNKNOWN, Value::ZERO), None);
    assert_eq!(calculate(Arithmetic::Modulo, Value::UNKNOWN, Value::ZERO), None);
}

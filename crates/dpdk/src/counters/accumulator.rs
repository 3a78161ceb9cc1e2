//! A sum that never goes down, of a counter that may.

/// Sums the growth of a counter. Where the counter goes down, growth is measured anew from there:
/// a reset cannot be told from a slip, and to count either's full value would make packets up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accumulator {
    last: u64,
    total: u64,
    steps_back: u64,
}

impl Accumulator {
    /// Takes the next reading, and returns the sum.
    pub(super) fn advance(&mut self, reading: u64) -> u64 {
        match reading.checked_sub(self.last) {
            Some(growth) => self.total = self.total.saturating_add(growth),
            None => self.steps_back += 1,
        }
        self.last = reading;
        self.total
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn steps_back(&self) -> u64 {
        self.steps_back
    }
}

impl From<u64> for Accumulator {
    /// Starts a sum of 0 at the counter's value.
    fn from(reading: u64) -> Self {
        Self { last: reading, total: 0, steps_back: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(start: u64, readings: &[u64]) -> (Vec<u64>, u64) {
        let mut sum = Accumulator::from(start);
        let totals = readings.iter().map(|&reading| sum.advance(reading)).collect();
        (totals, sum.steps_back())
    }

    #[test]
    fn counts_from_where_it_started() {
        assert_eq!(sums(1_000, &[1_000, 1_005, 1_005, 1_100]), (vec![0, 5, 5, 100], 0));
    }

    #[test]
    fn a_reset_neither_goes_back_nor_jumps() {
        assert_eq!(sums(0, &[1_000_000, 3, 10]), (vec![1_000_000, 1_000_000, 1_000_007], 1));
    }

    #[test]
    fn a_slip_makes_no_packets_up() {
        assert_eq!(
            sums(0, &[1_000_000, 999_999, 1_000_001]),
            (vec![1_000_000, 1_000_000, 1_000_002], 1)
        );
    }

    #[test]
    fn a_counter_of_32_bits_that_wraps_does_not_jump() {
        let max = u64::from(u32::MAX);
        assert_eq!(sums(max - 1, &[max, 4]), (vec![1, 1], 1));
    }

    #[test]
    fn saturates() {
        let mut sum = Accumulator { last: 0, total: u64::MAX - 1, steps_back: 0 };
        assert_eq!(sum.advance(5), u64::MAX);
    }
}

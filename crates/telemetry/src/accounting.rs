//! The law of accounting: what came in went somewhere, or is still inside.
//!
//! `received = stored + filtered + rejected + shed + lost + in flight + unexplained`, in packets
//! and in bytes (with the bytes sliced away), and `unexplained` is 0. In flight is not what is
//! missing: it is counted for itself, as what one stage gave and the next has not taken plus what
//! each stage says it holds, so that a packet that vanishes inside a stage is unexplained.

use core::ops::{Add, AddAssign};

use crate::{InputCounters, OutputCounters, ProcessingCounters};

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Bytes of those packets on the wire, unless a field says which.
    pub bytes: u64,
}

impl Tally {
    /// Makes a tally.
    pub const fn new(packets: u64, bytes: u64) -> Self {
        Self { packets, bytes }
    }

    fn minus(self, other: Self) -> SignedTally {
        SignedTally {
            packets: i128::from(self.packets) - i128::from(other.packets),
            bytes: i128::from(self.bytes) - i128::from(other.bytes),
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl core::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Add::add)
    }
}

/// A difference that may be below zero, which would be a bug and must show as one.
struct SignedTally {
    packets: i128,
    bytes: i128,
}

/// Where every received packet is, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// What polls returned.
    pub received: Tally,
    /// What is in a segment; the bytes are those captured.
    pub stored: Tally,
    /// Bytes of stored packets that were sliced away.
    pub sliced_bytes: u64,
    /// What the filter did not want.
    pub filtered: Tally,
    /// What Security refused.
    pub rejected: Tally,
    /// What was given up by policy under pressure.
    pub shed: Tally,
    /// Given up because a ring to a Processing was full.
    pub lost_ring_full: Tally,
    /// Given up because there was no free block.
    pub lost_pool_exhausted: Tally,
    /// Given up because the mbuf contradicts itself.
    pub lost_malformed_mbuf: Tally,
    /// Given up because the disk was full.
    pub lost_disk_full: Tally,
    /// Given up because of another error of the storage.
    pub lost_io_error: Tally,
    /// What is inside: held by stages, in rings, in blocks.
    pub in_flight: Tally,
    /// What cannot be explained, in packets: 0, or there is a bug. Negative if more came out than
    /// went in.
    pub unexplained_packets: i64,
    /// Likewise in bytes.
    pub unexplained_bytes: i64,
    /// Stored packets that have been synced.
    pub durable_packets: u64,
}

impl Accounting {
    /// Holds the counters of all stages against each other.
    ///
    /// The caller reads them from sink to source (all Outputs, then all Processings, then all
    /// Inputs), so that what a later reading adds upstream shows as in flight.
    pub fn of(
        outputs: &[OutputCounters],
        processings: &[ProcessingCounters],
        inputs: &[InputCounters],
    ) -> Self {
        let mut sum = Self::default();
        let output = OutputSums::of(outputs, &mut sum);
        let processing = ProcessingSums::of(processings, &mut sum);
        let input = InputSums::of(inputs, &mut sum);
        sum.close(&input, &processing, &output);
        sum
    }

    /// Returns what was lost, by whatever cause.
    pub fn lost(&self) -> Tally {
        self.lost_ring_full
            + self.lost_pool_exhausted
            + self.lost_malformed_mbuf
            + self.lost_disk_full
            + self.lost_io_error
    }

    /// Returns the same moment as it must be when everything has stopped: what still counts as in
    /// flight then has vanished, and is unexplained.
    #[must_use]
    pub fn at_rest(mut self) -> Self {
        self.unexplained_packets += saturating_i64(i128::from(self.in_flight.packets));
        self.unexplained_bytes += saturating_i64(i128::from(self.in_flight.bytes));
        self.in_flight = Tally::default();
        self
    }

    /// Returns whether nothing is unexplained.
    pub fn is_explained(&self) -> bool {
        self.unexplained_packets == 0 && self.unexplained_bytes == 0
    }

    /// Counts what is between the stages and inside them, and what does not add up.
    fn close(&mut self, input: &InputSums, processing: &ProcessingSums, output: &OutputSums) {
        // An Input shows packets as held until they are in a ring; a Processing may have taken
        // them by then, so that what both hold is one sum.
        let before_processings = (input.handed + input.held).minus(processing.taken);
        let in_blocks = processing.accepted.minus(output.taken);
        self.in_flight = Tally::new(
            floor_u64(before_processings.packets) + floor_u64(in_blocks.packets),
            floor_u64(before_processings.bytes) + floor_u64(in_blocks.bytes),
        ) + processing.held;
        let gone = self.stored
            + Tally::new(0, self.sliced_bytes)
            + self.filtered
            + self.rejected
            + self.shed
            + self.lost()
            + self.in_flight;
        let unexplained = self.received.minus(gone);
        self.unexplained_packets = saturating_i64(unexplained.packets);
        self.unexplained_bytes = saturating_i64(unexplained.bytes);
    }
}

struct InputSums {
    handed: Tally,
    held: Tally,
}

impl InputSums {
    fn of(inputs: &[InputCounters], sum: &mut Accounting) -> Self {
        let mut sums = Self { handed: Tally::default(), held: Tally::default() };
        for input in inputs {
            sum.received += Tally::new(input.received_packets, input.received_bytes);
            sum.lost_ring_full +=
                Tally::new(input.lost_ring_full_packets, input.lost_ring_full_bytes);
            sums.handed += Tally::new(input.handed_packets, input.handed_bytes);
            sums.held += Tally::new(input.held_packets, input.held_bytes);
        }
        sums
    }
}

struct ProcessingSums {
    taken: Tally,
    accepted: Tally,
    held: Tally,
}

impl ProcessingSums {
    fn of(processings: &[ProcessingCounters], sum: &mut Accounting) -> Self {
        let mut sums =
            Self { taken: Tally::default(), accepted: Tally::default(), held: Tally::default() };
        for processing in processings {
            sum.filtered += Tally::new(processing.filtered_packets, processing.filtered_bytes);
            sum.lost_malformed_mbuf += Tally::new(
                processing.lost_malformed_mbuf_packets,
                processing.lost_malformed_mbuf_bytes,
            );
            sum.lost_pool_exhausted += Tally::new(
                processing.lost_pool_exhausted_packets,
                processing.lost_pool_exhausted_bytes,
            );
            sums.taken += Tally::new(processing.taken_packets, processing.taken_bytes);
            sums.accepted += Tally::new(
                processing.accepted_packets,
                processing.accepted_captured_bytes + processing.accepted_sliced_bytes,
            );
            sums.held += Tally::new(processing.held_packets, processing.held_bytes);
        }
        sums
    }
}

struct OutputSums {
    taken: Tally,
}

impl OutputSums {
    fn of(outputs: &[OutputCounters], sum: &mut Accounting) -> Self {
        let mut sums = Self { taken: Tally::default() };
        for output in outputs {
            sum.stored += Tally::new(output.stored_packets, output.stored_bytes);
            sum.sliced_bytes += output.sliced_bytes;
            sum.durable_packets += output.durable_packets;
            sum.lost_disk_full +=
                Tally::new(output.lost_disk_full_packets, output.lost_disk_full_bytes);
            sum.lost_io_error +=
                Tally::new(output.lost_io_error_packets, output.lost_io_error_bytes);
            sums.taken += Tally::new(output.taken_packets, output.taken_bytes);
        }
        sums
    }
}

fn floor_u64(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

fn saturating_i64(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(received: u64, handed: u64) -> InputCounters {
        InputCounters {
            received_packets: received,
            received_bytes: received * 100,
            handed_packets: handed,
            handed_bytes: handed * 100,
            ..Default::default()
        }
    }

    fn processing(taken: u64, filtered: u64, accepted: u64) -> ProcessingCounters {
        ProcessingCounters {
            taken_packets: taken,
            taken_bytes: taken * 100,
            filtered_packets: filtered,
            filtered_bytes: filtered * 100,
            accepted_packets: accepted,
            accepted_captured_bytes: accepted * 60,
            accepted_sliced_bytes: accepted * 40,
            ..Default::default()
        }
    }

    fn output(stored: u64) -> OutputCounters {
        OutputCounters {
            taken_packets: stored,
            taken_bytes: stored * 100,
            stored_packets: stored,
            stored_bytes: stored * 60,
            sliced_bytes: stored * 40,
            ..Default::default()
        }
    }

    #[test]
    fn what_is_between_stages_is_in_flight() {
        let accounting = Accounting::of(&[output(5)], &[processing(10, 3, 7)], &[input(12, 12)]);
        assert_eq!(accounting.in_flight, Tally::new(2 + 2, 400));
        assert!(accounting.is_explained(), "{accounting:?}");
        assert!(!accounting.at_rest().is_explained());
    }

    #[test]
    fn what_an_input_still_shows_as_held_may_have_been_taken() {
        let held = InputCounters { held_packets: 4, held_bytes: 400, ..input(14, 10) };
        let accounting = Accounting::of(&[output(7)], &[processing(12, 3, 9)], &[held]);
        assert_eq!(accounting.in_flight, Tally::new(2 + 2, 400));
        assert!(accounting.is_explained(), "{accounting:?}");
        let conjured = Accounting::of(&[output(12)], &[processing(15, 3, 12)], &[held]);
        assert_eq!(conjured.unexplained_packets, -1);
    }

    #[test]
    fn a_packet_that_vanishes_inside_a_stage_is_unexplained() {
        let swallowed = Accounting::of(&[output(6)], &[processing(10, 3, 6)], &[input(10, 10)]);
        assert_eq!(swallowed.unexplained_packets, 1);
        assert_eq!(swallowed.unexplained_bytes, 100);
        let doubled = Accounting::of(&[output(8)], &[processing(10, 3, 7)], &[input(10, 10)]);
        assert_eq!(doubled.unexplained_packets, -1);
        let dropped = Accounting::of(&[output(7)], &[processing(10, 3, 7)], &[input(11, 10)]);
        assert_eq!(dropped.unexplained_packets, 1);
    }
}

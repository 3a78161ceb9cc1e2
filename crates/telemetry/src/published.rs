//! A set of counters that one lcore writes and others read, whole and without locks.
//!
//! The writer keeps its counters in plain memory and publishes all of them at once under a
//! sequence number, so that a reader sees either all counters of a moment or none: the law of
//! accounting then holds in each reading, not only at rest. Runs on: data-path lcores (writer),
//! the control core (reader). Allocates: never after construction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam::utils::CachePadded;

use crate::CounterSet;

/// The most counters that one set has.
pub(crate) const COUNTERS_MAX: usize = 40;

/// Tries before a reader lets the writer's thread run: a writer is inside for nanoseconds unless
/// it was preempted there.
const SPINS_MAX: u32 = 64;

struct Cells {
    /// Odd while the writer is inside.
    sequence: AtomicU64,
    values: [AtomicU64; COUNTERS_MAX],
}

/// The reading end: a snapshot of the set as it was last published.
pub struct Published<C> {
    cells: Arc<CachePadded<Cells>>,
    _set: core::marker::PhantomData<fn() -> C>,
}

impl<C> Clone for Published<C> {
    fn clone(&self) -> Self {
        Self { cells: Arc::clone(&self.cells), _set: core::marker::PhantomData }
    }
}

/// The writing end, of which there is one.
pub struct Publisher<C> {
    cells: Arc<CachePadded<Cells>>,
    _set: core::marker::PhantomData<fn(C)>,
}

/// Makes a set of counters, all zero, with its two ends.
pub fn published<C: CounterSet>() -> (Publisher<C>, Published<C>) {
    const { assert!(C::LEN <= COUNTERS_MAX) };
    let cells = Arc::new(CachePadded::new(Cells {
        sequence: AtomicU64::new(0),
        values: [const { AtomicU64::new(0) }; COUNTERS_MAX],
    }));
    (
        Publisher { cells: Arc::clone(&cells), _set: core::marker::PhantomData },
        Published { cells, _set: core::marker::PhantomData },
    )
}

impl<C: CounterSet> Publisher<C> {
    /// Publishes all counters of `set` as one.
    #[inline]
    pub fn publish(&mut self, set: &C) {
        // The seqlock of Boehm, "Can seqlocks get along with programming language memory models?"
        // (MSPC 2012): the release fence keeps the values from showing before the odd number.
        let cells = &**self.cells;
        let before = cells.sequence.load(Ordering::Relaxed);
        cells.sequence.store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        set.each(|index, value| cells.values[index].store(value, Ordering::Relaxed));
        cells.sequence.store(before.wrapping_add(2), Ordering::Release);
    }
}

impl<C: CounterSet> Published<C> {
    /// Returns the set as it was last published. Waits for a writer that is inside.
    pub fn read(&self) -> C {
        let cells = &**self.cells;
        let mut spins = 0;
        loop {
            let before = cells.sequence.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let set = C::from_cells(|index| cells.values[index].load(Ordering::Relaxed));
                fence(Ordering::Acquire);
                if cells.sequence.load(Ordering::Relaxed) == before {
                    return set;
                }
            }
            spins += 1;
            if spins > SPINS_MAX {
                std::thread::yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InputCounters;

    #[test]
    fn a_reader_never_sees_half_of_a_publication() {
        let (mut publisher, published) = published::<InputCounters>();
        let reader = std::thread::spawn(move || {
            let mut last = 0;
            while last < 200_000 {
                let seen = published.read();
                assert_eq!(seen.received_packets, seen.handed_packets);
                assert_eq!(seen.received_packets * 64, seen.received_bytes);
                assert!(seen.received_packets >= last);
                last = seen.received_packets;
            }
        });
        for packets in 0..=200_000 {
            publisher.publish(&InputCounters {
                received_packets: packets,
                received_bytes: packets * 64,
                handed_packets: packets,
                ..Default::default()
            });
        }
        reader.join().unwrap();
    }
}

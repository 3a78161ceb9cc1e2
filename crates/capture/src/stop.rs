//! When to stop: on request, or after so many packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use weir_model::BURST_PACKETS_MAX;

/// A limit that all Inputs share. It costs two shared writes per burst, where there is one.
struct Limit {
    packets_max: u64,
    unclaimed_packets: CachePadded<AtomicU64>,
    taken_packets: CachePadded<AtomicU64>,
}

struct Shared {
    requested: CachePadded<AtomicBool>,
    limit: Option<Limit>,
}

/// The order to stop taking packets, as every Input sees it.
#[derive(Clone)]
pub struct Stop(Arc<Shared>);

impl Stop {
    /// Makes an order not yet given. With `packets_max`, all Inputs together take exactly so many
    /// packets, and the order then gives itself.
    pub fn new(packets_max: Option<u64>) -> Self {
        Self(Arc::new(Shared {
            requested: CachePadded::new(AtomicBool::new(packets_max == Some(0))),
            limit: packets_max.map(|packets_max| Limit {
                packets_max,
                unclaimed_packets: CachePadded::new(AtomicU64::new(packets_max)),
                taken_packets: CachePadded::default(),
            }),
        }))
    }

    /// Gives the order.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Relaxed);
    }

    /// Returns whether the order was given.
    #[inline]
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// Claims the right to take a burst, and returns the most packets that it may have: 0 while
    /// others have claimed the rest of the limit. Each claim is to be
    /// [settled](Self::settle_burst).
    #[inline]
    pub fn claim_burst(&self) -> usize {
        let Some(limit) = &self.0.limit else { return BURST_PACKETS_MAX };
        let burst = BURST_PACKETS_MAX as u64;
        let unclaimed = limit
            .unclaimed_packets
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packets| {
                Some(packets.saturating_sub(burst))
            })
            .unwrap_or(0);
        unclaimed.min(burst) as usize
    }

    /// Gives back what a poll claimed and did not take.
    #[inline]
    pub fn settle_burst(&self, claimed_packets: usize, taken_packets: usize) {
        let Some(limit) = &self.0.limit else { return };
        let unused = (claimed_packets - taken_packets) as u64;
        limit.unclaimed_packets.fetch_add(unused, Ordering::Relaxed);
        let taken = taken_packets as u64;
        if limit.taken_packets.fetch_add(taken, Ordering::Relaxed) + taken >= limit.packets_max {
            self.request();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_when_two_inputs_share_it() {
        let stop = Stop::new(Some(100));
        let first = stop.claim_burst();
        let second = stop.claim_burst();
        assert_eq!((first, second), (64, 36));
        assert_eq!(stop.claim_burst(), 0);
        stop.settle_burst(64, 10);
        stop.settle_burst(36, 36);
        assert!(!stop.is_requested());
        let third = stop.claim_burst();
        assert_eq!(third, 54);
        stop.settle_burst(54, 54);
        assert!(stop.is_requested());
        assert_eq!(stop.claim_burst(), 0);
    }

    #[test]
    fn without_a_limit_only_a_request_stops() {
        let stop = Stop::new(None);
        assert_eq!(stop.claim_burst(), BURST_PACKETS_MAX);
        stop.settle_burst(64, 64);
        assert!(!stop.is_requested());
        stop.request();
        assert!(stop.is_requested());
    }
}

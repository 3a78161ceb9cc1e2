//! Losses that no file has told yet.
//!
//! Whoever loses a packet adds it here, to its port; the next Processing that copies a packet of
//! that port claims the sum and writes it into the file as `epb_dropcount`, so that a reader
//! learns of the loss at the place in time where it happened. The cells are written only when
//! packets are lost or claimed; else reading one per burst costs a shared cache line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use weir_model::PortId;

/// Packets of one port that were lost and are to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Lost before our polls: missed by the NIC, or for want of an mbuf.
    pub nic_packets: u64,
    /// Lost inside the appliance.
    pub os_packets: u64,
}

impl Drops {
    /// Returns all of them.
    pub fn packets(self) -> u64 {
        self.nic_packets + self.os_packets
    }
}

#[derive(Default)]
struct PortCells {
    nic_packets: AtomicU64,
    os_packets: AtomicU64,
}

/// The losses of every port that no file has told yet, shared by all stages.
#[derive(Clone)]
pub struct PendingDrops {
    ports: Arc<[CachePadded<PortCells>]>,
}

impl PendingDrops {
    /// Makes a set of `ports` ports that have lost nothing.
    pub fn new(ports: usize) -> Self {
        Self { ports: (0..ports).map(|_| CachePadded::default()).collect() }
    }

    /// Adds packets that were lost before our polls.
    pub fn add_nic(&self, port: PortId, packets: u64) {
        self.ports[port.index()].nic_packets.fetch_add(packets, Ordering::Relaxed);
    }

    /// Adds packets that the appliance lost.
    pub fn add_os(&self, port: PortId, packets: u64) {
        self.ports[port.index()].os_packets.fetch_add(packets, Ordering::Relaxed);
    }

    /// Takes what is pending of `port`, for the caller to tell. Nobody else will get it.
    #[inline]
    pub fn claim(&self, port: PortId) -> Option<Drops> {
        let cells = &self.ports[port.index()];
        if cells.nic_packets.load(Ordering::Relaxed) == 0
            && cells.os_packets.load(Ordering::Relaxed) == 0
        {
            return None;
        }
        Some(Drops {
            nic_packets: cells.nic_packets.swap(0, Ordering::Relaxed),
            os_packets: cells.os_packets.swap(0, Ordering::Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once() {
        let drops = PendingDrops::new(2);
        drops.add_nic(PortId(1), 3);
        drops.add_os(PortId(1), 4);
        assert_eq!(drops.claim(PortId(0)), None);
        assert_eq!(drops.claim(PortId(1)), Some(Drops { nic_packets: 3, os_packets: 4 }));
        assert_eq!(drops.claim(PortId(1)), None);
    }
}

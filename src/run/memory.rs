//! How many mbufs there must be, and where their memory comes from.

use std::fmt;

use weir_capture::Plan;
use weir_model::BURST_PACKETS_MAX;

use crate::config::{Config, Hugepages};
use crate::eal_args::EalMemory;

/// Free mbufs that each EAL lcore may keep for itself. EAL takes up to one and a half times as
/// many out of the pool.
pub(crate) const MBUF_CACHE: u32 = 256;

/// The size of a hugepage as Linux has it by default on x86-64.
const HUGEPAGE_BYTES: u64 = 2 << 20;

/// Bytes of an mbuf beside its data room: the struct, the mempool's header, alignment.
const MBUF_OVERHEAD_BYTES: u64 = 256;

/// Bytes of blocks for each Processing, without a wish. A writer that stalls is bridged with them;
/// and where lcore and writer do not share a cache, a block that is filled again while it still
/// lies in the writer's cache costs ten times as much as one that was evicted meanwhile
/// (`docs/benchmarks.md`), so they are more than a cache holds.
const BLOCKS_BYTES: usize = 64 << 20;

/// The fewest blocks for each Processing and each Output, however large they are.
const BLOCKS_MIN: usize = 4;

/// Memory cannot be as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemoryError {
    #[error(
        "buffers.mbufs is {mbufs}: at least {mbufs_min} are needed, the sum of all that can hold \
         one ({parts})"
    )]
    TooFewMbufs { mbufs: u32, mbufs_min: u32, parts: String },
    #[error(
        "eal.hugepages is \"on\", but {free} hugepages of 2 MiB are free and {needed} are needed: \
         reserve them (echo {needed} > /proc/sys/vm/nr_hugepages), or set it to \"auto\""
    )]
    NoHugepages { free: u64, needed: u64 },
}

/// Everything that can hold an mbuf, a line for each, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MbufPlan {
    /// Mbufs that wait in receive queues for packets.
    descriptors: u32,
    /// Mbufs in rings between Inputs and Processings.
    in_rings: u32,
    /// Mbufs in bursts that stages have in hand.
    in_hand: u32,
    /// Free mbufs that lcores keep for themselves.
    in_caches: u32,
    /// How many there will be.
    pub(crate) mbufs: u32,
    data_room_bytes: u16,
}

impl MbufPlan {
    /// Adds up what can hold an mbuf.
    ///
    /// # Errors
    ///
    /// [`MemoryError::TooFewMbufs`] if the configuration gives less.
    pub(crate) fn new(config: &Config, plan: &Plan) -> Result<Self, MemoryError> {
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        let queues: u32 = config.ports.iter().map(|port| u32::from(port.rx_queues)).sum();
        let lcores = count(plan.lcores.iter().filter(|lcore| lcore.is_eal()).count());
        let rings = count(plan.rings().count());
        let burst = count(BURST_PACKETS_MAX);
        let descriptors = config
            .ports
            .iter()
            .map(|port| u32::from(port.rx_queues) * u32::from(port.rx_descriptors))
            .sum();
        let mut sum = Self {
            descriptors,
            in_rings: rings.saturating_mul(config.buffers.ring_packets),
            // For each queue the burst that was polled; for each ring one on either side.
            in_hand: burst.saturating_mul(queues + 2 * rings),
            in_caches: lcores * (MBUF_CACHE + MBUF_CACHE / 2),
            mbufs: 0,
            data_room_bytes: config.buffers.mbuf_data_room_bytes,
        };
        let mbufs_min = sum.sum();
        // One less than a power of two wastes no memory in the mempool's ring.
        let fitting = mbufs_min.saturating_add(1).checked_next_power_of_two();
        sum.mbufs = config.buffers.mbufs.unwrap_or(fitting.map_or(u32::MAX, |power| power - 1));
        if sum.mbufs < mbufs_min {
            let parts = sum.parts();
            return Err(MemoryError::TooFewMbufs { mbufs: sum.mbufs, mbufs_min, parts });
        }
        Ok(sum)
    }

    fn sum(&self) -> u32 {
        [self.descriptors, self.in_rings, self.in_hand, self.in_caches]
            .into_iter()
            .fold(0, u32::saturating_add)
    }

    fn parts(&self) -> String {
        let Self { descriptors, in_rings, in_hand, in_caches, .. } = self;
        format!(
            "{descriptors} in receive queues + {in_rings} in rings + {in_hand} in hand + \
             {in_caches} in caches"
        )
    }

    /// Returns the memory of the mempool, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.mbufs) * (u64::from(self.data_room_bytes) + MBUF_OVERHEAD_BYTES)
    }
}

impl fmt::Display for MbufPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at least {} needed: {})", self.mbufs, self.sum(), self.parts())
    }
}

/// Returns how many blocks there are.
pub(crate) fn blocks(config: &Config, plan: &Plan) -> usize {
    let enough = plan.processings * (BLOCKS_BYTES / config.buffers.block_bytes);
    let fewest = BLOCKS_MIN * (plan.processings + plan.outputs);
    config.buffers.blocks.unwrap_or(enough.max(fewest))
}

/// Chooses where EAL's memory comes from, and says so when hugepages are wanted and not there.
///
/// # Errors
///
/// [`MemoryError::NoHugepages`] if they are demanded.
pub(crate) fn choose(config: &Config, mbufs: &MbufPlan) -> Result<EalMemory, MemoryError> {
    let ordinary = EalMemory::Ordinary { mempool_bytes: mbufs.bytes() };
    if config.eal.hugepages == Hugepages::Off {
        return Ok(ordinary);
    }
    let free = free_hugepages();
    // A few more than the mbufs: EAL's own tables and rings, each in pages of its own.
    let needed = mbufs.bytes().div_ceil(HUGEPAGE_BYTES) + 16;
    if free >= needed {
        return Ok(EalMemory::Hugepages);
    }
    if config.eal.hugepages == Hugepages::On {
        return Err(MemoryError::NoHugepages { free, needed });
    }
    tracing::warn!(free, needed, "too few hugepages are free: running on ordinary pages, slower");
    Ok(ordinary)
}

/// Returns how many hugepages of 2 MiB nobody uses or has reserved.
fn free_hugepages() -> u64 {
    let read = |name: &str| {
        let path = format!("/sys/kernel/mm/hugepages/hugepages-2048kB/{name}");
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().parse::<u64>().ok()
    };
    read("free_hugepages").unwrap_or(0).saturating_sub(read("resv_hugepages").unwrap_or(0))
}

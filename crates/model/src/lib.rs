//! The vocabulary of Weir, and the seams between its parts.
//!
//! Everything else in the workspace speaks in these types. The traits here are the seams at which
//! the data path meets the world: [`PacketSource`] and [`Burst`] (a DPDK queue, or a simulated
//! one), [`BurstSender`] and [`BurstReceiver`] (an `rte_ring`, or a queue in memory), [`Clock`]
//! (the TSC, or a clock that a test turns) and [`Storage`] (a directory, or a simulated disk).
//! This crate depends on nothing, does no I/O and allocates nothing.

mod burst;
mod clock;
mod frame;
mod ids;
mod link_type;
mod storage;
mod time;

pub use burst::{BURST_PACKETS_MAX, Burst, BurstReceiver, BurstSender, PacketSource};
pub use clock::Clock;
pub use frame::{Frame, MalformedFrame, SegmentChain};
pub use ids::{LcoreId, PortId, QueueId};
pub use link_type::LinkType;
pub use storage::{ReadableStorage, Storage, StorageFile, StorageReader};
pub use time::{Timestamp, TimestampSource};

/// The largest snaplen, in bytes: the limit that libpcap, tcpdump and Wireshark share
/// (`MAXIMUM_SNAPLEN` in libpcap's `pcap-int.h`). A longer packet is sliced to it.
pub const SNAPLEN_BYTES_MAX: u32 = 262_144;

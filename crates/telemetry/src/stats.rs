//! The stats JSON: its structure is its documentation, and `docs/stats.schema.json` is made of it.
//!
//! What cannot be known is `null` with a reason beside it, never 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Accounting, Tally};

/// The version of the JSON's structure. It rises when a field changes its meaning or goes; new
/// fields do not raise it.
pub const STATS_VERSION: u32 = 1;

/// Everything that the appliance counts, at one moment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The version of this structure.
    pub version: u32,
    /// The program that counted: name, version and revision.
    pub program: String,
    /// Which run this is: no two runs have the same.
    pub run_id: String,
    /// When the run started: RFC 3339, UTC.
    pub started_at: String,
    /// When these numbers were read: RFC 3339, UTC.
    pub read_at: String,
    /// Seconds since the start, by the monotonic clock.
    pub uptime_seconds: f64,
    /// What the appliance is doing.
    pub state: State,
    /// The number of the configuration in force; it rises with each change.
    pub generation: u64,
    /// The level of the degradation ladder; 0 gives up nothing.
    pub level: u32,
    /// Where every received packet is.
    pub accounting: AccountingStats,
    /// Each port, in the order of the configuration.
    pub ports: Vec<PortStats>,
    /// Each lcore.
    pub lcores: Vec<LcoreStats>,
    /// Each ring between two lcores.
    pub rings: Vec<RingStats>,
    /// Buffers: mbufs and blocks.
    pub buffers: BufferStats,
    /// What packets were, by their outermost headers.
    pub headers: HeaderStats,
    /// What was written.
    pub output: OutputStats,
    /// How time is told.
    pub timestamps: TimestampStats,
}

/// What the appliance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Ports and files are being opened.
    Starting,
    /// Packets are being captured.
    Capturing,
    /// No more packets are taken; those inside are being written.
    Draining,
    /// Everything is written and closed.
    Stopped,
    /// Something ended that must not end; the log says what.
    Failed,
}

/// `received = stored + filtered + rejected + shed + lost + in_flight + unexplained`, in packets;
/// and in bytes on the wire, where `sliced_bytes` stand beside `stored_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountingStats {
    /// Packets that polls returned.
    pub received_packets: u64,
    /// Their bytes on the wire.
    pub received_bytes: u64,
    /// Packets in a segment.
    pub stored_packets: u64,
    /// Their captured bytes.
    pub stored_bytes: u64,
    /// Bytes of stored packets that the snaplen cut away.
    pub sliced_bytes: u64,
    /// Packets that the filter did not want.
    pub filtered_packets: u64,
    /// Their bytes on the wire.
    pub filtered_bytes: u64,
    /// Packets that Security refused.
    pub rejected_packets: u64,
    /// Their bytes on the wire.
    pub rejected_bytes: u64,
    /// Packets given up by policy under pressure.
    pub shed_packets: u64,
    /// Their bytes on the wire.
    pub shed_bytes: u64,
    /// `shed_packets` and `shed_bytes` by level of the ladder.
    pub shed: ShedStats,
    /// Packets lost inside the appliance.
    pub lost_packets: u64,
    /// Their bytes on the wire.
    pub lost_bytes: u64,
    /// `lost_packets` and `lost_bytes` by cause.
    pub lost: LostStats,
    /// Packets inside: held by stages, in rings, in blocks.
    pub in_flight_packets: u64,
    /// Their bytes on the wire.
    pub in_flight_bytes: u64,
    /// Packets that nothing explains: 0, or there is a bug.
    pub unexplained_packets: i64,
    /// Bytes that nothing explains: 0, or there is a bug.
    pub unexplained_bytes: i64,
}

/// What was given up by policy, by level of the ladder. No level sheds yet: all are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShedStats {}

/// What was lost inside the appliance, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostStats {
    /// The ring to the packet's Processing was full.
    pub ring_full_packets: u64,
    /// Their bytes on the wire.
    pub ring_full_bytes: u64,
    /// There was no free block to copy the packet into.
    pub pool_exhausted_packets: u64,
    /// Their bytes on the wire.
    pub pool_exhausted_bytes: u64,
    /// The mbuf contradicted itself.
    pub malformed_mbuf_packets: u64,
    /// Their bytes, as the mbuf claimed.
    pub malformed_mbuf_bytes: u64,
    /// The disk was full.
    pub disk_full_packets: u64,
    /// Their bytes on the wire.
    pub disk_full_bytes: u64,
    /// The storage failed otherwise.
    pub io_error_packets: u64,
    /// Their bytes on the wire.
    pub io_error_bytes: u64,
}

impl From<&Accounting> for AccountingStats {
    fn from(accounting: &Accounting) -> Self {
        let Tally { packets: lost_packets, bytes: lost_bytes } = accounting.lost();
        Self {
            received_packets: accounting.received.packets,
            received_bytes: accounting.received.bytes,
            stored_packets: accounting.stored.packets,
            stored_bytes: accounting.stored.bytes,
            sliced_bytes: accounting.sliced_bytes,
            filtered_packets: accounting.filtered.packets,
            filtered_bytes: accounting.filtered.bytes,
            rejected_packets: accounting.rejected.packets,
            rejected_bytes: accounting.rejected.bytes,
            shed_packets: accounting.shed.packets,
            shed_bytes: accounting.shed.bytes,
            shed: ShedStats {},
            lost_packets,
            lost_bytes,
            lost: LostStats {
                ring_full_packets: accounting.lost_ring_full.packets,
                ring_full_bytes: accounting.lost_ring_full.bytes,
                pool_exhausted_packets: accounting.lost_pool_exhausted.packets,
                pool_exhausted_bytes: accounting.lost_pool_exhausted.bytes,
                malformed_mbuf_packets: accounting.lost_malformed_mbuf.packets,
                malformed_mbuf_bytes: accounting.lost_malformed_mbuf.bytes,
                disk_full_packets: accounting.lost_disk_full.packets,
                disk_full_bytes: accounting.lost_disk_full.bytes,
                io_error_packets: accounting.lost_io_error.packets,
                io_error_bytes: accounting.lost_io_error.bytes,
            },
            in_flight_packets: accounting.in_flight.packets,
            in_flight_bytes: accounting.in_flight.bytes,
            unexplained_packets: accounting.unexplained_packets,
            unexplained_bytes: accounting.unexplained_bytes,
        }
    }
}

/// One port.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PortStats {
    /// Its number, which is its interface number in every file.
    pub port: u16,
    /// Its name: a vdev's, or a PCI address.
    pub name: String,
    /// The driver (PMD) that runs it.
    pub driver: String,
    /// What holds a packet back when there is no room: `hold` (the source waits) or `drop`.
    pub when_full: String,
    /// Its link.
    pub link: LinkStats,
    /// Receive queues.
    pub rx_queues: u16,
    /// Packets that our polls returned.
    pub received_packets: u64,
    /// Their bytes on the wire.
    pub received_bytes: u64,
    /// Packets that the wire delivered: received by us and missed by the NIC; `null` where the
    /// latter cannot be known.
    pub offered_packets: Option<u64>,
    /// The PMD's own counters.
    pub nic: NicStats,
    /// The PMD's extended counters as it names them, raw.
    pub xstats: std::collections::BTreeMap<String, u64>,
    /// Where timestamps come from: `hardware`, `pmd` or `tsc`.
    pub timestamp_source: String,
}

/// A port's link.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LinkStats {
    /// Whether it is up; `null` where nobody knows.
    pub up: Option<bool>,
    /// Its speed in Mbit/s; `null` where it has none.
    pub speed_mbps: Option<u32>,
}

/// A counter of a PMD, or the reason why it cannot be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NicCounter {
    /// The count; `null` where the PMD cannot know.
    pub value: Option<u64>,
    /// Why the value is `null`, or how a value that the PMD gets wrong was come by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// The PMD's own counters. They describe the NIC and are not part of the accounting, which begins
/// with what polls returned.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NicStats {
    /// `ipackets`: packets that the NIC says it delivered.
    pub received_packets: NicCounter,
    /// `ibytes`.
    pub received_bytes: NicCounter,
    /// `imissed`: packets that found no free descriptor.
    pub missed_packets: NicCounter,
    /// `ierrors`: packets received with an error.
    pub error_packets: NicCounter,
    /// `rx_nombuf`: packets that found no mbuf.
    pub no_mbuf_packets: NicCounter,
}

/// One lcore.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LcoreStats {
    /// Its number.
    pub lcore: u16,
    /// The CPU that it is pinned to.
    pub cpu: u32,
    /// Its stages, in the order in which it polls them.
    pub stages: Vec<StageStats>,
    /// The part of its time in which some stage had work, since the start.
    pub busy_ratio: f64,
    /// Rounds over its stages.
    pub rounds: u64,
    /// Times when it gave the CPU away or slept, having nothing to do.
    pub yields: u64,
}

/// One stage of an lcore.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StageStats {
    /// What it is, and which: `input 0.0` (port and queue), `processing 1`, `output 0`.
    pub stage: String,
    /// Packets that came into it.
    pub taken_packets: u64,
    /// Packets that it gave to the next, or stored.
    pub passed_packets: u64,
    /// Packets that it keeps until there is room.
    pub held_packets: u64,
}

/// A ring between an Input and a Processing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RingStats {
    /// From which stage to which.
    pub ring: String,
    /// Packets that fit.
    pub capacity_packets: u64,
    /// Packets inside now.
    pub used_packets: u64,
    /// Packets given up because it was full.
    pub lost_packets: u64,
}

/// Buffers: mbufs and blocks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BufferStats {
    /// Mbufs in the pools.
    pub mbufs: u64,
    /// Mbufs that nobody uses now.
    pub mbufs_available: u64,
    /// Mbufs that nobody used before the ports were started, less those that a driver keeps when
    /// its port stops (net_tap, net_af_xdp, net_pcap with infinite_rx): at a stop without a leak,
    /// `mbufs_available` is this number again.
    pub mbufs_at_start: u64,
    /// Blocks in the pool.
    pub blocks: u64,
    /// Blocks that nobody uses now.
    pub blocks_available: u64,
    /// The size of a block.
    pub block_bytes: u64,
    /// Whether blocks lie in hugepages.
    pub blocks_in_hugepages: bool,
    /// Times when a Processing found no free block.
    pub block_denials: u64,
}

/// What packets were, by their outermost headers: those stored, and those that the filter did not
/// want.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderStats {
    /// Packets of IPv4.
    pub ipv4_packets: u64,
    /// Packets of IPv6.
    pub ipv6_packets: u64,
    /// Packets of neither.
    pub non_ip_packets: u64,
    /// Fragments of IPv4 or IPv6.
    pub fragment_packets: u64,
    /// Packets with a VLAN tag.
    pub vlan_packets: u64,
    /// Packets whose headers are cut, contradict themselves, or are stacked too deep.
    pub undecodable_packets: u64,
}

/// What was written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OutputStats {
    /// The directory.
    pub directory: String,
    /// Bytes of pcapng that went into compression.
    pub encoded_bytes: u64,
    /// Bytes in files.
    pub stored_bytes: u64,
    /// `encoded_bytes` for each stored byte; `null` before the first.
    pub compression_ratio: Option<f64>,
    /// The zstd level in use; `null` where blocks are not compressed.
    pub compression_level: Option<i32>,
    /// Blocks written.
    pub blocks: u64,
    /// Segments sealed.
    pub sealed_segments: u64,
    /// Segments that could not be sealed and were left as `.part`.
    pub unsealed_segments: u64,
    /// Stored packets that have been synced: no crash takes them.
    pub durable_packets: u64,
    /// Errors of the storage.
    pub storage_errors: u64,
    /// The longest sync, in nanoseconds.
    pub sync_ns_max: u64,
}

/// How time is told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimestampStats {
    /// Packets stamped by a NIC's clock.
    pub hardware_packets: u64,
    /// Packets stamped by a PMD.
    pub pmd_packets: u64,
    /// Packets stamped from the TSC.
    pub tsc_packets: u64,
    /// How far the TSC clock may be from `CLOCK_REALTIME`, as last measured.
    pub clock_error_bound_ns: Option<u64>,
    /// The longest time between two polls that bound a TSC-stamped burst: within it, a packet's
    /// place in time is an estimate.
    pub spread_ns_max: u64,
    /// The measured frequency of the TSC.
    pub tsc_hz: f64,
    /// Times when the time of day was set back.
    pub clock_steps: u64,
}

/// Returns the JSON schema of [`Stats`].
pub fn stats_schema() -> schemars::Schema {
    schemars::schema_for!(Stats)
}

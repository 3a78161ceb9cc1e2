//! The configuration file as TOML has it: every key, its unit and its default.
//!
//! `docs/configuration.md` says the same for people; a test holds the two together.

use std::path::PathBuf;

use serde::Deserialize;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConfig {
    /// What is captured and when that ends.
    pub(crate) capture: RawCapture,
    /// Where packets come from.
    pub(crate) ports: Vec<RawPort>,
    /// Which stage runs where.
    pub(crate) topology: RawTopology,
    /// Buffers and how long packets stay in them.
    pub(crate) buffers: RawBuffers,
    /// What is written.
    pub(crate) output: RawOutput,
    /// DPDK's Environment Abstraction Layer.
    pub(crate) eal: RawEal,
    /// Where the numbers can be read.
    pub(crate) stats: RawStats,
}

/// `[capture]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCapture {
    /// Keep only packets that match this pcap-filter(7) expression. Default: all.
    pub(crate) filter: Option<String>,
    /// Keep at most so many bytes of each packet. Default: 262144, the largest.
    pub(crate) snaplen_bytes: Option<u32>,
    /// Stop after exactly so many received packets. Default: never.
    pub(crate) stop_after_packets: Option<u64>,
    /// Stop when nothing was received for so many seconds. Default: never.
    pub(crate) stop_after_idle_seconds: Option<f64>,
    /// Stop after so many seconds. Default: never.
    pub(crate) duration_seconds: Option<f64>,
    /// Write the receive queue beside each packet. Default: true.
    pub(crate) record_queue: Option<bool>,
    /// Write the NIC's hash beside each packet that has one. Default: true.
    pub(crate) record_hash: Option<bool>,
}

/// `[[ports]]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPort {
    /// A virtual device, as for EAL's `--vdev`: `net_pcap0,rx_pcap=FILE`. Either this or `pci`.
    pub(crate) vdev: Option<String>,
    /// A NIC's PCI address: `0000:03:00.0`. Either this or `vdev`.
    pub(crate) pci: Option<String>,
    /// What the port sees, in words; goes into every file.
    pub(crate) description: Option<String>,
    /// Receive queues. Default: 1.
    pub(crate) rx_queues: Option<u16>,
    /// Descriptors of each queue. Default: 1024.
    pub(crate) rx_descriptors: Option<u16>,
    /// Whether frames for other MAC addresses are taken. Default: true.
    pub(crate) promiscuous: Option<bool>,
    /// The MTU to set, in bytes. Default: the device's own.
    pub(crate) mtu_bytes: Option<u16>,
    /// What becomes of packets when there is no room: `hold` (the source waits), `drop`, or
    /// `auto`: hold what can wait without loss. Default: auto.
    pub(crate) when_full: Option<RawWhenFull>,
}

/// `ports.when_full`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawWhenFull {
    /// Hold what can wait without loss.
    Auto,
    /// The source waits.
    Hold,
    /// Packets are given up.
    Drop,
}

/// `[topology]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTopology {
    /// `pipeline`, `fused` or `auto`. Default: auto.
    pub(crate) shape: Option<RawShape>,
    /// The CPUs to use, the control core's first. Default: all that the process may use.
    pub(crate) cpus: Option<Vec<usize>>,
    /// How many lcores carry the data path. Default: one for each stage.
    pub(crate) lcores: Option<usize>,
    /// How many Processings there are. Default: fused, one for each queue; pipeline, what CPUs are
    /// left for.
    pub(crate) processing: Option<usize>,
    /// How many Outputs there are; each writes segments of its own. Default: 1.
    pub(crate) output: Option<usize>,
}

/// `topology.shape`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawShape {
    /// Chosen by ports and lcores.
    Auto,
    /// Inputs hand bursts to Processings.
    Pipeline,
    /// Each queue is polled and processed by one stage.
    Fused,
}

/// `[buffers]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBuffers {
    /// Mbufs. Default: the sum of all that can hold one; less is refused.
    pub(crate) mbufs: Option<u32>,
    /// Room for packet bytes in an mbuf, the headroom of 128 included. Default: 2176.
    pub(crate) mbuf_data_room_bytes: Option<u16>,
    /// Packets that fit into the ring between an Input and a Processing: a power of two.
    /// Default: 1024.
    pub(crate) ring_packets: Option<u32>,
    /// Blocks that packets are copied into. Default: 64 MiB of them for each Processing.
    pub(crate) blocks: Option<usize>,
    /// The size of a block in bytes. Default: 1048576.
    pub(crate) block_bytes: Option<usize>,
    /// The longest time that a packet waits in a block that does not fill, in milliseconds.
    /// Default: 1000.
    pub(crate) flush_interval_ms: Option<u64>,
}

/// `[output]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawOutput {
    /// The directory that segments are written to; made if it is not there. Needed here or as
    /// `--output`.
    pub(crate) directory: Option<PathBuf>,
    /// What the names of segments begin with. Default: `weir`.
    pub(crate) prefix: Option<String>,
    /// `zstd`, or `none` for plain `.pcapng`. Default: zstd.
    pub(crate) compression: Option<RawCompression>,
    /// zstd's level: negative levels are faster, 1 to 19 smaller. Default: -1.
    pub(crate) compression_level: Option<i32>,
    /// A segment ends when it has so many bytes. Default: 1073741824.
    pub(crate) segment_bytes_max: Option<u64>,
    /// Segments turn at multiples of so many seconds of the wall clock. Default: never.
    pub(crate) segment_interval_seconds: Option<u64>,
    /// Written blocks are synced after so many milliseconds. Default: 1000.
    pub(crate) sync_interval_ms: Option<u64>,
    /// Written blocks are synced when they are so many bytes. Default: 67108864.
    pub(crate) sync_bytes: Option<u64>,
}

/// `output.compression`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawCompression {
    /// In zstd frames.
    Zstd,
    /// As they are.
    None,
}

/// `[eal]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawEal {
    /// `on`, `off`, or `auto`: on if enough are free. Default: auto.
    pub(crate) hugepages: Option<RawHugepages>,
    /// What tells this process from other DPDK processes. Default: `weir-` and the process id.
    pub(crate) file_prefix: Option<String>,
    /// More arguments for EAL, checked as those after `--` are. Default: none.
    pub(crate) extra_args: Vec<String>,
}

/// `eal.hugepages`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawHugepages {
    /// On if enough are free.
    Auto,
    /// Needed.
    On,
    /// Not used.
    Off,
}

/// `[stats]`
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStats {
    /// The last numbers are written to this file. Default: none.
    pub(crate) file: Option<PathBuf>,
    /// The Unix socket that serves the numbers live. Default: `NAME.sock` in `/run/weir` (for
    /// root) or `$XDG_RUNTIME_DIR/weir`, where NAME is `eal.file_prefix`.
    pub(crate) socket: Option<PathBuf>,
}

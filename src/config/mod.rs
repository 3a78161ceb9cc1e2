//! The configuration, checked: what is here can be run.
//!
//! The file and the command line become one [`Config`]; nothing behind it looks at either again.
//! Everything that is wrong is reported at once.

mod error;
mod load;
mod raw;
mod validate;

pub(crate) use error::{ConfigError, Problem};
pub(crate) use load::load;
pub(crate) use raw::{RawHugepages as Hugepages, RawWhenFull as WhenFullWish};

use std::path::PathBuf;
use std::time::Duration;

use weir_capture::Shape;
use weir_filter::Program;
use weir_segment::{Compression, NamePrefix, RotationPolicy};

/// A configuration that can be run.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) capture: Capture,
    pub(crate) ports: Vec<Port>,
    pub(crate) topology: Topology,
    pub(crate) buffers: Buffers,
    pub(crate) output: Output,
    pub(crate) eal: Eal,
    pub(crate) stats: Stats,
}

/// What is captured and when that ends.
#[derive(Clone)]
pub(crate) struct Capture {
    pub(crate) filter: Option<Program>,
    pub(crate) snaplen_bytes: u32,
    pub(crate) stop_after_packets: Option<u64>,
    pub(crate) stop_after_idle: Option<Duration>,
    pub(crate) duration: Option<Duration>,
    pub(crate) record_queue: bool,
    pub(crate) record_hash: bool,
}

/// What device a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// A virtual device, with EAL's `--vdev` argument.
    Vdev(String),
    /// A NIC, by its PCI address.
    Pci(String),
}

impl Device {
    /// Returns the name that DPDK gives the device's port.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Vdev(arguments) => arguments.split(',').next().unwrap_or_default(),
            Self::Pci(address) => address,
        }
    }
}

/// A port.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) device: Device,
    pub(crate) description: Option<String>,
    pub(crate) rx_queues: u16,
    pub(crate) rx_descriptors: u16,
    pub(crate) promiscuous: bool,
    pub(crate) mtu_bytes: Option<u16>,
    pub(crate) when_full: WhenFullWish,
}

/// Which stage runs where.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) shape: Option<Shape>,
    pub(crate) cpus: Vec<usize>,
    pub(crate) lcores: Option<usize>,
    pub(crate) processings: Option<usize>,
    pub(crate) outputs: Option<usize>,
}

/// Buffers.
#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    pub(crate) mbufs: Option<u32>,
    pub(crate) mbuf_data_room_bytes: u16,
    pub(crate) ring_packets: u32,
    pub(crate) blocks: Option<usize>,
    pub(crate) block_bytes: usize,
    pub(crate) flush_interval: Duration,
}

/// What is written.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) directory: PathBuf,
    pub(crate) prefix: NamePrefix,
    pub(crate) compression: Compression,
    pub(crate) rotation: RotationPolicy,
    pub(crate) sync_interval: Duration,
    pub(crate) sync_bytes: u64,
}

/// DPDK's Environment Abstraction Layer.
#[derive(Clone, Debug)]
pub(crate) struct Eal {
    pub(crate) hugepages: Hugepages,
    pub(crate) file_prefix: String,
    pub(crate) extra_args: Vec<String>,
}

/// Where the numbers can be read.
#[derive(Clone, Debug)]
pub(crate) struct Stats {
    pub(crate) file: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
}

#[cfg(test)]
mod shipped;
#[cfg(test)]
mod tests;

//! What a port is started with, and why it may not start.

use weir_dpdk_sys as sys;

use super::PortInfo;
use super::rss::symmetric_key;
use crate::{ClockError, Errno};

/// What a port is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// How many receive queues.
    pub rx_queues: u16,
    /// How many descriptors each queue has; the driver may take a number near it.
    pub rx_descriptors: u16,
    /// Whether to receive frames that are addressed to others.
    pub promiscuous: bool,
    /// The largest layer-3 packet to receive, in bytes, or the driver's default.
    pub mtu: Option<u16>,
    /// Whether to ask for the source's own timestamps, where it has any.
    pub timestamps: bool,
    /// Whether to hash flows in the NIC, symmetrically, where it can. Needed for several queues.
    pub rss: bool,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self {
            rx_queues: 1,
            rx_descriptors: 1024,
            promiscuous: true,
            mtu: None,
            timestamps: true,
            rss: true,
        }
    }
}

/// What became of RSS when a port was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RssState {
    /// Whether the NIC spreads flows over the queues.
    pub enabled: bool,
    /// Whether both directions of a flow have the same hash: the driver says that it uses the
    /// symmetric key. Only then do packets carry a hash
    /// ([`Frame::rss_hash`](weir_model::Frame::rss_hash)).
    pub symmetric: bool,
}

/// Why a port did not start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StartError {
    /// No queue was asked for.
    #[error("port {port:?} needs at least one receive queue")]
    NoQueue {
        /// The port.
        port: String,
    },
    /// The port has fewer queues.
    #[error("port {port:?} ({driver}) has {rx_queues_max} receive queues, not {rx_queues}")]
    TooManyQueues {
        /// The port.
        port: String,
        /// Its driver.
        driver: String,
        /// What was asked for.
        rx_queues: u16,
        /// What it has.
        rx_queues_max: u16,
    },
    /// The port cannot take packets that long.
    #[error("port {port:?} ({driver}) takes an MTU of at most {mtu_max} bytes, not {mtu}")]
    MtuTooLarge {
        /// The port.
        port: String,
        /// Its driver.
        driver: String,
        /// What was asked for.
        mtu: u16,
        /// What it takes.
        mtu_max: u16,
    },
    /// The driver would cut long frames and not say so.
    #[error(
        "port {port:?} would cut frames silently: interface {interface} has an MTU of {mtu} bytes, \
         so frames of {frame_bytes} bytes, and the driver has room for {room_bytes}. Raise the \
         device argument framesz (and blocksz), or lower the interface's MTU"
    )]
    FramesCut {
        /// The port.
        port: String,
        /// The kernel interface.
        interface: String,
        /// Its MTU, in bytes.
        mtu: u32,
        /// The longest frame of that, with its header and a VLAN tag, in bytes.
        frame_bytes: u32,
        /// The longest frame that the driver passes on whole, in bytes.
        room_bytes: u32,
    },
    /// The driver refused the configuration.
    #[error("port {port:?} ({driver}) refused its configuration: {errno}")]
    Configure {
        /// The port.
        port: String,
        /// Its driver.
        driver: String,
        /// What it said.
        errno: Errno,
    },
    /// The driver refused the MTU.
    #[error("port {port:?} refused an MTU of {mtu} bytes: {errno}")]
    Mtu {
        /// The port.
        port: String,
        /// What was asked for.
        mtu: u16,
        /// What it said.
        errno: Errno,
    },
    /// A queue could not be set up.
    #[error(
        "port {port:?}: queue {queue} of {rx_descriptors} descriptors could not be set up with \
         mempool {mempool:?} of {mbufs} mbufs: {errno}"
    )]
    Queue {
        /// The port.
        port: String,
        /// The queue.
        queue: u16,
        /// Its descriptors.
        rx_descriptors: u16,
        /// The mempool.
        mempool: String,
        /// The mempool's size: too small a one is refused by drivers that fill it at the start.
        mbufs: u32,
        /// What the driver said.
        errno: Errno,
    },
    /// The device did not start.
    #[error("port {port:?} ({driver}) did not start: {errno}")]
    Start {
        /// The port.
        port: String,
        /// Its driver.
        driver: String,
        /// What it said.
        errno: Errno,
    },
    /// The driver has promiscuous mode and could not enter it.
    #[error("port {port:?} did not enter promiscuous mode: {errno}")]
    Promiscuous {
        /// The port.
        port: String,
        /// What it said.
        errno: Errno,
    },
    /// The driver stamps packets with a clock that cannot be read, so its stamps mean nothing.
    #[error("port {port:?} stamps packets, but {error}. Start it without hardware timestamps")]
    Clock {
        /// The port.
        port: String,
        /// What is wrong with its clock.
        error: ClockError,
    },
}

/// The configuration, made fit for one port. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) rx_offloads: u64,
    /// In bytes, of layer 3; 0 for the driver's default.
    pub(super) mtu: u32,
    pub(super) rss_flows: u64,
    /// Empty where the driver has no key to set.
    pub(super) rss_key: Vec<u8>,
    pub(super) tx_queues: u16,
}

impl Plan {
    /// Makes a plan, asking the port for nothing that it does not offer. `packet_bytes_per_mbuf`
    /// is the room of one mbuf.
    pub(super) fn new(
        info: &PortInfo,
        config: &PortConfig,
        packet_bytes_per_mbuf: u32,
    ) -> Result<Self, StartError> {
        check(info, config)?;
        let rss = config.rss && info.rss_flows & sys::SHIM_RSS_FLOWS != 0;
        Ok(Self {
            rx_offloads: offloads(info, config, packet_bytes_per_mbuf, rss),
            mtu: config.mtu.map_or(0, u32::from),
            rss_flows: if rss { info.rss_flows & sys::SHIM_RSS_FLOWS } else { 0 },
            rss_key: if rss { symmetric_key(info.rss_key_bytes) } else { Vec::new() },
            tx_queues: if info.kind.needs_paired_queues() { config.rx_queues } else { 0 },
        })
    }
}

fn check(info: &PortInfo, config: &PortConfig) -> Result<(), StartError> {
    let port = || info.name.clone();
    if config.rx_queues == 0 {
        return Err(StartError::NoQueue { port: port() });
    }
    if config.rx_queues > info.rx_queues_max {
        return Err(StartError::TooManyQueues {
            port: port(),
            driver: info.driver.clone(),
            rx_queues: config.rx_queues,
            rx_queues_max: info.rx_queues_max,
        });
    }
    match config.mtu {
        Some(mtu) if mtu > info.mtu_max => Err(StartError::MtuTooLarge {
            port: port(),
            driver: info.driver.clone(),
            mtu,
            mtu_max: info.mtu_max,
        }),
        _ => Ok(()),
    }
}

/// Returns the offloads to ask for. Stripping VLAN tags is never among them: the file is to hold
/// what the wire had.
fn offloads(info: &PortInfo, config: &PortConfig, packet_bytes_per_mbuf: u32, rss: bool) -> u64 {
    let mut wanted = 0;
    if config.timestamps {
        wanted |= sys::SHIM_OFFLOAD_TIMESTAMP;
    }
    if rss {
        wanted |= sys::SHIM_OFFLOAD_RSS_HASH;
    }
    // Scattering selects a slower receive function in many drivers, so it is for long packets.
    if config.mtu.is_some_and(|mtu| frame_bytes(u32::from(mtu)) > packet_bytes_per_mbuf) {
        wanted |= sys::SHIM_OFFLOAD_SCATTER;
    }
    wanted & info.rx_offloads
}

/// Returns the longest frame of an MTU: with the Ethernet header and one VLAN tag.
pub(super) fn frame_bytes(mtu: u32) -> u32 {
    mtu + sys::SHIM_ETHER_HEADER_BYTES + 4
}

#[cfg(test)]
mod tests;

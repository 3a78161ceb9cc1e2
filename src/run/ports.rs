//! Ports: found, started, and what is known of each.

use weir_capture::{QueueSource, WhenFull};
use weir_dpdk::{DriverKind, Eal, Mempool, MempoolConfig, Port, PortConfig, RxQueue, StartedPort};
use weir_model::{PortId, TimestampSource};

use super::memory::{MBUF_CACHE, MbufPlan};
use super::{RunError, port_id};
use crate::config::{self, Config, Device, WhenFullWish};

/// A resolution beyond which `net_pcap` knows nothing: it cuts a file's nanoseconds off.
const PCAP_RESOLUTION_NS: u64 = 1_000;

/// A port that was started.
pub(crate) struct OpenPort {
    pub(crate) id: PortId,
    pub(crate) started: StartedPort,
    pub(crate) when_full: WhenFull,
    pub(crate) timestamps: TimestampSource,
}

impl OpenPort {
    /// Returns how far the driver's timestamps may be off, where that is known.
    pub(crate) fn timestamp_error_bound_ns(&mut self) -> Option<u64> {
        match self.timestamps {
            TimestampSource::Hardware => {
                self.started.device_clock().map(|clock| clock.error_bound_ns())
            }
            TimestampSource::Pmd => match self.started.info().kind {
                DriverKind::PcapFile { .. } | DriverKind::PcapInterface => Some(PCAP_RESOLUTION_NS),
                _ => None,
            },
            TimestampSource::Tsc => None,
        }
    }
}

/// Every port, started, with the queues that are to be polled.
pub(crate) struct OpenPorts {
    pub(crate) ports: Vec<OpenPort>,
    queues: Vec<QueueSource<RxQueue>>,
    mempool: Mempool,
    /// Free mbufs before any port had taken one, less those that drivers keep.
    mbufs_at_start: u32,
}

/// Every port, when its queues have gone to their lcores.
pub(crate) struct StartedPorts {
    pub(crate) ports: Vec<OpenPort>,
    pub(crate) mempool: Mempool,
    /// Free mbufs before any port had taken one, less those that drivers keep: so many must be
    /// free again when every port has stopped.
    pub(crate) mbufs_at_start: u32,
}

impl OpenPorts {
    /// Finds and starts every port of the configuration.
    ///
    /// # Errors
    ///
    /// [`RunError`], which names the port. EAL itself does not fail when a device fails to probe.
    pub(crate) fn open(eal: &Eal, config: &Config, mbufs: &MbufPlan) -> Result<Self, RunError> {
        let mut found = Vec::new();
        for port in &config.ports {
            found.push(find(eal, &port.device)?);
        }
        let mempool = Mempool::create(
            eal,
            MempoolConfig {
                name: "weir_mbufs".to_owned(),
                mbufs: mbufs.mbufs,
                cache_mbufs: MBUF_CACHE,
                data_room_bytes: config.buffers.mbuf_data_room_bytes,
                socket: common_socket(&found),
            },
        )?;
        let mbufs_at_start = mempool.available_mbufs();
        let mut open = Self { ports: Vec::new(), queues: Vec::new(), mempool, mbufs_at_start };
        for (index, (port, wanted)) in found.into_iter().zip(&config.ports).enumerate() {
            open.start(port_id(index), port, wanted)?;
        }
        Ok(open)
    }

    fn start(&mut self, id: PortId, port: Port, wanted: &config::Port) -> Result<(), RunError> {
        let when_full = match wanted.when_full {
            WhenFullWish::Hold => WhenFull::Hold,
            WhenFullWish::Drop => WhenFull::Drop,
            WhenFullWish::Auto if port.info().is_lossless() => WhenFull::Hold,
            WhenFullWish::Auto => WhenFull::Drop,
        };
        let settings = PortConfig {
            rx_queues: wanted.rx_queues,
            rx_descriptors: wanted.rx_descriptors,
            promiscuous: wanted.promiscuous,
            mtu: wanted.mtu_bytes,
            timestamps: true,
            rss: wanted.rx_queues > 1 || matches!(wanted.device, Device::Pci(_)),
        };
        let free_before = self.mempool.available_mbufs();
        let (started, queues) = port.start(&settings, &self.mempool)?;
        if keeps_mbufs(started.info().kind) {
            self.mbufs_at_start -= free_before.saturating_sub(self.mempool.available_mbufs());
        }
        let timestamps = started.timestamp_source().unwrap_or(TimestampSource::Tsc);
        let rss_is_symmetric = started.rss().symmetric;
        self.queues.extend(queues.into_iter().map(|source| QueueSource {
            port: id,
            queue: source.queue_id(),
            source,
            when_full,
            timestamps,
            rss_is_symmetric,
        }));
        self.ports.push(OpenPort { id, started, when_full, timestamps });
        Ok(())
    }

    /// Parts the queues, which go to their lcores, from the ports, which stay.
    pub(crate) fn split(self) -> (Vec<QueueSource<RxQueue>>, StartedPorts) {
        let Self { ports, queues, mempool, mbufs_at_start } = self;
        (queues, StartedPorts { ports, mempool, mbufs_at_start })
    }
}

/// Returns whether the driver keeps the mbufs that it filled its queues with when its port stops.
/// The number stays what it was at the start, because each packet that is received is replaced.
fn keeps_mbufs(kind: DriverKind) -> bool {
    matches!(kind, DriverKind::Tap | DriverKind::AfXdp | DriverKind::PcapFile { infinite: true })
}

fn find(eal: &Eal, device: &Device) -> Result<Port, RunError> {
    Ok(match device {
        Device::Vdev(_) => Port::by_name(eal, device.name())?,
        Device::Pci(address) => match address.parse() {
            Ok(address) => Port::by_pci_address(eal, address)?,
            Err(_) => Port::by_name(eal, address)?,
        },
    })
}

/// Returns the NUMA node of the ports, if all are at the same.
fn common_socket(ports: &[Port]) -> Option<u32> {
    let first = ports.first()?.info().socket?;
    ports.iter().all(|port| port.info().socket == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by stopping a port of each and counting what had come back.
    #[test]
    fn some_drivers_keep_their_mbufs() {
        for kind in [DriverKind::Tap, DriverKind::AfXdp, DriverKind::PcapFile { infinite: true }] {
            assert!(keeps_mbufs(kind), "{kind:?}");
        }
        for kind in [
            DriverKind::Null,
            DriverKind::Ring,
            DriverKind::PcapFile { infinite: false },
            DriverKind::PcapInterface,
            DriverKind::AfPacket,
            DriverKind::Other,
        ] {
            assert!(!keeps_mbufs(kind), "{kind:?}");
        }
    }
}

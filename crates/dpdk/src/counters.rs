//! What a port has counted, told truthfully.
//!
//! Drivers count different things under the same names, and some report 0 for what they do not
//! count at all. Here a counter is [`Counter::Known`] only if it is the number that its name
//! promises; else it is [`Counter::Unknown`], with the reason. Which is which for each virtual
//! driver was found out by overrunning it (`tests/loss_*.rs` do it again); a NIC's driver is
//! believed, and its raw counters are there beside
//! ([`StartedPort::xstats`](crate::StartedPort::xstats)).

#![allow(unsafe_code, reason = "calls DPDK")]

mod accumulator;
mod own_sockets;
mod packet_socket;
mod truth;
mod xdp_socket;

use weir_dpdk_sys as sys;

use self::accumulator::Accumulator;
use self::packet_socket::PacketSockets;
use self::xdp_socket::{SocketsBefore, XdpSockets};
use crate::Errno;
use crate::port::{DriverKind, KernelCounter, PortInfo};

/// A counter, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The number that the counter's name promises.
    Known(u64),
    /// Nobody knows that number, for this reason.
    Unknown(&'static str),
}

impl Counter {
    /// Returns the number, if it is known.
    pub fn known(self) -> Option<u64> {
        match self {
            Self::Known(count) => Some(count),
            Self::Unknown(_) => None,
        }
    }
}

/// What a port has counted since it was started. No counter ever goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NicCounters {
    /// Packets that the driver has handed over.
    pub received_packets: Counter,
    /// Their bytes, as the driver counts them (some count a checksum, some do not).
    pub received_bytes: Counter,
    /// Packets that came and found no room: beneath the driver or in the device.
    pub missed_packets: Counter,
    /// Where `missed_packets` is read.
    pub missed_source: &'static str,
    /// Packets that came and were damaged or could not be taken.
    pub errors: Counter,
    /// Packets that were lost for want of an mbuf.
    pub no_mbuf: Counter,
    /// How often a counter beneath was seen to go down (a reset, or a driver's slip). What was
    /// counted between the last reading and such a step is in no counter.
    pub steps_back: u64,
}

/// Reads one port's counters. There is one for each port, because reading some of them resets
/// them.
#[derive(Debug)]
pub(crate) struct CounterReader {
    port: u16,
    kind: DriverKind,
    ipackets: Accumulator,
    ibytes: Accumulator,
    imissed: Accumulator,
    ierrors: Accumulator,
    rx_nombuf: Accumulator,
    /// Drops that the kernel counts on the interface, for the kinds that need them.
    interface: Option<(KernelCounter, Accumulator)>,
    /// The sockets that the driver reads from, for the kinds that need them.
    sockets: Sockets,
}

/// The sockets of a driver that is known not to tell what is dropped on them.
#[derive(Debug)]
enum Sockets {
    None,
    Packet(PacketSockets),
    Xdp(XdpSockets),
}

/// What is to be looked at before a port's queues are set up.
#[derive(Debug)]
pub(crate) struct CountersBefore(Option<SocketsBefore>);

impl CountersBefore {
    pub(crate) fn look(info: &PortInfo) -> Self {
        Self(SocketsBefore::look(info))
    }
}

/// What all the places said, summed since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Readings {
    driver: Option<DriverReadings>,
    /// Drops that the kernel counted on the interface.
    interface_drops: Option<u64>,
    /// Drops that the kernel counted on the driver's sockets.
    socket_drops: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct DriverReadings {
    ipackets: u64,
    ibytes: u64,
    imissed: u64,
    ierrors: u64,
    rx_nombuf: u64,
}

impl CounterReader {
    /// Starts from here: nothing that was counted before is in what is read. The port's queues
    /// have been set up since `before`.
    pub(crate) fn start(
        port: u16,
        info: &PortInfo,
        before: &CountersBefore,
        rx_queues: u16,
    ) -> Self {
        // SAFETY: DPDK checks the number. A driver that cannot reset is read as it is.
        unsafe { sys::rte_eth_stats_reset(port) };
        let raw = stats(port).unwrap_or_default();
        Self {
            port,
            kind: info.kind,
            ipackets: Accumulator::from(raw.ipackets),
            ibytes: Accumulator::from(raw.ibytes),
            imissed: Accumulator::from(raw.imissed),
            ierrors: Accumulator::from(raw.ierrors),
            rx_nombuf: Accumulator::from(raw.rx_nombuf),
            interface: interface_drops(info),
            sockets: Sockets::of_port(info, before, rx_queues),
        }
    }

    pub(crate) fn read(&mut self) -> NicCounters {
        let driver = stats(self.port).map(|raw| DriverReadings {
            ipackets: self.ipackets.advance(raw.ipackets),
            ibytes: self.ibytes.advance(raw.ibytes),
            imissed: self.imissed.advance(raw.imissed),
            ierrors: self.ierrors.advance(raw.ierrors),
            rx_nombuf: self.rx_nombuf.advance(raw.rx_nombuf),
        });
        let interface_drops = self.interface.as_mut().map(|(counter, sum)| match counter.read() {
            Some(raw) => sum.advance(raw),
            // The interface is gone, and no more can have been dropped on it.
            None => sum.total(),
        });
        let socket_drops = self.sockets.read_drops();
        let readings = Readings { driver, interface_drops, socket_drops };
        truth::judge(self.kind, readings, self.steps_back())
    }

    fn steps_back(&self) -> u64 {
        [&self.ipackets, &self.ibytes, &self.imissed, &self.ierrors, &self.rx_nombuf]
            .into_iter()
            .chain(self.interface.as_ref().map(|(_, sum)| sum))
            .map(Accumulator::steps_back)
            .sum()
    }
}

impl Sockets {
    fn of_port(info: &PortInfo, before: &CountersBefore, rx_queues: u16) -> Self {
        let xdp = before.0.as_ref().and_then(|before| XdpSockets::since(before, rx_queues));
        let packet = || PacketSockets::of_port(info).map_or(Self::None, Self::Packet);
        xdp.map_or_else(packet, Self::Xdp)
    }

    fn read_drops(&mut self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Packet(sockets) => sockets.read_drops(),
            Self::Xdp(sockets) => sockets.read_drops(),
        }
    }
}

fn interface_drops(info: &PortInfo) -> Option<(KernelCounter, Accumulator)> {
    let name = truth::interface_counter(info.kind)?;
    let counter = KernelCounter::open(info.kernel_interface.as_ref()?, name)?;
    let raw = counter.read()?;
    Some((counter, Accumulator::from(raw)))
}

fn stats(port: u16) -> Option<sys::rte_eth_stats> {
    let mut raw = sys::rte_eth_stats::default();
    // SAFETY: DPDK checks the number; `raw` is a place to write to.
    Errno::check(unsafe { sys::rte_eth_stats_get(port, &raw mut raw) }).ok()?;
    Some(raw)
}

//! Which of a driver's counters mean what their names say.
//!
//! One function for each kind of driver, pure. Found out on DPDK 22.11 by sending a known number
//! of packets to a port that was not polled, and in the drivers' sources.

use super::{Counter, DriverReadings, NicCounters, Readings};
use crate::port::DriverKind;
use Counter::{Known, Unknown};

const SILENT: &str = "the driver gave no counters";

/// Returns the name of the kernel's counter of drops on the interface, for the kinds that need it.
pub(super) fn interface_counter(kind: DriverKind) -> Option<&'static str> {
    match kind {
        // What the kernel sends into a tap is received here, so it is what could not be sent.
        DriverKind::Tap => Some("tx_dropped"),
        DriverKind::AfXdp => Some("rx_dropped"),
        _ => None,
    }
}

pub(super) fn judge(kind: DriverKind, readings: Readings, steps_back: u64) -> NicCounters {
    let Some(driver) = readings.driver else { return silent(steps_back) };
    let believed = believed(driver, steps_back);
    match kind {
        DriverKind::Null => null(believed),
        DriverKind::Ring => ring(believed),
        DriverKind::PcapFile { infinite } => pcap_file(believed, driver, infinite),
        DriverKind::PcapInterface => pcap_interface(believed, driver),
        DriverKind::AfPacket => af_packet(believed, driver, readings),
        DriverKind::AfXdp => af_xdp(believed, readings),
        DriverKind::Tap => tap(believed, readings),
        DriverKind::Other => believed,
    }
}

fn silent(steps_back: u64) -> NicCounters {
    NicCounters {
        received_packets: Unknown(SILENT),
        received_bytes: Unknown(SILENT),
        missed_packets: Unknown(SILENT),
        missed_source: "nowhere",
        errors: Unknown(SILENT),
        no_mbuf: Unknown(SILENT),
        steps_back,
    }
}

fn believed(driver: DriverReadings, steps_back: u64) -> NicCounters {
    NicCounters {
        received_packets: Known(driver.ipackets),
        received_bytes: Known(driver.ibytes),
        missed_packets: Known(driver.imissed),
        missed_source: "driver: imissed",
        errors: Known(driver.ierrors),
        no_mbuf: Known(driver.rx_nombuf),
        steps_back,
    }
}

/// Packets are made when they are asked for, so none is ever missed.
fn null(believed: NicCounters) -> NicCounters {
    NicCounters {
        received_bytes: Unknown("net_null does not count bytes"),
        missed_packets: Known(0),
        missed_source: "none can be: packets are made when polled for",
        no_mbuf: Unknown("net_null does not count polls that found no mbuf"),
        ..believed
    }
}

/// Receiving allocates nothing; what did not fit into the ring, only its sender knows.
fn ring(believed: NicCounters) -> NicCounters {
    NicCounters {
        received_bytes: Unknown("net_ring does not count bytes"),
        missed_packets: Unknown("net_ring does not count what its sender could not put in"),
        missed_source: "nowhere",
        no_mbuf: Known(0),
        ..believed
    }
}

/// A file waits. Its `ierrors` count failed polls: one for a file's torn end, and a few for a
/// damaged record that cost many packets.
fn pcap_file(believed: NicCounters, driver: DriverReadings, infinite: bool) -> NicCounters {
    NicCounters {
        missed_packets: Known(0),
        missed_source: "none can be: a file waits",
        errors: pcap_errors(
            driver,
            "net_pcap met a damaged file and counts failed polls, not packets",
        ),
        no_mbuf: if infinite {
            Unknown("net_pcap does not count polls that found no mbuf when it repeats a file")
        } else {
            Known(driver.rx_nombuf)
        },
        ..believed
    }
}

/// `imissed` is libpcap's count of what the kernel dropped, exact. `ierrors` rises with every poll
/// once the interface is gone.
fn pcap_interface(believed: NicCounters, driver: DriverReadings) -> NicCounters {
    NicCounters {
        missed_source: "driver: imissed (pcap_stats)",
        errors: pcap_errors(driver, "net_pcap counts failed polls, not packets"),
        ..believed
    }
}

fn pcap_errors(driver: DriverReadings, reason: &'static str) -> Counter {
    if driver.ierrors == 0 { Known(0) } else { Unknown(reason) }
}

/// `imissed` is always 0 before DPDK 25.03. A poll that finds no mbuf leaves the packet in the
/// kernel's ring, and says nothing; if the ring overflows by that, it is among the missed.
fn af_packet(believed: NicCounters, driver: DriverReadings, readings: Readings) -> NicCounters {
    let driver_knows = weir_dpdk_sys::SHIM_VERSION >= weir_dpdk_sys::SHIM_VERSION_25_03;
    let (missed_packets, missed_source) = match readings.socket_drops {
        _ if driver_knows => (Known(driver.imissed), "driver: imissed"),
        Some(drops) => (Known(drops), "kernel: PACKET_STATISTICS of the driver's sockets"),
        None => (
            Unknown("net_af_packet does not count drops, and its sockets could not be told apart"),
            "nowhere",
        ),
    };
    NicCounters {
        missed_packets,
        missed_source,
        no_mbuf: Unknown("net_af_packet does not count polls that found no mbuf"),
        ..believed
    }
}

/// `imissed` leaves out what found the receive ring full, which the sockets tell. What the kernel
/// dropped before it came to a socket is in `rx_dropped` of the interface, and so, with drivers
/// such as veth, are the sockets' drops again: so it is the larger of the two, not their sum.
fn af_xdp(believed: NicCounters, readings: Readings) -> NicCounters {
    let (missed_packets, missed_source) = match (readings.socket_drops, readings.interface_drops) {
        (Some(socket), Some(interface)) => (
            Known(socket.max(interface)),
            "kernel: the larger of XDP_STATISTICS and the interface's rx_dropped",
        ),
        _ => (
            Unknown(
                "net_af_xdp does not count all drops, and XDP_STATISTICS of its sockets or the \
                 interface's rx_dropped cannot be read",
            ),
            "nowhere",
        ),
    };
    NicCounters {
        missed_packets,
        missed_source,
        no_mbuf: Unknown("net_af_xdp counts the same packets again with every poll"),
        ..believed
    }
}

/// `imissed` is always 0; the kernel counts what did not fit into the tap's queue.
fn tap(believed: NicCounters, readings: Readings) -> NicCounters {
    let (missed_packets, missed_source) = match readings.interface_drops {
        Some(drops) => (Known(drops), "kernel: tx_dropped of the tap interface"),
        None => (
            Unknown("net_tap does not count drops, and the interface's tx_dropped cannot be read"),
            "nowhere",
        ),
    };
    NicCounters { missed_packets, missed_source, ..believed }
}

#[cfg(test)]
mod tests;

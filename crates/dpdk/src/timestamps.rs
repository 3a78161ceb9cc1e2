//! What a port's own timestamps mean, and making nanoseconds of them.

use std::sync::Arc;

use weir_dpdk_sys as sys;

use crate::device_clock::PublishedCalibration;
use crate::port::DriverKind;

/// How the numbers in the mbuf's timestamp field become nanoseconds since the epoch.
#[derive(Clone, Debug)]
pub(crate) enum Conversion {
    /// The source gives no time, or one that nobody could make sense of.
    None,
    /// Units since the epoch, of so many nanoseconds each.
    Units { ns_per_unit: u64 },
    /// Ticks of the NIC's clock.
    Device(Arc<PublishedCalibration>),
}

/// Returns the unit of the times that a PMD without a clock of its own gives, if it gives any.
///
/// `net_pcap` gives the capture file's or the kernel's time: in microseconds up to DPDK 26.03
/// (`eth_pcap_rx`), in nanoseconds from 26.07 on; replaying a file endlessly, it gives none.
/// `net_af_packet` gives the kernel's time in nanoseconds (TPACKET_V2) where it offers the
/// timestamp offload, which came after 22.11. The others give none.
pub(crate) fn pmd_unit_ns(kind: DriverKind, offload_granted: bool) -> Option<u64> {
    match kind {
        DriverKind::PcapFile { infinite: false } | DriverKind::PcapInterface => {
            let nanoseconds = sys::SHIM_VERSION >= sys::SHIM_VERSION_26_07;
            Some(if nanoseconds { 1 } else { 1_000 })
        }
        DriverKind::AfPacket if offload_granted => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pcap_gives_times_without_an_offload() {
        let unit = |kind| pmd_unit_ns(kind, false);
        assert!(unit(DriverKind::PcapFile { infinite: false }).is_some());
        assert!(unit(DriverKind::PcapInterface).is_some());
        assert_eq!(unit(DriverKind::PcapFile { infinite: true }), None);
        for kind in [DriverKind::Null, DriverKind::Ring, DriverKind::AfPacket, DriverKind::AfXdp] {
            assert_eq!(unit(kind), None);
        }
        assert_eq!(pmd_unit_ns(DriverKind::AfPacket, true), Some(1));
    }
}

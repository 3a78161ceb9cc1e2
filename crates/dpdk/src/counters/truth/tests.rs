//! No kind of driver may report a 0 that it did not count.

use super::*;

const ALL: [DriverKind; 9] = [
    DriverKind::Null,
    DriverKind::Ring,
    DriverKind::PcapFile { infinite: false },
    DriverKind::PcapFile { infinite: true },
    DriverKind::PcapInterface,
    DriverKind::AfPacket,
    DriverKind::AfXdp,
    DriverKind::Tap,
    DriverKind::Other,
];

fn readings(driver: DriverReadings) -> Readings {
    Readings { driver: Some(driver), interface_drops: None, socket_drops: None }
}

#[test]
fn drivers_that_do_not_count_drops_never_say_that_there_were_none() {
    for kind in [DriverKind::Ring, DriverKind::AfPacket, DriverKind::AfXdp, DriverKind::Tap] {
        let counters = judge(kind, readings(DriverReadings::default()), 0);
        assert!(matches!(counters.missed_packets, Unknown(_)), "{kind:?}: {counters:?}");
    }
}

#[test]
fn the_kernels_drops_are_taken_where_the_driver_does_not_count() {
    let seen = Readings {
        driver: Some(DriverReadings { imissed: 7, ..DriverReadings::default() }),
        interface_drops: Some(4_006),
        socket_drops: Some(4_488),
    };
    let missed = |kind| judge(kind, seen, 0).missed_packets;
    assert_eq!(missed(DriverKind::Tap), Known(4_006));
    assert_eq!(missed(DriverKind::AfXdp), Known(4_488));
    assert_eq!(missed(DriverKind::PcapInterface), Known(7));
    assert_eq!(missed(DriverKind::Other), Known(7));
    if weir_dpdk_sys::SHIM_VERSION < weir_dpdk_sys::SHIM_VERSION_25_03 {
        assert_eq!(missed(DriverKind::AfPacket), Known(4_488));
    }
}

#[test]
fn the_drops_of_af_xdp_are_not_counted_twice() {
    let missed = |interface_drops, socket_drops| {
        let driver = Some(DriverReadings { imissed: 1, ..DriverReadings::default() });
        judge(DriverKind::AfXdp, Readings { driver, interface_drops, socket_drops }, 0)
            .missed_packets
    };
    assert_eq!(missed(Some(17_952), Some(17_952)), Known(17_952));
    assert_eq!(missed(Some(0), Some(17_952)), Known(17_952));
    assert_eq!(missed(Some(5), Some(0)), Known(5));
    assert!(matches!(missed(None, Some(5)), Unknown(_)));
    assert!(matches!(missed(Some(5), None), Unknown(_)));
}

#[test]
fn failed_polls_of_net_pcap_are_no_packets() {
    let clean = readings(DriverReadings::default());
    let failed = readings(DriverReadings { ierrors: 1_700_000, ..DriverReadings::default() });
    for kind in [DriverKind::PcapFile { infinite: false }, DriverKind::PcapInterface] {
        assert_eq!(judge(kind, clean, 0).errors, Known(0));
        assert!(matches!(judge(kind, failed, 0).errors, Unknown(_)));
    }
}

#[test]
fn allocation_failures_that_nobody_counts_are_unknown() {
    let counted = readings(DriverReadings { rx_nombuf: 3, ..DriverReadings::default() });
    let no_mbuf = |kind| judge(kind, counted, 0).no_mbuf;
    for kind in [
        DriverKind::Null,
        DriverKind::PcapFile { infinite: true },
        DriverKind::AfPacket,
        DriverKind::AfXdp,
    ] {
        assert!(matches!(no_mbuf(kind), Unknown(_)), "{kind:?}");
    }
    assert_eq!(no_mbuf(DriverKind::PcapFile { infinite: false }), Known(3));
    assert_eq!(no_mbuf(DriverKind::PcapInterface), Known(3));
    assert_eq!(no_mbuf(DriverKind::Tap), Known(3));
    assert_eq!(no_mbuf(DriverKind::Other), Known(3));
}

#[test]
fn a_driver_that_says_nothing_leaves_everything_unknown() {
    for kind in ALL {
        let counters = judge(kind, Readings::default(), 5);
        assert_eq!(counters.received_packets, Unknown(SILENT));
        assert_eq!(counters.missed_packets, Unknown(SILENT));
        assert_eq!(counters.steps_back, 5);
    }
}

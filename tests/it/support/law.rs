//! The law of accounting, held against the numbers and the files of every run.

use weir_telemetry::{AccountingStats, State, Stats};

use super::segment::Capture;

/// Asserts what must be so at every moment.
pub(crate) fn assert_holds(stats: &Stats) {
    let it = &stats.accounting;
    assert_eq!((it.unexplained_packets, it.unexplained_bytes), (0, 0), "{it:#?}");
    // Not by the program's own sum: each term once more.
    let packets = it.stored_packets
        + it.filtered_packets
        + it.rejected_packets
        + it.shed_packets
        + it.lost_packets
        + it.in_flight_packets;
    assert_eq!(it.received_packets, packets, "{it:#?}");
    let bytes = it.stored_bytes
        + it.sliced_bytes
        + it.filtered_bytes
        + it.rejected_bytes
        + it.shed_bytes
        + it.lost_bytes
        + it.in_flight_bytes;
    assert_eq!(it.received_bytes, bytes, "{it:#?}");
    assert_causes(it);
    assert!(stats.output.durable_packets <= it.stored_packets, "{:#?}", stats.output);
    let of_ports = stats.ports.iter().map(|port| port.received_packets).sum::<u64>();
    // Ports appear with the control core's first look at them.
    assert!(of_ports == it.received_packets || stats.ports.is_empty(), "{:#?}", stats.ports);
}

fn assert_causes(it: &AccountingStats) {
    let lost = &it.lost;
    let packets = lost.ring_full_packets
        + lost.pool_exhausted_packets
        + lost.malformed_mbuf_packets
        + lost.disk_full_packets
        + lost.io_error_packets;
    assert_eq!(it.lost_packets, packets, "{it:#?}");
    let bytes = lost.ring_full_bytes
        + lost.pool_exhausted_bytes
        + lost.malformed_mbuf_bytes
        + lost.disk_full_bytes
        + lost.io_error_bytes;
    assert_eq!(it.lost_bytes, bytes, "{it:#?}");
}

/// Asserts what must be so when everything has stopped.
pub(crate) fn assert_at_rest(stats: &Stats) {
    assert_eq!(stats.state, State::Stopped);
    assert_eq!(stats.accounting.in_flight_packets, 0, "{:#?}", stats.accounting);
    let buffers = &stats.buffers;
    assert_eq!(buffers.mbufs_available, buffers.mbufs_at_start, "mbufs leaked: {buffers:#?}");
    assert_eq!(buffers.blocks_available, buffers.blocks, "blocks leaked: {buffers:#?}");
    let in_rings = stats.rings.iter().map(|ring| ring.used_packets).sum::<u64>();
    assert_eq!(in_rings, 0, "{:#?}", stats.rings);
    for stage in stats.lcores.iter().flat_map(|lcore| &lcore.stages) {
        assert_eq!(stage.held_packets, 0, "{stage:#?}");
    }
    assert_eq!(stats.output.durable_packets, stats.accounting.stored_packets);
    assert_eq!(stats.output.unsealed_segments, 0, "{:#?}", stats.output);
}

/// Asserts that no counter went back between two readings.
pub(crate) fn assert_not_before(earlier: &Stats, later: &Stats) {
    let counters = |stats: &Stats| {
        let it = &stats.accounting;
        let own = [
            ("received_packets", it.received_packets),
            ("received_bytes", it.received_bytes),
            ("stored_packets", it.stored_packets),
            ("stored_bytes", it.stored_bytes),
            ("sliced_bytes", it.sliced_bytes),
            ("filtered_packets", it.filtered_packets),
            ("filtered_bytes", it.filtered_bytes),
            ("lost_packets", it.lost_packets),
            ("lost_bytes", it.lost_bytes),
            ("durable_packets", stats.output.durable_packets),
            ("encoded_bytes", stats.output.encoded_bytes),
            ("output.stored_bytes", stats.output.stored_bytes),
            ("blocks", stats.output.blocks),
            ("sealed_segments", stats.output.sealed_segments),
            ("tsc_packets", stats.timestamps.tsc_packets),
            ("pmd_packets", stats.timestamps.pmd_packets),
        ];
        own.map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .chain(stats.ports.iter().map(|port| (port.name.clone(), port.received_packets)))
            .chain(stats.lcores.iter().flat_map(|lcore| &lcore.stages).flat_map(|stage| {
                let name = |what: &str| format!("{} {what}", stage.stage);
                [(name("taken"), stage.taken_packets), (name("passed"), stage.passed_packets)]
            }))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (before, after) = (counters(earlier), counters(later));
    for (name, value) in before {
        assert!(after[&name] >= value, "{name} went back from {value} to {}", after[&name]);
    }
    assert_eq!(earlier.run_id, later.run_id);
    assert!(later.uptime_seconds >= earlier.uptime_seconds);
}

/// Asserts that the files hold what the numbers say, packet for packet and loss for loss.
pub(crate) fn assert_written(stats: &Stats, capture: &Capture) {
    let it = &stats.accounting;
    assert_eq!(capture.segments.len() as u64, stats.output.sealed_segments);
    assert_eq!(capture.packets().count() as u64, it.stored_packets);
    let bytes = |of: fn(&super::segment::Packet) -> usize| capture.packets().map(of).sum::<usize>();
    assert_eq!(bytes(|packet| packet.data.len()) as u64, it.stored_bytes);
    let wire_bytes = bytes(|packet| packet.wire_bytes as usize) as u64;
    assert_eq!(wire_bytes, it.stored_bytes + it.sliced_bytes);
    let told = |of: fn(&super::segment::Statistics) -> Option<u64>| {
        capture.statistics().map(|statistics| of(statistics).unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(told(|statistics| statistics.usrdeliv), it.stored_packets);
    assert_eq!(told(|statistics| statistics.filteraccept), it.stored_packets);
    // Losses are told in the file that follows them; what the NIC missed stands apart.
    assert_eq!(told(|statistics| statistics.osdrop), it.lost_packets + it.shed_packets);
    let missed = told(|statistics| statistics.ifdrop);
    assert_eq!(told(|statistics| statistics.ifrecv), it.received_packets - it.rejected_packets);
    let told_by_packets = capture.packets().map(|packet| packet.dropped).sum::<u64>();
    assert!(told_by_packets <= missed + it.lost_packets, "{told_by_packets} drops told");
}

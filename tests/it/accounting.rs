//! Promise: every packet is accounted for, in packets and in bytes, at every instant and in every
//! file.

use std::time::{Duration, Instant};

use toml::Value;

use crate::support::weir::{Setup, Weir, cpus};
use crate::support::{captures, is_full, law, skip};

/// Readings of the numbers that a loaded run is asked for.
const READINGS: u32 = 250;

fn all_cpus() -> Value {
    cpus().into_iter().map(|cpu| Value::from(cpu as i64)).collect::<Vec<_>>().into()
}

/// Reads the numbers of a loaded run as fast as it can (several hundred times a second where the
/// machine is not busy with others), and holds each to the law and to the one before.
fn watch(name: &str, mut weir: Weir) -> Weir {
    weir.wait_until("packets come", |stats| stats.accounting.stored_packets > 0);
    let mut client = weir.client();
    let first = client.stats();
    let mut last = first.clone();
    let started = Instant::now();
    for _ in 0..READINGS {
        let stats = client.stats();
        law::assert_holds(&stats);
        law::assert_not_before(&last, &stats);
        assert!(stats.accounting.stored_packets <= stats.accounting.received_packets);
        last = stats;
    }
    let rate = f64::from(READINGS) / started.elapsed().as_secs_f64();
    let packets = last.accounting.received_packets - first.accounting.received_packets;
    println!("{name}: {rate:.0} readings per second, {packets} packets meanwhile");
    assert!(packets > 0, "{name} was not loaded");
    weir
}

/// Runs of every shape, from one lcore for everything to more lcores than there are CPUs.
#[test]
fn the_law_holds_at_every_reading_of_every_shape() {
    let one_cpu = || vec![Value::from(cpus()[0] as i64)].into();
    let cases: [(&str, i64, i64, i64, i64, Value); 9] = [
        ("fused", 1, 1, 1, 1, one_cpu()),
        ("fused", 1, 1, 2, 1, all_cpus()),
        ("fused", 3, 3, 5, 2, all_cpus()),
        ("pipeline", 1, 1, 1, 1, one_cpu()),
        ("pipeline", 1, 1, 2, 1, all_cpus()),
        ("pipeline", 1, 2, 2, 2, all_cpus()),
        ("pipeline", 1, 3, 5, 1, one_cpu()),
        ("pipeline", 2, 3, 5, 2, all_cpus()),
        ("pipeline", 3, 2, 5, 2, one_cpu()),
    ];
    for (shape, ports, processings, lcores, outputs, cpus) in cases {
        let name = format!(
            "{shape}, {ports} ports, {processings} processings, {lcores} lcores, {outputs} outputs"
        );
        let mut setup = Setup::new()
            .set("topology.shape", shape)
            .set("topology.processing", processings)
            .set("topology.lcores", lcores)
            .set("topology.output", outputs)
            .set("topology.cpus", cpus)
            .set("buffers.ring_packets", 256);
        for port in 0..ports {
            setup = setup.vdev(&format!("net_null{port},size=300"));
        }
        let ended = watch(&name, setup.start()).stop();
        let stats = ended.stats();
        assert_eq!(
            stats.lcores.len() as i64,
            lcores.min(stages(shape, ports, processings, outputs))
        );
        // A source that can wait loses nothing.
        assert_eq!(stats.accounting.stored_packets, stats.accounting.received_packets, "{name}");
    }
}

fn stages(shape: &str, ports: i64, processings: i64, outputs: i64) -> i64 {
    match shape {
        "fused" => ports + outputs,
        _ => ports + processings + outputs,
    }
}

#[test]
fn the_law_holds_at_every_reading_of_looped_traffic() {
    let Some(mix) = captures::file("ndpi_gnutella.pcap") else { return };
    let vdev = format!("net_pcap0,rx_pcap={},infinite_rx=1", mix.display());
    for (shape, filter, snaplen) in
        [("fused", "", 262_144), ("pipeline", "udp or tcp portrange 1024-6345", 128)]
    {
        let setup = Setup::new()
            .set("topology.shape", shape)
            .set("topology.lcores", 3)
            .set("capture.filter", filter)
            .set("capture.snaplen_bytes", snaplen)
            // The driver keeps a copy of the whole file in them.
            .set("buffers.mbufs", 16_383)
            .vdev(&vdev);
        let ended = watch(&format!("{shape}, looped"), setup.start()).stop();
        let it = &ended.stats().accounting;
        assert_eq!(it.lost_packets, 0);
        assert_eq!(it.filtered_packets > 0, !filter.is_empty());
        assert_eq!(it.sliced_bytes > 0, snaplen == 128);
    }
}

/// Small rings, a Processing that has to share its CPU, and a source that does not wait.
#[test]
fn packets_that_find_a_ring_full_are_counted_and_told_in_the_file() {
    for processings in [1, 2] {
        let ended = Setup::new()
            .set("topology.shape", "pipeline")
            .set("topology.processing", processings)
            .set("topology.lcores", processings + 2)
            .set("buffers.ring_packets", 64)
            .set("capture.stop_after_packets", 300_000)
            .port("net_null0,size=200", &[("when_full", "drop".into())])
            .run();
        let stats = ended.stats();
        let lost = stats.accounting.lost.ring_full_packets;
        assert!(lost > 0, "nothing was lost: {:#?}", stats.accounting);
        assert_eq!(stats.accounting.lost_packets, lost);
        assert_eq!(stats.rings.iter().map(|ring| ring.lost_packets).sum::<u64>(), lost);
        // That the statistics tell all of them is asserted of every capture that is read.
        let capture = ended.capture();
        assert_eq!(capture.segments.len(), 1);
        let told = capture.packets().map(|packet| packet.dropped).sum::<u64>();
        let [statistics] = capture.segments[0].statistics[..] else { panic!("one interface") };
        let osdrop = statistics.osdrop.unwrap();
        assert!(told > 0 && told <= osdrop, "{told} told by packets, {osdrop} in all");
        // Only what was lost after the last packet is told by the statistics alone.
        let trailing = osdrop - told;
        assert!(trailing < 300_000 - stats.accounting.stored_packets, "{trailing} of {osdrop}");
        assert_eq!(told + trailing, lost);
    }
}

/// No block is free as long as the compressor has them all.
#[test]
fn packets_that_find_no_block_are_counted_and_told_in_the_file() {
    let ended = Setup::new()
        .set("topology.shape", "fused")
        .set("topology.lcores", 2)
        .set("buffers.blocks", 3)
        .set("buffers.block_bytes", 1 << 19)
        .set("output.compression_level", 15)
        .set("capture.stop_after_packets", 200_000)
        .port("net_null0,size=400", &[("when_full", "drop".into())])
        .run();
    let stats = ended.stats();
    let lost = stats.accounting.lost.pool_exhausted_packets;
    assert!(lost > 0, "nothing was lost: {:#?}", stats.accounting);
    assert!(stats.buffers.block_denials > 0);
    let capture = ended.capture();
    assert!(capture.packets().map(|packet| packet.dropped).sum::<u64>() > 0);
}

#[test]
fn it_stops_after_exactly_as_many_packets_as_told() {
    for (shape, ports, packets) in
        [("fused", 1, 12_345), ("pipeline", 1, 12_345), ("fused", 3, 100_003), ("pipeline", 3, 7)]
    {
        let mut setup = Setup::new()
            .set("topology.shape", shape)
            .set("topology.lcores", 3)
            .set("topology.cpus", all_cpus())
            .argument("--stop-after-packets")
            .argument(packets.to_string());
        for port in 0..ports {
            setup = setup.vdev(&format!("net_null{port}"));
        }
        let ended = setup.run();
        let it = &ended.stats().accounting;
        assert_eq!((it.received_packets, it.stored_packets), (packets, packets), "{shape} {ports}");
        assert_eq!(ended.capture().packets().count() as u64, packets);
    }
}

#[test]
fn two_sources_are_told_apart() {
    let Some(folder) = captures::folder() else { return };
    let names = ["ndpi_bittorrent.pcap", "zeek_modbus_big.pcap"];
    let sources = names.map(|name| captures::read(&folder.join(name)).unwrap().packets);
    let mut setup = Setup::new()
        .set("topology.shape", "pipeline")
        .set("topology.processing", 2)
        .set("topology.lcores", 4)
        .set("capture.stop_after_idle_seconds", 2.0);
    for (port, name) in names.into_iter().enumerate() {
        setup = setup.vdev(&format!("net_pcap{port},rx_pcap={}", folder.join(name).display()));
    }
    let ended = setup.run();
    let capture = ended.capture();
    for (port, source) in sources.iter().enumerate() {
        assert_eq!(ended.stats().ports[port].received_packets, source.len() as u64);
        let mut stored: Vec<&[u8]> =
            capture.of_interface(port).into_iter().map(|packet| &packet.data[..]).collect();
        let mut expected: Vec<&[u8]> = source.iter().map(|packet| &packet.data[..]).collect();
        stored.sort_unstable();
        expected.sort_unstable();
        assert!(stored == expected, "{}", names[port]);
    }
}

/// What libpcap's own filter keeps, by the counts of tcpdump.
#[test]
fn filtered_packets_are_those_that_tcpdump_would_leave_out() {
    let Some(folder) = captures::folder() else { return };
    let name = "mix_ndpi_merged.pcap";
    let source = captures::read(&folder.join(name)).unwrap();
    let table = std::fs::read_to_string(folder.join("bpf_expected.tsv")).unwrap();
    let rows: Vec<(&str, u64)> = table
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[0] == name)
        .map(|row| (row[1], row[2].parse().unwrap()))
        // Those that leave nothing in or out show little.
        .filter(|(_, packets)| (1..source.packets.len() as u64).contains(packets))
        .collect();
    assert!(rows.len() > 10, "{} filters", rows.len());
    let chosen = if is_full() { rows.len() } else { 6 };
    for (filter, packets) in &rows[..chosen] {
        let ended = Setup::new()
            .vdev(&format!("net_pcap0,rx_pcap={}", folder.join(name).display()))
            .set("capture.stop_after_packets", source.packets.len() as i64)
            .argument("--filter")
            .argument(*filter)
            .run();
        let it = &ended.stats().accounting;
        assert_eq!(it.stored_packets, *packets, "{filter}");
        assert_eq!(it.filtered_packets, source.packets.len() as u64 - packets, "{filter}");
        assert_eq!(ended.capture().packets().count() as u64, *packets);
    }
}

#[test]
fn what_the_snaplen_cuts_is_counted_and_the_wire_length_kept() {
    let Some(mix) = captures::file("ndpi_443-firefox.pcap") else { return };
    let source = captures::read(&mix).unwrap().packets;
    for snaplen in [1, 96, 1_000] {
        let ended = Setup::new()
            .vdev(&format!("net_pcap0,rx_pcap={}", mix.display()))
            .set("capture.stop_after_packets", source.len() as i64)
            .argument("--snaplen")
            .argument(snaplen.to_string())
            .run();
        let capture = ended.capture();
        let sum = |of: fn(usize, usize) -> usize| -> u64 {
            source.iter().map(|packet| of(packet.data.len(), snaplen) as u64).sum()
        };
        let it = &ended.stats().accounting;
        assert_eq!(it.stored_bytes, sum(usize::min));
        assert_eq!(it.sliced_bytes, sum(usize::saturating_sub));
        assert_eq!(capture.segments[0].interfaces[0].snaplen_bytes as usize, snaplen);
        for (stored, packet) in capture.packets().zip(&source) {
            assert_eq!(stored.wire_bytes as usize, packet.data.len());
            assert!(packet.data.starts_with(&stored.data));
            assert_eq!(stored.data.len(), packet.data.len().min(snaplen));
        }
    }
}

/// Minutes of load on everything at once.
#[test]
fn the_law_holds_for_long() {
    if !is_full() {
        return skip("the long run (set WEIR_FULL=1)");
    }
    let mut setup = Setup::new()
        .set("topology.shape", "pipeline")
        .set("topology.processing", 3)
        .set("topology.output", 2)
        .set("topology.lcores", 5)
        .set("topology.cpus", all_cpus())
        .set("buffers.ring_packets", 64)
        .set("output.segment_bytes_max", 1 << 20);
    for port in 0..3 {
        let when_full = if port == 0 { "drop" } else { "hold" };
        setup = setup.port(&format!("net_null{port},size=600"), &[("when_full", when_full.into())]);
    }
    let mut weir = setup.start();
    let mut last = weir.client().stats();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(120) {
        let mut client = weir.client();
        for _ in 0..1_000 {
            let stats = client.stats();
            law::assert_holds(&stats);
            law::assert_not_before(&last, &stats);
            last = stats;
        }
    }
    weir.stop().stats();
}

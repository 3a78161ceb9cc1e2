//! Promise: what goes in comes out. Every shared capture is replayed through `net_pcap`, thirty
//! ports at a time, and every packet is compared with its source: bytes, lengths, time, order.

mod differences;

use std::collections::BTreeMap;

use weir_model::LinkType;
use weir_packet::{FlowKey, Fragment, decode_outer};

use self::differences::{DIFFERENCES, ETHERNET, Effect, apply_all, is_passed_over, is_refused};
use crate::support::captures::{Row, Source, SourcePacket, folder, manifest, read};
use crate::support::segment::{Capture, IF_NAME, Packet};
use crate::support::tools;
use crate::support::weir::{Ended, Setup, cpus};

/// As many ports as one run takes: DPDK here has room for 32.
const PORTS: usize = 30;

/// A packet as both sides of the comparison have it: time, wire length, bytes.
type Comparable<'a> = (i128, u32, &'a [u8]);

fn of_source(packet: &SourcePacket) -> Comparable<'_> {
    (packet.ns, packet.wire_bytes, &packet.data)
}

fn of_file(packet: &Packet) -> Comparable<'_> {
    (i128::from(packet.ns), packet.wire_bytes, &packet.data)
}

/// Returns every capture that the driver opens, as libpcap reads it.
fn sources() -> Option<Vec<(Row, Source)>> {
    let rows = manifest(&folder()?);
    let opened = rows.into_iter().filter(|row| !is_refused(row));
    Some(
        opened
            .map(|row| {
                let source = read(&row.path).unwrap_or_else(|why| panic!("{}: {why}", row.name));
                (row, source)
            })
            .collect(),
    )
}

/// Replays files, each on a port of its own, and returns what came of it.
fn replay(batch: &[(Row, Source)], setup: Setup) -> Ended {
    let mut setup = setup.set("buffers.ring_packets", 64);
    for (port, (row, _)) in batch.iter().enumerate() {
        let link = setup.path(&format!("capture{port}"));
        std::os::unix::fs::symlink(std::fs::canonicalize(&row.path).unwrap(), &link).unwrap();
        setup = setup.vdev(&format!("net_pcap{port},rx_pcap={}", link.display()));
    }
    let expected: usize = batch.iter().map(|(_, source)| source.packets.len()).sum();
    let mut weir = setup.start();
    weir.wait_until("every packet is received", |stats| {
        stats.accounting.received_packets >= expected as u64
    });
    let ended = weir.stop();
    let stats = ended.stats();
    assert_eq!(stats.accounting.received_packets, expected as u64);
    assert_eq!(stats.accounting.lost_packets, stats.accounting.lost.malformed_mbuf_packets);
    ended
}

fn assert_interfaces(capture: &Capture, batch: &[(Row, Source)]) {
    for segment in &capture.segments {
        assert_eq!(segment.interfaces.len(), batch.len());
        for (port, interface) in segment.interfaces.iter().enumerate() {
            assert_eq!(interface.text(IF_NAME), Some(&*format!("net_pcap{port}")));
            assert_eq!(interface.link_type, ETHERNET);
        }
    }
}

/// Asserts that tshark sees the same packets as our reader of the files.
fn assert_tshark_agrees(capture: &Capture) {
    let fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_id"];
    for segment in &capture.segments {
        let Some(lines) = tools::tshark(&segment.path, &fields) else { return };
        let expected = segment.packets.iter().map(|packet| {
            let (seconds, ns) = (packet.ns / 1_000_000_000, packet.ns % 1_000_000_000);
            let (wire, captured) = (packet.wire_bytes, packet.data.len());
            format!("{seconds}.{ns:09}\t{wire}\t{captured}\t{}", packet.interface)
        });
        assert_eq!(lines.len(), segment.packets.len());
        for (index, (line, expected)) in lines.iter().zip(expected).enumerate() {
            assert_eq!(*line, expected, "packet {index} of {}", segment.path.display());
        }
    }
}

#[test]
fn one_worker_keeps_every_packet_in_order() {
    let Some(sources) = sources() else { return };
    for batch in sources.chunks(PORTS) {
        let ended = replay(batch, Setup::new().set("topology.lcores", 1));
        let capture = ended.capture();
        assert_interfaces(&capture, batch);
        for (port, (row, source)) in batch.iter().enumerate() {
            let (stored, expected) = (capture.of_interface(port), apply_all(source));
            assert!(stored.iter().all(|packet| packet.queue == Some(0)));
            let stored: Vec<Comparable> = stored.into_iter().map(of_file).collect();
            let expected: Vec<Comparable> = expected.packets.iter().map(of_source).collect();
            assert_same(&stored, &expected, &row.name);
        }
        assert_tshark_agrees(&capture);
    }
}

#[test]
fn two_processings_keep_every_packet_and_the_order_of_each_flow() {
    let Some(sources) = sources() else { return };
    let mut packets_by_processing = [0; 2];
    for batch in sources.chunks(PORTS) {
        let all = cpus().into_iter().map(|cpu| toml::Value::from(cpu as i64)).collect::<Vec<_>>();
        let setup = Setup::new()
            .set("topology.shape", "pipeline")
            .set("topology.processing", 2)
            .set("topology.lcores", 3)
            .set("topology.cpus", all);
        let ended = replay(batch, setup);
        for stage in ended.stats().lcores.iter().flat_map(|lcore| &lcore.stages) {
            if let Some(number) = stage.stage.strip_prefix("processing ") {
                packets_by_processing[number.parse::<usize>().unwrap()] += stage.taken_packets;
            }
        }
        let capture = ended.capture();
        assert_interfaces(&capture, batch);
        for (port, (row, source)) in batch.iter().enumerate() {
            let expected = apply_all(source);
            let stored: Vec<Comparable> =
                capture.of_interface(port).into_iter().map(of_file).collect();
            let expected: Vec<Comparable> = expected.packets.iter().map(of_source).collect();
            assert_same(&sorted(&stored), &sorted(&expected), &row.name);
            let (stored, mut expected) = (by_flow(&stored), by_flow(&expected));
            for (key, packets) in &stored {
                let expected = expected.remove(key).unwrap_or_default();
                assert_same(packets, &expected, &format!("{}, flow {key:?}", row.name));
            }
        }
    }
    let [one, other] = packets_by_processing;
    assert!(one.min(other) > one.max(other) / 4, "unfairly spread: {one} and {other}");
}

fn sorted<'a>(packets: &[Comparable<'a>]) -> Vec<Comparable<'a>> {
    let mut sorted = packets.to_vec();
    sorted.sort_unstable();
    sorted
}

/// A flow, and whether these are its fragments: all fragments between two hosts keep their order
/// among each other, which the flow's other packets do not share.
type OrderedFlow = (FlowKey, bool);

fn by_flow<'a>(packets: &[Comparable<'a>]) -> BTreeMap<OrderedFlow, Vec<Comparable<'a>>> {
    let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for packet in packets {
        let outer = decode_outer(LinkType::ETHERNET, packet.2).outer;
        if let Some(flow) = outer.flow {
            let is_fragment = outer.fragment != Fragment::None;
            flows.entry((flow.key, is_fragment)).or_default().push(*packet);
        }
    }
    flows
}

/// Asserts that two lists of packets are the same, without printing them.
fn assert_same(stored: &[Comparable], expected: &[Comparable], what: &str) {
    assert_eq!(stored.len(), expected.len(), "packets of {what}");
    for (index, (stored, expected)) in stored.iter().zip(expected).enumerate() {
        let heads = |packet: &Comparable| (packet.0, packet.1, packet.2.len());
        assert_eq!(heads(stored), heads(expected), "packet {index} of {what}");
        let differs = stored.2.iter().zip(expected.2).position(|(one, other)| one != other);
        assert_eq!(differs, None, "a byte of packet {index} of {what}");
    }
}

#[test]
fn a_file_that_the_driver_does_not_open_is_named_by_its_port() {
    let Some(folder) = folder() else { return };
    let mut refused = 0;
    for row in manifest(&folder).iter().filter(|row| is_refused(row)) {
        assert!(read(&row.path).is_err(), "{} can be opened", row.name);
        let path = std::fs::canonicalize(&row.path).unwrap();
        let ended = Setup::new().vdev(&format!("net_pcap7,rx_pcap={}", path.display())).run();
        let (code, said) = ended.error();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.lines().any(|line| line.starts_with("weir: ") && line.contains("net_pcap7")));
        refused += 1;
    }
    assert!(refused > 0);
}

#[test]
fn every_listed_difference_occurs_and_no_other() {
    let Some(sources) = sources() else { return };
    for difference in DIFFERENCES {
        let (name, reason) = (difference.name, difference.reason);
        let (mut files, mut packets) = (0, 0);
        match difference.effect {
            Effect::Changes(change) => {
                for (_, source) in &sources {
                    let changed = change(&mut source.clone());
                    files += usize::from(changed > 0);
                    packets += changed;
                }
            }
            Effect::Refuses(names) => files += names.len(),
            Effect::PassesOver(names) => {
                files += names.len();
                for (row, source) in sources.iter().filter(|(row, _)| is_passed_over(row)) {
                    assert!(!source.errors.is_empty(), "{} is read whole", row.name);
                    packets += row.packets.unwrap_or(0).saturating_sub(source.packets.len());
                }
            }
        }
        println!("{name}: {files} files, {packets} packets: {reason}");
        assert!(files > 0, "{name} does not occur");
    }
    // capinfos counted the same packets, and the same packets cut, where all can be read.
    for (row, source) in sources.iter().filter(|(row, _)| !is_passed_over(row)) {
        assert!(source.errors.is_empty(), "{}: {:?}", row.name, source.errors);
        let Some(packets) = row.packets else { continue };
        assert_eq!(packets, source.packets.len(), "{}", row.name);
        let is_cut = |packet: &&SourcePacket| packet.wire_bytes as usize > packet.data.len();
        let cut = source.packets.iter().filter(is_cut).count();
        let told = row.truncated_packets.unwrap_or(0);
        assert!(cut >= told, "{}: {cut} packets are cut, capinfos says {told}", row.name);
    }
}

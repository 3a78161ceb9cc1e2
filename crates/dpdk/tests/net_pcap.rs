//! `net_pcap`: what is received of a capture file is what the file holds, bytes and times; in
//! mbufs that a packet fits into, and in small ones that make chains of most packets.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{captures, eal, pool, pool_of};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use weir_dpdk::{
    Burst, Counter, DriverKind, Mempool, MempoolConfig, Port, PortConfig, RxQueue, StartError, ring,
};
use weir_model::{
    BURST_PACKETS_MAX, Burst as _, BurstReceiver, BurstSender, PacketSource, Timestamp,
    TimestampSource,
};

/// Captures of every kind that the driver opens: both byte orders, both resolutions, pcapng,
/// VLAN stacks, jumbo frames, packets that were cut, and link types other than Ethernet.
const CAPTURES: [&str; 22] = [
    "arkime_bigendian.pcap",
    "arkime_dot1ad.pcap",
    "arkime_mpls-basic.pcap",
    "arkime_twovlan.pcap",
    "chrissanders_arppoison.pcapng",
    "mix_ndpi_merged.pcap",
    "ndpi_bacnet.pcapng",
    "ndpi_fuzz-2006-06-26-2594.pcap",
    "ndpi_rtp.pcapng",
    "ndpi_zoom_p2p_nsec.pcap",
    "tcpdump_bigtcp-ipv6.pcap",
    "tcpdump_gso-ipv4.pcap",
    "tcpdump_ipv6_jumbogram_1.pcap",
    "tcpdump_tcp-handshake-nano.pcap",
    "tcpreplay_test.pcap",
    "tcpreplay_vlan8021ad_be.pcap",
    "zeek_linux_sll2.pcap",
    "zeek_nanosec_get_to_ssh.pcap",
    "zeek_tcp_snaplen_truncated.pcap",
    "zeek_vlan_pcp_dei.pcapng",
    "zeek_vlan_qinqinq.pcap",
    "zeek_vxlan_jumbo_http.pcap",
];

/// The longest packet that the driver puts together right: it keeps lengths in 16 bits.
const PACKET_BYTES_MAX: usize = 65_535;
/// A data room that holds 200 bytes of a packet.
const SMALL_ROOM_BYTES: u16 = MempoolConfig::HEADROOM_BYTES + 200;

struct Expected {
    bytes: Vec<u8>,
    time: Timestamp,
}

#[test]
fn files_byte_for_byte() {
    let Some(folder) = captures() else { return };
    let made = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = CAPTURES.iter().map(|name| folder.join(name)).collect();
    files.push(odd_lengths(made.path()));
    files.push(many(made.path()));
    let vdevs: Vec<String> = files.iter().enumerate().map(|(n, file)| vdev(n, file, "")).collect();
    let mut args: Vec<&str> = vdevs.iter().map(String::as_str).collect();
    let endless = vdev(27, &files[0], ",infinite_rx=1");
    let twice = format!("--vdev=net_pcap28,rx_pcap={0},rx_pcap={0}", files[0].display());
    let missing = "--vdev=net_pcap29,rx_pcap=/nonexistent/x.pcap";
    args.extend([endless.as_str(), twice.as_str(), missing]);
    let eal = eal(&args);
    let large = pool(&eal, "large", 8191);
    let small = pool_of(&eal, "small", 65_535, SMALL_ROOM_BYTES);

    for (n, file) in files.iter().enumerate() {
        let expected = read(file);
        let mut port = Port::by_name(&eal, &format!("net_pcap{n}")).unwrap();
        for pool in [&large, &small] {
            port = receive_all(port, pool, &expected, file, &eal);
        }
    }
    assert!(Port::by_name(&eal, "net_pcap29").unwrap_err().to_string().contains("net_pcap29"));
    endlessly(&eal, &large, read(&files[0]).len());
    two_queues(&eal, &large, read(&files[0]).len());
}

fn vdev(number: usize, file: &Path, more: &str) -> String {
    format!("--vdev=net_pcap{number},rx_pcap={}{more}", file.display())
}

/// Receives the whole file; half of it over a ring.
fn receive_all(
    port: Port,
    pool: &Mempool,
    expected: &[Expected],
    file: &Path,
    eal: &weir_dpdk::Eal,
) -> Port {
    assert_eq!(port.info().kind, DriverKind::PcapFile { infinite: false });
    assert_eq!(port.info().kernel_interface, None);
    let (mut started, mut queues) = port.start(&PortConfig::default(), pool).unwrap();
    assert_eq!(started.timestamp_source(), Some(TimestampSource::Pmd));
    let mut queue = queues.pop().unwrap();
    let (mut sender, mut receiver) = ring::channel(eal, "half", 128, None).unwrap();
    let mut burst = Burst::default();
    let mut at = 0;
    let mut polls = 0;
    while queue.receive_into(&mut burst, BURST_PACKETS_MAX) > 0 {
        let len = burst.len();
        assert!(at + len <= expected.len(), "{}: more packets than it has", file.display());
        polls += 1;
        for index in 0..len {
            let time = expected[at + index].time;
            assert_eq!(burst.source_timestamp(index), Some(time), "{}", file.display());
        }
        if polls % 2 == 0 {
            for index in 0..len {
                let moved = expected[at + index].time.saturating_add_ns(1);
                burst.set_timestamp(index, moved);
            }
            assert_eq!(sender.send(&mut burst), len);
            assert_eq!(receiver.receive_into(&mut burst), len);
            assert!((0..len).all(|index| burst.source_timestamp(index).is_none()));
        }
        for index in 0..len {
            let moved_ns = u64::from(polls % 2 == 0);
            compare(&burst, index, &expected[at + index], moved_ns, file);
        }
        at += len;
    }
    assert_eq!(at, expected.len(), "{}", file.display());
    let counters = started.read_counters();
    assert_eq!(counters.received_packets, Counter::Known(at as u64));
    assert_eq!(counters.missed_packets, Counter::Known(0));
    assert_eq!(counters.errors, Counter::Known(0));
    assert_eq!(counters.no_mbuf, Counter::Known(0));
    drop((burst, queue));
    let port = started.stop().unwrap();
    assert_eq!(pool.available_mbufs(), pool.size(), "{}", file.display());
    port
}

fn compare(burst: &Burst, index: usize, expected: &Expected, moved_ns: u64, file: &Path) {
    let place = format!("{}, a packet of {} bytes", file.display(), expected.bytes.len());
    assert_eq!(burst.wire_bytes(index) as usize, expected.bytes.len(), "{place}");
    let Ok(frame) = burst.frame(index) else {
        assert!(expected.bytes.len() > PACKET_BYTES_MAX, "{place}: malformed");
        return;
    };
    let mut out = vec![0; expected.bytes.len() + 1];
    let copied = frame.copy_to(&mut out);
    assert!(out[..copied] == expected.bytes, "{place}: other bytes");
    assert_eq!(frame.captured_bytes as usize, copied, "{place}");
    assert_eq!(frame.timestamp, expected.time.saturating_add_ns(moved_ns), "{place}");
}

/// Reads a capture with another reader than the driver's.
fn read(file: &Path) -> Vec<Expected> {
    let bytes = fs::read(file).unwrap();
    // Of classic captures, the magic number says whether there are nanoseconds.
    let nanoseconds = matches!(bytes[..4], [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d]);
    let mut reader = create_reader(1 << 20, &bytes[..]).unwrap();
    let mut interfaces = Vec::new();
    let mut packets = Vec::new();
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::Legacy(record) => {
                        let us = record.ts_usec / if nanoseconds { 1_000 } else { 1 };
                        packets.push(expected(
                            u64::from(record.ts_sec) * 1_000_000 + u64::from(us),
                            &record.data[..record.caplen as usize],
                        ));
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        interfaces.push(interface.ts_resolution().unwrap());
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                        let resolution = interfaces[packet.if_id as usize];
                        let us = u128::from(units) * 1_000_000 / u128::from(resolution);
                        let bytes = &packet.data[..packet.caplen as usize];
                        packets.push(expected(u64::try_from(us).unwrap(), bytes));
                    }
                    _ => {}
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return packets,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{}: {error:?}", file.display()),
        }
    }
}

fn expected(us: u64, bytes: &[u8]) -> Expected {
    Expected { bytes: bytes.to_vec(), time: Timestamp::from_us(us) }
}

/// Writes a classic capture of packets with these lengths.
fn write(file: PathBuf, lengths: impl IntoIterator<Item = usize>) -> PathBuf {
    let mut bytes = Vec::new();
    for field in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1_u32] {
        bytes.extend(field.to_le_bytes());
    }
    for (n, length) in lengths.into_iter().enumerate() {
        for field in [1_700_000_000 + n as u32, n as u32 % 1_000_000, length as u32, length as u32]
        {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend((0..length).map(|at| (at + n) as u8));
    }
    fs::write(&file, bytes).unwrap();
    file
}

/// Lengths at which something happens: none, less than a header, one mbuf and a byte more, and
/// more than 16 bits hold, which the driver gets wrong.
fn odd_lengths(folder: &Path) -> PathBuf {
    let lengths =
        [0, 1, 13, 14, 60, 199, 200, 201, 400, 2047, 2048, 2049, 9000, 65_535, 65_536, 70_536, 64];
    write(folder.join("odd.pcap"), lengths)
}

fn many(folder: &Path) -> PathBuf {
    write(folder.join("many.pcap"), (0..20_000).map(|n| 60 + n % 1_400))
}

/// A file that starts over has no times, and no end.
fn endlessly(eal: &weir_dpdk::Eal, pool: &Mempool, packets: usize) {
    let port = Port::by_name(eal, "net_pcap27").unwrap();
    assert_eq!(port.info().kind, DriverKind::PcapFile { infinite: true });
    let (started, mut queues) = port.start(&PortConfig::default(), pool).unwrap();
    assert_eq!(started.timestamp_source(), None);
    let mut burst = Burst::default();
    let mut received = 0;
    while received < packets * 3 {
        received += queues[0].receive_into(&mut burst, BURST_PACKETS_MAX);
        for index in 0..burst.len() {
            assert_eq!(burst.source_timestamp(index), None);
        }
    }
}

/// A device of two files has two queues, and not three.
fn two_queues(eal: &weir_dpdk::Eal, pool: &Mempool, packets: usize) {
    let config = |rx_queues| PortConfig { rx_queues, ..PortConfig::default() };
    let port = Port::by_name(eal, "net_pcap28").unwrap();
    assert_eq!(port.info().rx_queues_max, 2);
    let error = port.start(&config(3), pool).unwrap_err();
    assert!(matches!(error, StartError::TooManyQueues { rx_queues: 3, rx_queues_max: 2, .. }));
    let port = Port::by_name(eal, "net_pcap28").unwrap();
    let (mut started, queues) = port.start(&config(2), pool).unwrap();
    assert_eq!(queues.len(), 2);
    let drain = |mut queue: RxQueue| {
        let mut burst = Burst::default();
        let mut received = 0;
        while queue.receive_into(&mut burst, 5) > 0 {
            received += burst.len();
        }
        received
    };
    let received: Vec<usize> = queues.into_iter().map(drain).collect();
    assert_eq!(received, [packets, packets]);
    assert_eq!(started.read_counters().received_packets, Counter::Known(2 * packets as u64));
}

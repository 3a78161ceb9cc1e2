//! Ports on kernel interfaces, in a network namespace: loss is told or is unknown and never 0, and
//! a link that is down is down.
//!
//! The drivers are net_af_packet, net_pcap on an interface, and net_tap; net_af_xdp has a test of
//! its own.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;
#[path = "common/netns.rs"]
mod netns;

use std::time::{Duration, Instant};

use common::{eal, pool};
use netns::{Sender, inside, ip, numbered_frame, wire};
use weir_dpdk::{
    Burst, Counter, DriverKind, Eal, Mempool, NicCounters, Port, PortConfig, RxQueue, StartError,
    StartedPort,
};
use weir_model::{BURST_PACKETS_MAX, Burst as _, PacketSource, Timestamp, TimestampSource};

#[test]
fn kernel_ports() {
    if !inside("kernel_ports") {
        return;
    }
    for pair in ["p", "q", "c", "j"] {
        wire(&format!("{pair}0"), &format!("{pair}1"));
    }
    ip(&["link", "set", "j1", "mtu", "3000"]);
    let eal = eal(&[
        "--vdev=net_af_packet0,iface=p1",
        "--vdev=net_af_packet1,iface=j1",
        "--vdev=net_af_packet2,iface=q1,qpairs=2",
        "--vdev=net_af_packet3,iface=no-such-interface",
        "--vdev=net_pcap0,rx_iface=c1",
        "--vdev=net_pcap1,rx_iface=p1",
        "--vdev=net_tap0,iface=weirtap",
    ]);
    let pool = pool(&eal, "kernel", 8191);
    assert!(Port::by_name(&eal, "net_af_packet3").unwrap_err().to_string().contains("packet3"));
    let times = pcap_interface(&eal, &pool);
    assert!(times > 0);
    jumbo_frames_are_refused(&eal, &pool);
    af_packet_with_two_queues(&eal, &pool);
    af_packet(&eal, &pool);
    tap(&eal, &pool);
}

fn start(eal: &Eal, pool: &Mempool, name: &str, kind: DriverKind) -> (StartedPort, RxQueue) {
    let port = Port::by_name(eal, name).unwrap();
    assert_eq!(port.info().kind, kind);
    assert!(!port.info().is_lossless());
    assert!(port.info().kernel_interface.is_some());
    let (started, mut queues) = port.start(&PortConfig::default(), pool).unwrap();
    (started, queues.pop().unwrap())
}

/// Receives until nothing has come for a while, and returns how many packets came. They must be
/// in order.
fn drain(queue: &mut RxQueue) -> u64 {
    let mut burst = Burst::default();
    let mut received = 0;
    let mut last = None;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < Duration::from_millis(300) {
        if queue.receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
            std::thread::yield_now();
            continue;
        }
        quiet_since = Instant::now();
        received += burst.len() as u64;
        for index in 0..burst.len() {
            let frame = burst.frame(index).unwrap();
            let number = u64::from_be_bytes(frame.head[14..22].try_into().unwrap());
            assert_eq!(frame.head, numbered_frame(number));
            assert!(last.is_none_or(|last| last < number), "out of order");
            last = Some(number);
        }
    }
    received
}

/// Sends more than the port holds before anyone polls, and checks that what is missing is told.
fn overrun(
    port: &mut StartedPort,
    queue: &mut RxQueue,
    sender: &Sender,
    count: u64,
) -> NicCounters {
    assert_eq!(drain(queue), 0, "someone else sends here");
    let before = port.read_counters().missed_packets;
    assert_eq!(before, Counter::Known(0));
    sender.send_many(count);
    let received = drain(queue);
    let counters = port.read_counters();
    println!("{}: {received} of {count} received, {counters:?}", port.name());
    assert!(received > 0 && received < count, "{received} of {count}");
    assert_eq!(counters.received_packets, Counter::Known(received));
    assert_eq!(counters.missed_packets, Counter::Known(count - received), "lost and not told");
    // Reading again resets nothing, and what is polled in time is not missed.
    sender.send_many(100);
    assert_eq!(drain(queue), 100);
    assert_eq!(port.read_counters().missed_packets, counters.missed_packets);
    assert_eq!(port.read_counters().steps_back, 0);
    counters
}

fn af_packet(eal: &Eal, pool: &Mempool) {
    let (mut port, mut queue) = start(eal, pool, "net_af_packet0", DriverKind::AfPacket);
    assert_eq!(port.timestamp_source(), None);
    let sender = Sender::on("p0");
    // The driver's ring has 512 frames, and the kernel's last one stays its own.
    overrun(&mut port, &mut queue, &sender, 5_000);
    link_follows_the_interface(&port, "p0");
    tags(&sender, &mut queue);
    ip(&["link", "del", "p0"]);
    eventually(|| port.link().interface_gone);
    assert!(!port.link().up);
    assert!(port.read_counters().missed_packets.known().is_some_and(|missed| missed > 0));
}

fn link_follows_the_interface(port: &StartedPort, peer: &str) {
    eventually(|| port.link().up);
    ip(&["link", "set", peer, "down"]);
    eventually(|| !port.link().up);
    assert!(!port.link().interface_gone);
    ip(&["link", "set", peer, "up"]);
    eventually(|| port.link().up);
}

fn eventually(holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(1), "not within a second");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The kernel takes a tag out and the driver puts it back, as 8100 whatever it was.
fn tags(sender: &Sender, queue: &mut RxQueue) {
    for (sent, expected) in [([0x81, 0x00], [0x81, 0x00]), ([0x88, 0xa8], [0x81, 0x00])] {
        let plain = numbered_frame(1);
        let tagged = |tpid: [u8; 2]| [&plain[..12], &tpid, &[0x20, 0x64], &plain[12..]].concat();
        assert!(sender.send(&tagged(sent)));
        let mut burst = Burst::default();
        let start = Instant::now();
        while queue.receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
            assert!(start.elapsed() < Duration::from_secs(1));
        }
        let mut out = [0; 100];
        let copied = burst.frame(0).unwrap().copy_to(&mut out);
        assert_eq!(out[..copied], tagged(expected));
    }
}

/// Each queue of the driver has a socket, and the port's count is of both.
fn af_packet_with_two_queues(eal: &Eal, pool: &Mempool) {
    let port = Port::by_name(eal, "net_af_packet2").unwrap();
    assert_eq!(port.info().rx_queues_max, 2);
    let config = PortConfig { rx_queues: 2, ..PortConfig::default() };
    let (mut port, mut queues) = port.start(&config, pool).unwrap();
    let sender = Sender::on("q0");
    sender.send_many(5_000);
    let received: u64 = queues.iter_mut().map(drain).sum();
    assert_eq!(port.read_counters().missed_packets, Counter::Known(5_000 - received));
}

fn jumbo_frames_are_refused(eal: &Eal, pool: &Mempool) {
    let port = Port::by_name(eal, "net_af_packet1").unwrap();
    let error = port.start(&PortConfig::default(), pool).unwrap_err();
    let StartError::FramesCut { interface, mtu: 3000, frame_bytes: 3018, room_bytes: 1982, .. } =
        &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(interface, "j1");
    ip(&["link", "set", "j1", "mtu", "1500"]);
    let port = Port::by_name(eal, "net_af_packet1").unwrap();
    let (port, mut queues) = port.start(&PortConfig::default(), pool).unwrap();
    // A frame as long as there can be now comes whole, with its tag.
    let mut frame = numbered_frame(7);
    frame.resize(1514, 0x5a);
    assert!(Sender::on("j0").send(&frame));
    let mut burst = Burst::default();
    let start = Instant::now();
    while queues[0].receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(burst.frame(0).unwrap().contiguous(), Some(&frame[..]));
    assert_eq!(port.info().kernel_interface.as_ref().unwrap().name, "j1");
}

/// Returns the newest time that came, in nanoseconds.
fn pcap_interface(eal: &Eal, pool: &Mempool) -> u64 {
    let (mut port, mut queue) = start(eal, pool, "net_pcap0", DriverKind::PcapInterface);
    assert_eq!(port.timestamp_source(), Some(TimestampSource::Pmd));
    let sender = Sender::on("c0");
    overrun(&mut port, &mut queue, &sender, 100_000);

    let before = now();
    sender.send_many(1);
    let mut burst = Burst::default();
    let start = Instant::now();
    while queue.receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    let time = burst.source_timestamp(0).unwrap();
    assert_eq!(burst.frame(0).unwrap().timestamp, time);
    // The driver's times are cut to microseconds.
    assert!(before.as_ns() <= time.as_ns() + 1_000 && time <= now(), "{before} {time}");
    link_follows_the_interface(&port, "c0");
    assert_eq!(port.read_counters().errors, Counter::Known(0));
    drop(burst);
    ip(&["link", "del", "c0"]);
    eventually(|| port.link().interface_gone);
    // The driver now counts an error with every poll; they are no packets.
    let mut burst = Burst::default();
    for _ in 0..1_000 {
        queue.receive_into(&mut burst, BURST_PACKETS_MAX);
    }
    assert!(matches!(port.read_counters().errors, Counter::Unknown(_)));
    time.as_ns()
}

fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_ns(u64::try_from(now.as_nanos()).unwrap())
}

fn tap(eal: &Eal, pool: &Mempool) {
    let (mut port, mut queue) = start(eal, pool, "net_tap0", DriverKind::Tap);
    assert_eq!(port.info().kernel_interface.as_ref().unwrap().name, "weirtap");
    let sender = Sender::on("weirtap");
    overrun(&mut port, &mut queue, &sender, 5_000);
}

//! net_af_xdp on a veth, in a network namespace: what an overrun loses is told exactly, whichever
//! of the driver's rings overflows.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;
#[path = "common/netns.rs"]
mod netns;

use std::time::{Duration, Instant};

use common::{eal, pool};
use netns::{Sender, inside, ip, numbered_frame, wire};
use weir_dpdk::{Burst, Counter, DriverKind, Eal, Port, PortConfig, RxQueue};
use weir_model::{BURST_PACKETS_MAX, Burst as _, PacketSource};

const FRAMES: u64 = 20_000;

#[test]
fn af_xdp() {
    if !inside("af_xdp") {
        return;
    }
    wire("x0", "x1");
    wire("y0", "y1");
    let eal = eal(&["--vdev=net_af_xdp0,iface=x1", "--vdev=net_af_xdp1,iface=y1"]);
    // Of the driver's 2,048 buffers all are waiting or received: the kernel finds none to fill,
    // and only the driver is told.
    overrun(&eal, "net_af_xdp0", "x0", 2_048);
    // There are buffers, and the receive ring is full: only the interface is told.
    overrun(&eal, "net_af_xdp1", "y0", 512);
}

fn overrun(eal: &Eal, name: &str, peer: &str, rx_descriptors: u16) {
    let pool = pool(eal, name, 16_383);
    let port = Port::by_name(eal, name).unwrap();
    assert_eq!(port.info().kind, DriverKind::AfXdp);
    assert!(!port.info().is_lossless());
    let config = PortConfig { rx_descriptors, ..PortConfig::default() };
    let (mut port, mut queues) = match port.start(&config, &pool) {
        Ok(started) => started,
        Err(error) => {
            println!("skipped: {error} (it takes a kernel with XDP sockets)");
            return;
        }
    };
    let mut queue = queues.pop().unwrap();
    assert_eq!(port.timestamp_source(), None);
    let sender = Sender::on(peer);
    let (mut received, mut sent) = (0, 0);
    for _ in 0..2 {
        sender.send_many(FRAMES);
        received += drain(&mut queue);
        sent += FRAMES;
        let counters = port.read_counters();
        println!("{name}: {received} of {sent} received, {counters:?}");
        assert!(received > 0 && received < sent);
        assert_eq!(counters.received_packets, Counter::Known(received));
        assert_eq!(counters.missed_packets, Counter::Known(sent - received), "lost and not told");
        assert!(matches!(counters.no_mbuf, Counter::Unknown(_)));
    }
    ip(&["link", "set", peer, "down"]);
    let start = Instant::now();
    while port.link().up {
        assert!(start.elapsed() < Duration::from_secs(1), "the link is down, and said to be up");
    }
}

/// Receives until nothing has come for a while. A poll of this driver may itself wait a second.
fn drain(queue: &mut RxQueue) -> u64 {
    let mut burst = Burst::default();
    let mut received = 0;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < Duration::from_millis(300) {
        if queue.receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
            continue;
        }
        quiet_since = Instant::now();
        received += burst.len() as u64;
        for index in 0..burst.len() {
            let frame = burst.frame(index).unwrap();
            let number = u64::from_be_bytes(frame.head[14..22].try_into().unwrap());
            assert_eq!(frame.contiguous(), Some(&numbered_frame(number)[..]));
        }
    }
    received
}

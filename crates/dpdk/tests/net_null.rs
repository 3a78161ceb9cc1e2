//! `net_null`: a million packets are received and freed, and the pool is as full as before.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use common::{eal, pool};
use weir_dpdk::{Burst, Counter, DriverKind, Port, PortConfig, PortError, StartError, StopError};
use weir_model::{BURST_PACKETS_MAX, Burst as _, PacketSource, Timestamp};

const PACKETS: u64 = 1_000_000;
const PACKET_BYTES: u32 = 64;

#[test]
fn a_port_from_start_to_stop() {
    let eal = eal(&["--vdev=net_null0,size=64,copy=1"]);
    let pool = pool(&eal, "net_null", 2047);

    missing_ports_are_named(&eal);
    let port = Port::by_name(&eal, "net_null0").unwrap();
    assert_eq!(port.info().kind, DriverKind::Null);
    assert_eq!(port.info().driver, "net_null");
    assert!(port.info().is_lossless());
    assert_eq!(
        Port::by_name(&eal, "net_null0").unwrap_err(),
        PortError::InUse { name: "net_null0".to_owned() }
    );
    let too_many = port.start(&PortConfig { rx_queues: 9_999, ..config() }, &pool).unwrap_err();
    assert!(matches!(too_many, StartError::TooManyQueues { rx_queues: 9_999, .. }), "{too_many}");

    let mut port = Port::by_name(&eal, "net_null0").unwrap();
    for round in 0..100 {
        let (started, queues) = port.start(&config(), &pool).unwrap();
        let started = match started.stop() {
            Err(StopError::QueuesInUse { queues: 1, port }) => *port,
            other => panic!("round {round}: {other:?}"),
        };
        drop(queues);
        port = started.stop().unwrap();
    }

    let (mut started, mut queues) = port.start(&config(), &pool).unwrap();
    let mut queue = queues.pop().unwrap();
    assert_eq!(started.timestamp_source(), None);
    let before = pool.available_mbufs();
    let received = receive(&mut queue, PACKETS);
    assert_eq!(pool.available_mbufs(), before);

    let counters = started.read_counters();
    assert_eq!(counters.received_packets, Counter::Known(received));
    assert_eq!(counters.missed_packets, Counter::Known(0));
    assert!(matches!(counters.no_mbuf, Counter::Unknown(_)));
    assert!(started.link().up);
    assert_eq!(started.link().speed_mbps, None, "net_null has no speed");
    assert!(
        started
            .xstats()
            .iter()
            .any(|(name, value)| { name == "rx_good_packets" && *value == received })
    );

    an_emptied_pool_recovers(&mut queue, &pool);
    a_burst_outlives_everything_else(eal, started, queue);
}

fn config() -> PortConfig {
    PortConfig { rx_descriptors: 512, ..PortConfig::default() }
}

fn missing_ports_are_named(eal: &weir_dpdk::Eal) {
    let missing = Port::by_name(eal, "net_null7").unwrap_err();
    assert_eq!(
        missing,
        PortError::NotFound { name: "net_null7".to_owned(), present: vec!["net_null0".to_owned()] }
    );
    assert!(missing.to_string().contains("net_null7"));
    let address = "0000:3b:00.0".parse().unwrap();
    let missing = Port::by_pci_address(eal, address).unwrap_err();
    assert!(missing.to_string().contains("0000:3b:00.0"));
}

/// Receives and looks at packets until there were `packets`, or a few more.
fn receive(queue: &mut weir_dpdk::RxQueue, packets: u64) -> u64 {
    let mut burst = Burst::default();
    let mut received = 0;
    while received < packets {
        let asked = if received % 2 == 0 { BURST_PACKETS_MAX } else { 7 };
        let count = queue.receive_into(&mut burst, asked);
        assert!(count <= asked);
        assert_eq!(count, burst.len());
        received += count as u64;
        for index in 0..count {
            let frame = burst.frame(index).unwrap();
            assert_eq!(frame.contiguous().unwrap().len(), PACKET_BYTES as usize);
            assert_eq!((frame.captured_bytes, frame.wire_bytes), (PACKET_BYTES, PACKET_BYTES));
            assert_eq!(burst.wire_bytes(index), PACKET_BYTES);
            assert_eq!(frame.rss_hash, None);
            assert_eq!(frame.timestamp, Timestamp::EPOCH);
            assert_eq!(burst.source_timestamp(index), None);
        }
        if count > 0 {
            burst.set_timestamp(count - 1, Timestamp::from_ns(received));
            assert_eq!(burst.frame(count - 1).unwrap().timestamp, Timestamp::from_ns(received));
        }
    }
    received
}

fn an_emptied_pool_recovers(queue: &mut weir_dpdk::RxQueue, pool: &weir_dpdk::Mempool) {
    let before = pool.available_mbufs();
    let mut held = Vec::new();
    loop {
        let mut burst = Burst::default();
        if queue.receive_into(&mut burst, BURST_PACKETS_MAX) == 0 {
            break;
        }
        held.push(burst);
    }
    assert!(pool.available_mbufs() < BURST_PACKETS_MAX as u32);
    drop(held);
    assert_eq!(pool.available_mbufs(), before);
}

/// Everything is dropped in the worst order; the EAL must go last all the same.
fn a_burst_outlives_everything_else(
    eal: weir_dpdk::Eal,
    started: weir_dpdk::StartedPort,
    mut queue: weir_dpdk::RxQueue,
) {
    let mut burst = Burst::default();
    assert!(queue.receive_into(&mut burst, BURST_PACKETS_MAX) > 0);
    drop(eal);
    drop(started);
    assert!(queue.receive_into(&mut burst, BURST_PACKETS_MAX) > 0);
    drop(queue);
    assert_eq!(burst.frame(0).unwrap().head.len(), PACKET_BYTES as usize);
    drop(burst);
}

//! Handing bursts from lcore to lcore: order, partial sends, full rings, and ends that go away.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use common::{eal, pool, two_cpus};
use weir_dpdk::{
    Burst, Eal, Mempool, Port, PortConfig, RingError, RingReceiver, RingSender, RxQueue, ring,
};
use weir_model::{
    BURST_PACKETS_MAX, Burst as _, BurstReceiver, BurstSender, LcoreId, PacketSource, Timestamp,
};

const MBUFS: u32 = 2047;
/// Packets that go from lcore to lcore.
const PACKETS: u64 = 1_000_000;

#[test]
fn rings() {
    let [first, second] = two_cpus();
    let lcores = format!("--lcores=0@{first},1@{second}");
    let eal = eal(&[&lcores, "--vdev=net_null0,size=64,copy=0"]);
    let pool = pool(&eal, "rings", MBUFS);
    let port = Port::by_name(&eal, "net_null0").unwrap();
    let (_started, mut queues) = port.start(&PortConfig::default(), &pool).unwrap();
    let mut queue = queues.pop().unwrap();
    refusals(&eal);
    let in_caches = fills_and_keeps_the_rest_in_order(&eal, &mut queue, &pool);
    a_ring_of_one(&eal, &mut queue, &pool);
    ends_that_go_away(&eal, &mut queue, &pool);
    assert_eq!(pool.available_mbufs(), in_caches);
    between_two_lcores(&eal, queue);
    assert_eq!(pool.available_mbufs(), MBUFS);
}

fn refusals(eal: &Eal) {
    let make = |name: &str, capacity| ring::channel(eal, name, capacity, None).map(|_| ());
    let name = |name: &str| Err(RingError::Name { name: name.to_owned() });
    assert_eq!(make("", 8), name(""));
    assert_eq!(make("a\0b", 8), name("a\0b"));
    let longest = "r".repeat(ring::RING_NAME_BYTES_MAX);
    assert_eq!(make(&longest, 8), Ok(()));
    let longer = "r".repeat(ring::RING_NAME_BYTES_MAX + 1);
    assert_eq!(make(&longer, 8), name(&longer));
    assert_eq!(make("none", 0), Err(RingError::Capacity { capacity_packets: 0 }));
    let _kept = ring::channel(eal, "twice", 8, None).unwrap();
    assert_eq!(make("twice", 8), Err(RingError::Exists { name: "twice".to_owned() }));
    let huge = make("huge", 1 << 28).unwrap_err();
    assert!(matches!(huge, RingError::NoMemory { needed_bytes, .. } if needed_bytes > 2 << 30));
}

/// Receives a whole burst and numbers its packets from `first` on, by their times.
fn numbered(queue: &mut RxQueue, first: u64) -> Burst {
    let mut burst = Burst::default();
    assert_eq!(queue.receive_into(&mut burst, BURST_PACKETS_MAX), BURST_PACKETS_MAX);
    for index in 0..burst.len() {
        burst.set_timestamp(index, Timestamp::from_ns(first + index as u64));
    }
    burst
}

fn numbers(burst: &Burst) -> Vec<u64> {
    (0..burst.len()).map(|index| burst.frame(index).unwrap().timestamp.as_ns()).collect()
}

/// Returns how many mbufs are free at the end: all.
fn fills_and_keeps_the_rest_in_order(eal: &Eal, queue: &mut RxQueue, pool: &Mempool) -> u32 {
    let (mut sender, mut receiver) = ring::channel(eal, "partial", 100, None).unwrap();
    let gauge = sender.gauge();
    assert_eq!(
        (sender.capacity_packets(), gauge.capacity_packets(), gauge.packets()),
        (100, 100, 0)
    );
    let mut first = numbered(queue, 0);
    let mut second = numbered(queue, 64);
    assert_eq!(sender.send(&mut first), 64);
    assert!(first.is_empty());
    assert_eq!(sender.send(&mut second), 36);
    assert_eq!(numbers(&second), (100..128).collect::<Vec<_>>());
    assert_eq!(gauge.packets(), 100);
    assert_eq!(sender.send(&mut second), 0, "the ring is full");
    assert_eq!(numbers(&second), (100..128).collect::<Vec<_>>());
    assert_eq!(sender.send(&mut Burst::default()), 0);

    let mut seen = Vec::new();
    let mut burst = Burst::default();
    assert_eq!(receiver.receive_into(&mut burst), 64);
    seen.extend(numbers(&burst));
    assert_eq!(sender.send(&mut second), 28);
    while receiver.receive_into(&mut burst) > 0 {
        seen.extend(numbers(&burst));
    }
    assert!(burst.is_empty(), "an empty ring replaces the burst too");
    assert_eq!(seen, (0..128).collect::<Vec<_>>());
    assert_eq!(receiver.gauge().packets(), 0);
    pool.available_mbufs()
}

fn a_ring_of_one(eal: &Eal, queue: &mut RxQueue, pool: &Mempool) {
    let before = pool.available_mbufs();
    let (mut sender, mut receiver) = ring::channel(eal, "one", 1, None).unwrap();
    let mut burst = numbered(queue, 0);
    let mut one = Burst::default();
    for left in (0..64).rev() {
        assert_eq!(sender.send(&mut burst), 1);
        assert_eq!(burst.len(), left);
        assert_eq!(sender.send(&mut burst), 0);
        assert_eq!(receiver.receive_into(&mut one), 1);
        assert_eq!(numbers(&one), [63 - left as u64]);
    }
    drop(one);
    assert_eq!(pool.available_mbufs(), before);
}

fn ends_that_go_away(eal: &Eal, queue: &mut RxQueue, pool: &Mempool) {
    let before = pool.available_mbufs();
    let (mut sender, receiver) = ring::channel(eal, "ends", 1000, None).unwrap();
    let gauge = receiver.gauge();
    for round in 0..3 {
        assert_eq!(sender.send(&mut numbered(queue, round * 64)), 64);
    }
    drop(receiver);
    assert_eq!(pool.available_mbufs(), before - 3 * 64);
    assert_eq!(gauge.packets(), 3 * 64);
    drop(sender);
    assert_eq!(pool.available_mbufs(), before, "what was in the ring did not come back");
    assert_eq!(gauge.packets(), 0);
    // The name is free again, and dropping the sender first is as good.
    let (mut sender, mut receiver) = ring::channel(eal, "ends", 1000, None).unwrap();
    assert_eq!(sender.send(&mut numbered(queue, 0)), 64);
    drop(sender);
    let mut burst = Burst::default();
    assert_eq!(receiver.receive_into(&mut burst), 64);
    drop((burst, receiver));
    assert_eq!(pool.available_mbufs(), before);
}

fn between_two_lcores(eal: &Eal, mut queue: RxQueue) {
    let (mut sender, mut receiver) = ring::channel(eal, "lcores", 512, None).unwrap();
    let join = eal
        .launch(LcoreId(1), move || {
            let mut next = 0;
            let mut burst = Burst::default();
            while next < PACKETS {
                if receiver.receive_into(&mut burst) == 0 {
                    std::thread::yield_now();
                }
                for number in numbers(&burst) {
                    assert_eq!(number, next, "out of order, or lost");
                    next += 1;
                }
            }
            next
        })
        .unwrap();
    let mut sent = 0;
    while sent < PACKETS {
        let mut burst = numbered(&mut queue, sent);
        sent += BURST_PACKETS_MAX as u64;
        send_all(&mut sender, &mut burst, &join);
    }
    assert_eq!(join.join().unwrap(), PACKETS.next_multiple_of(BURST_PACKETS_MAX as u64));
}

/// Sends until the burst is empty, or the receiver has had enough.
fn send_all(sender: &mut RingSender, burst: &mut Burst, join: &weir_dpdk::LcoreJoin<u64>) {
    while !burst.is_empty() && !join.is_finished() {
        if sender.send(burst) == 0 {
            std::thread::yield_now();
        }
    }
}

/// What goes to other lcores can, and what the control core shares it can share.
#[test]
fn handles_go_where_they_are_needed() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<RingSender>();
    is_send::<RingReceiver>();
    is_send::<RxQueue>();
    is_send::<Burst>();
    is_send::<weir_dpdk::StartedPort>();
    is_send::<Eal>();
    is_sync::<Eal>();
    is_send::<Mempool>();
    is_sync::<Mempool>();
    is_send::<weir_dpdk::RingGauge>();
    is_sync::<weir_dpdk::RingGauge>();
}

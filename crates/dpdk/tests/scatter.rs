//! Spreading a burst over lanes, and mempools that cannot be made.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{eal, pool};
use weir_dpdk::{Burst, Eal, Mempool, MempoolConfig, MempoolError, Port, PortConfig, RxQueue};
use weir_model::{BURST_PACKETS_MAX, Burst as _, PacketSource, Timestamp};

const MBUFS: u32 = 2047;

#[test]
fn scatter_and_mempools() {
    let eal = eal(&["--vdev=net_null0,size=64"]);
    mempools_that_cannot_be_made(&eal);
    let pool = pool(&eal, "lanes", MBUFS);
    let port = Port::by_name(&eal, "net_null0").unwrap();
    let (_started, mut queues) = port.start(&PortConfig::default(), &pool).unwrap();
    let mut queue = queues.pop().unwrap();
    keeps_order_in_each_lane(&mut queue);
    appends_to_what_a_lane_has(&mut queue);
    nobody_frees_a_packet_twice(&mut queue);
    assert!(pool.available_mbufs() <= MBUFS);
    drop(queue);
}

fn numbered(queue: &mut RxQueue, packets: usize) -> Burst {
    let mut burst = Burst::default();
    assert_eq!(queue.receive_into(&mut burst, packets), packets);
    for index in 0..packets {
        burst.set_timestamp(index, Timestamp::from_ns(index as u64));
    }
    burst
}

fn numbers(burst: &Burst) -> Vec<u64> {
    (0..burst.len()).map(|index| burst.frame(index).unwrap().timestamp.as_ns()).collect()
}

fn lanes(count: usize) -> Vec<Burst> {
    std::iter::repeat_with(Burst::default).take(count).collect()
}

fn keeps_order_in_each_lane(queue: &mut RxQueue) {
    for count in [1_usize, 2, 3, 64] {
        let mut burst = numbered(queue, BURST_PACKETS_MAX);
        let lane_of: Vec<u8> = (0..BURST_PACKETS_MAX).map(|n| (n * n % count) as u8).collect();
        let mut lanes = lanes(count);
        burst.scatter(&lane_of, &mut lanes);
        assert!(burst.is_empty());
        for (lane, got) in lanes.iter().enumerate() {
            let expected: Vec<u64> =
                (0..64).filter(|&n| usize::from(lane_of[n as usize]) == lane).collect();
            assert_eq!(numbers(got), expected);
        }
    }
    let mut empty = Burst::default();
    empty.scatter(&[], &mut []);
}

fn appends_to_what_a_lane_has(queue: &mut RxQueue) {
    let mut lanes = lanes(1);
    numbered(queue, 3).scatter(&[0; 3], &mut lanes);
    numbered(queue, 2).scatter(&[0; 9], &mut lanes);
    assert_eq!(numbers(&lanes[0]), [0, 1, 2, 0, 1]);
}

/// Mistakes of the caller panic. Packets may leak by that, and are never in two places.
fn nobody_frees_a_packet_twice(queue: &mut RxQueue) {
    let panics = |burst: &mut Burst, lane_of: &[u8], lanes: &mut [Burst]| {
        catch_unwind(AssertUnwindSafe(|| burst.scatter(lane_of, lanes))).is_err()
    };
    let mut burst = numbered(queue, 4);
    assert!(panics(&mut burst, &[0, 0, 0], &mut lanes(1)), "lane_of is too short");
    assert_eq!(burst.len(), 4, "nothing has been moved");

    let mut two = lanes(2);
    assert!(panics(&mut burst, &[0, 1, 2, 0], &mut two), "there is no lane 2");
    assert_eq!((two[0].len(), two[1].len(), burst.len()), (1, 1, 0));

    let mut full = lanes(1);
    numbered(queue, 63).scatter(&[0; 63], &mut full);
    let mut burst = numbered(queue, 2);
    assert!(panics(&mut burst, &[0, 0], &mut full), "the lane is full");
    assert_eq!(full[0].len(), BURST_PACKETS_MAX);
    assert!(catch_unwind(AssertUnwindSafe(|| full[0].wire_bytes(64))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| burst.frame(0).is_ok())).is_err());
}

fn mempools_that_cannot_be_made(eal: &Eal) {
    let config = MempoolConfig {
        name: "wrong".to_owned(),
        mbufs: 1023,
        cache_mbufs: 32,
        data_room_bytes: MempoolConfig::DATA_ROOM_BYTES_DEFAULT,
        socket: None,
    };
    let make = |config: &MempoolConfig| Mempool::create(eal, config.clone()).map(|_| ());
    let named = |name: &str| MempoolConfig { name: name.to_owned(), ..config.clone() };
    for name in ["", "a\0b", &"p".repeat(MempoolConfig::NAME_BYTES_MAX + 1)] {
        assert_eq!(make(&named(name)), Err(MempoolError::Name { name: name.to_owned() }));
    }
    assert_eq!(make(&named(&"p".repeat(MempoolConfig::NAME_BYTES_MAX))), Ok(()));
    assert_eq!(make(&MempoolConfig { mbufs: 0, ..config.clone() }), Err(MempoolError::Empty));
    let cache = |cache_mbufs, mbufs| MempoolConfig { cache_mbufs, mbufs, ..config.clone() };
    assert!(matches!(
        make(&cache(513, 8191)),
        Err(MempoolError::CacheTooLarge { cache_mbufs_max: 512, .. })
    ));
    assert!(matches!(
        make(&cache(67, 100)),
        Err(MempoolError::CacheTooLarge { cache_mbufs_max: 66, .. })
    ));
    assert_eq!(
        make(&MempoolConfig { data_room_bytes: 128, ..config.clone() }),
        Err(MempoolError::DataRoomTooSmall { data_room_bytes: 128 })
    );
    let huge = make(&MempoolConfig { mbufs: 1 << 20, ..config.clone() }).unwrap_err();
    let MempoolError::NoMemory { name, needed_bytes, free_bytes } = &huge else {
        panic!("{huge:?}")
    };
    assert_eq!(name, "wrong");
    assert!(*needed_bytes > 2 << 30 && *free_bytes < 256 << 20, "{huge}");
    assert!(huge.to_string().contains(&needed_bytes.to_string()));
    // Nothing of the failures is left.
    assert_eq!(make(&config), Ok(()));
    assert_eq!(make(&config), Err(MempoolError::Exists { name: "wrong".to_owned() }));
}

//! Mbufs that no driver here makes: long chains, tags taken out, and contradictions. They come in
//! by `net_ring`, and everything must hold again after a hand-over to another lcore.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(unsafe_code, reason = "makes mbufs that no safe interface can make")]

mod common;
#[path = "common/craft.rs"]
mod craft;

use common::{eal, pool};
use craft::{Crafted, Injector, packet, segment};
use weir_dpdk::{
    Burst, DriverKind, Eal, Mempool, Port, PortConfig, RingReceiver, RingSender, RxQueue, ring,
};
use weir_dpdk_sys as sys;
use weir_model::{
    BURST_PACKETS_MAX, Burst as _, BurstReceiver, BurstSender, MalformedFrame, PacketSource,
    Timestamp,
};

struct Bench {
    injector: Injector,
    pool: Mempool,
    queue: RxQueue,
    sender: RingSender,
    receiver: RingReceiver,
    burst: Burst,
}

impl Bench {
    fn new(eal: &Eal) -> Self {
        let pool = pool(eal, "crafted", 1023);
        let port = Port::by_name(eal, "net_ring0").unwrap();
        assert_eq!(port.info().kind, DriverKind::Ring);
        let (_started, mut queues) = port.start(&PortConfig::default(), &pool).unwrap();
        let (sender, receiver) = ring::channel(eal, "hand-over", 128, None).unwrap();
        Self {
            injector: Injector::new("net_ring0"),
            pool,
            queue: queues.pop().unwrap(),
            sender,
            receiver,
            burst: Burst::default(),
        }
    }

    /// Receives the one packet that was injected.
    fn receive(&mut self) {
        assert_eq!(self.queue.receive_into(&mut self.burst, BURST_PACKETS_MAX), 1);
    }

    /// Sends what the burst holds through the ring and receives it again.
    fn hand_over(&mut self) {
        let len = self.burst.len();
        assert_eq!(self.sender.send(&mut self.burst), len);
        assert!(self.burst.is_empty());
        assert_eq!(self.receiver.receive_into(&mut self.burst), len);
    }

    /// Runs a check on a packet as it came, and again after a hand-over; then all its mbufs must
    /// be back.
    fn check(&mut self, crafted: Crafted, check: impl Fn(&Burst)) {
        let mbufs_out = 1023 - self.pool.available_mbufs();
        assert!(mbufs_out > 0);
        self.injector.inject(crafted);
        self.receive();
        check(&self.burst);
        self.burst.set_timestamp(0, Timestamp::from_ns(7));
        self.hand_over();
        check(&self.burst);
        assert_eq!(self.burst.source_timestamp(0), None);
        self.burst.clear();
        assert_eq!(self.pool.available_mbufs(), 1023, "not every mbuf came back");
    }
}

#[test]
fn crafted_mbufs() {
    let eal = eal(&["--vdev=net_ring0"]);
    let mut bench = Bench::new(&eal);
    chains_of_every_length(&mut bench);
    odd_segments(&mut bench);
    contradictions(&mut bench);
    stripped_tags(&mut bench);
    shared_mbufs(&mut bench);
    indirect_mbufs(&mut bench);
    metadata_that_is_not_believed(&mut bench);
    metadata_that_is_believed(&mut bench);
    times_after_a_hand_over(&mut bench);
    what_does_not_fit_stays_as_it_is(&eal, &mut bench);
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// Checks that a packet's bytes can be had, whole and every way of in part.
fn expect_bytes(burst: &Burst, whole: &[u8], head_bytes: usize) {
    let frame = burst.frame(0).expect("the packet is well-formed");
    assert_eq!(frame.captured_bytes as usize, whole.len());
    assert_eq!(frame.wire_bytes as usize, whole.len());
    assert_eq!(burst.wire_bytes(0) as usize, whole.len());
    assert_eq!(frame.head.len(), head_bytes);
    let rooms = [0, 1, 11, 12, 13, 16, 17, head_bytes, whole.len() / 2, whole.len()];
    for room in rooms.into_iter().chain([whole.len() + 1, whole.len() + 100]) {
        let mut out = vec![0xee; room];
        let copied = frame.copy_to(&mut out);
        assert_eq!(copied, room.min(whole.len()));
        assert_eq!(out[..copied], whole[..copied]);
        assert!(out[copied..].iter().all(|&byte| byte == 0xee), "wrote past what it returned");
    }
}

fn chains_of_every_length(bench: &mut Bench) {
    for segments in 1..=64 {
        let lengths: Vec<usize> = (0..segments).map(|n| 30 + n % 7).collect();
        let whole = bytes(lengths.iter().sum());
        let mut rest = &whole[..];
        let pieces: Vec<&[u8]> =
            lengths.iter().map(|&length| rest.split_off(..length).unwrap()).collect();
        let crafted = packet(&bench.pool, &pieces);
        assert_eq!(usize::from(crafted.fields.nb_segs), segments);
        let head_bytes = pieces[0].len();
        bench.check(crafted, |burst| {
            let frame = burst.frame(0).unwrap();
            assert_eq!(frame.contiguous().is_some(), segments == 1);
            expect_bytes(burst, &whole, head_bytes);
        });
    }
}

fn odd_segments(bench: &mut Bench) {
    let whole = bytes(100);
    let one_byte_each: Vec<&[u8]> = whole.chunks(1).take(64).collect();
    let crafted = packet(&bench.pool, &one_byte_each);
    bench.check(crafted, |burst| expect_bytes(burst, &whole[..64], 1));

    for cuts in [&[0, 0, 50][..], &[50, 50, 100], &[0, 1, 1, 1, 99], &[100, 100, 100]] {
        let mut pieces = Vec::new();
        let mut at = 0;
        for &cut in cuts {
            pieces.push(&whole[at..cut]);
            at = cut;
        }
        pieces.push(&whole[at..]);
        let crafted = packet(&bench.pool, &pieces);
        let head_bytes = pieces[0].len();
        bench.check(crafted, |burst| expect_bytes(burst, &whole, head_bytes));
    }

    for count in [0, 1, 13, 14, 2048] {
        let whole = bytes(count);
        let crafted = packet(&bench.pool, &[&whole]);
        bench.check(crafted, |burst| {
            assert_eq!(burst.frame(0).unwrap().contiguous(), Some(&whole[..]));
            expect_bytes(burst, &whole, whole.len());
        });
    }
}

fn contradictions(bench: &mut Bench) {
    type Spoil = fn(&mut sys::shim_craft);
    let single: [(&str, Spoil); 5] = [
        ("pkt_len too long", |fields| fields.pkt_len += 1),
        ("pkt_len too short", |fields| fields.pkt_len -= 1),
        ("both beyond the buffer", |fields| {
            fields.pkt_len = 60_000;
            fields.data_len = 60_000;
        }),
        ("more segments than there are", |fields| fields.nb_segs = 2),
        ("no segment", |fields| fields.nb_segs = 0),
    ];
    for (what, spoil) in single {
        let mut crafted = packet(&bench.pool, &[&bytes(60)]);
        spoil(&mut crafted.fields);
        malformed(bench, crafted, what);
    }
    let chained: [(&str, Spoil); 5] = [
        ("pkt_len too long", |fields| fields.pkt_len += 1),
        ("pkt_len too short", |fields| fields.pkt_len -= 1),
        ("pkt_len of net_pcap's wrapped length", |fields| fields.pkt_len += 65_536),
        ("next NULL early", |fields| fields.nb_segs = 4),
        ("next not NULL at the end", |fields| {
            fields.nb_segs = 2;
            fields.pkt_len = 60 + 50;
        }),
    ];
    for (what, spoil) in chained {
        let mut crafted = packet(&bench.pool, &[&bytes(60), &bytes(50), &bytes(40)]);
        spoil(&mut crafted.fields);
        malformed(bench, crafted, what);
    }
    a_middle_segment_beyond_its_buffer(bench);
    a_next_behind_a_whole_packet(bench);
}

/// What hangs behind a packet that is whole without it is not read, and is freed with it.
fn a_next_behind_a_whole_packet(bench: &mut Bench) {
    let mut crafted = packet(&bench.pool, &[&bytes(60), &bytes(50)]);
    crafted.fields.nb_segs = 1;
    crafted.fields.pkt_len = 60;
    bench.check(crafted, |burst| expect_bytes(burst, &bytes(60), 60));
}

/// One segment in the middle is longer than its buffer, and the packet's length agrees.
fn a_middle_segment_beyond_its_buffer(bench: &mut Bench) {
    let crafted = Crafted {
        head: segment(&bench.pool, &bytes(60)),
        fields: sys::shim_craft {
            pkt_len: 60 + 30_000 + 1,
            data_len: 60,
            nb_segs: 3,
            ..sys::shim_craft::default()
        },
    };
    let middle = segment(&bench.pool, &bytes(50));
    let last = segment(&bench.pool, &bytes(1));
    let too_long = sys::shim_craft { data_len: 30_000, nb_segs: 1, ..sys::shim_craft::default() };
    // SAFETY: the mbufs are this test's own.
    unsafe {
        sys::shim_craft_set(middle, &raw const too_long, &raw const bench.injector.stamps);
        sys::shim_craft_link(middle, last);
        sys::shim_craft_link(crafted.head, middle);
    }
    malformed(bench, crafted, "a middle segment beyond its buffer");
}

fn malformed(bench: &mut Bench, crafted: Crafted, what: &str) {
    let claimed = crafted.fields.pkt_len;
    bench.check(crafted, |burst| {
        assert_eq!(burst.frame(0).err(), Some(MalformedFrame), "{what}");
        assert_eq!(burst.wire_bytes(0), claimed, "{what}");
    });
}

fn stripped_tags(bench: &mut Bench) {
    let on_wire = bytes(80);
    let inner = [0x81, 0x00, 0x20, 0x64];
    let outer = [0x88, 0xa8, 0x00, 0x07];
    let with = |tags: &[&[u8]]| [&on_wire[..12], &tags.concat(), &on_wire[12..]].concat();
    let vlan = sys::SHIM_F_VLAN | sys::SHIM_F_VLAN_STRIPPED;
    let qinq = sys::SHIM_F_VLAN | sys::SHIM_F_QINQ | sys::SHIM_F_QINQ_STRIPPED;
    for (flags, whole) in [
        (vlan, with(&[&inner])),
        (qinq, with(&[&outer])),
        (vlan | qinq, with(&[&outer, &inner])),
        (sys::SHIM_F_VLAN, on_wire.clone()),
        (sys::SHIM_F_VLAN | sys::SHIM_F_QINQ, on_wire.clone()),
    ] {
        for pieces in [vec![&on_wire[..]], on_wire.chunks(5).collect()] {
            let head_bytes = pieces[0].len();
            let mut crafted = packet(&bench.pool, &pieces);
            crafted.fields.ol_flags = flags;
            crafted.fields.vlan_tci = 0x2064;
            crafted.fields.vlan_tci_outer = 7;
            bench.check(crafted, |burst| {
                let frame = burst.frame(0).unwrap();
                let rewritten = whole.len() > on_wire.len();
                assert_eq!(frame.contiguous().is_none(), rewritten || head_bytes == 5);
                expect_bytes(burst, &whole, head_bytes);
            });
        }
    }
    let mut spoilt = packet(&bench.pool, &[&on_wire]);
    spoilt.fields.ol_flags = vlan;
    spoilt.fields.pkt_len += 9;
    bench.check(spoilt, |burst| {
        assert_eq!(burst.frame(0).err(), Some(MalformedFrame));
        assert_eq!(burst.wire_bytes(0) as usize, 80 + 9 + 4);
    });
}

fn shared_mbufs(bench: &mut Bench) {
    let crafted = packet(&bench.pool, &[&bytes(60)]);
    let mbuf = crafted.head;
    // SAFETY: the mbuf is this test's own; the second reference is given back below.
    assert_eq!(unsafe { sys::shim_craft_reference(mbuf, 1) }, 2);
    bench.injector.inject(crafted);
    bench.receive();
    expect_bytes(&bench.burst, &bytes(60), 60);
    bench.burst.clear();
    assert_eq!(bench.pool.available_mbufs(), 1022, "someone else still holds the mbuf");
    // SAFETY: the test holds the last reference.
    unsafe { sys::rte_pktmbuf_free(mbuf) };
    assert_eq!(bench.pool.available_mbufs(), 1023);
}

fn indirect_mbufs(bench: &mut Bench) {
    let whole = bytes(90);
    let original = packet(&bench.pool, &[&whole[..40], &whole[40..]]);
    let stamps = &raw const bench.injector.stamps;
    // SAFETY: the mbufs are this test's own; a clone refers to the original's buffers, which stay
    // until both are freed.
    let clone = unsafe {
        sys::shim_craft_set(original.head, &raw const original.fields, stamps);
        sys::rte_pktmbuf_clone(original.head, bench.pool.as_ptr())
    };
    assert!(!clone.is_null());
    bench.injector.inject_raw(clone);
    bench.receive();
    expect_bytes(&bench.burst, &whole, 40);
    bench.burst.clear();
    assert_eq!(bench.pool.available_mbufs(), 1021, "only the clone came back");
    bench.check(original, |burst| expect_bytes(burst, &whole, 40));
}

/// Sends a packet whose mbuf says that it was hashed and stamped.
fn inject_hashed_and_stamped(bench: &mut Bench) {
    let mut crafted = packet(&bench.pool, &[&bytes(60)]);
    crafted.fields.ol_flags = sys::SHIM_F_RSS_HASH | bench.injector.stamps.source_flag;
    crafted.fields.rss_hash = 0xdead_beef;
    crafted.fields.time = 123_456;
    bench.injector.inject(crafted);
}

/// `net_ring` has no hash and no clock, so what stands in the mbuf is not the port's word.
fn metadata_that_is_not_believed(bench: &mut Bench) {
    inject_hashed_and_stamped(bench);
    bench.receive();
    let frame = bench.burst.frame(0).unwrap();
    assert_eq!((frame.rss_hash, frame.timestamp), (None, Timestamp::EPOCH));
    assert_eq!(bench.burst.source_timestamp(0), None);
    bench.hand_over();
    assert_eq!(bench.burst.frame(0).unwrap().rss_hash, None);
    bench.burst.clear();
}

/// What a queue does whose port has a clock and a symmetric hash, which no vdev has.
fn metadata_that_is_believed(bench: &mut Bench) {
    let stamps = bench.injector.stamps;
    inject_hashed_and_stamped(bench);
    let mut mbufs = [std::ptr::null_mut(); 4];
    let mut views = [sys::shim_view::default(); 4];
    let mut times = [0; 4];
    // SAFETY: the arrays have room for 4, port 0 has queue 0, and this thread is the only one.
    let count = unsafe {
        sys::shim_receive(
            0,
            0,
            mbufs.as_mut_ptr(),
            views.as_mut_ptr(),
            times.as_mut_ptr(),
            4,
            &raw const stamps,
            sys::SHIM_BELIEVE_RSS | sys::SHIM_BELIEVE_SOURCE_TIME,
        )
    };
    assert_eq!(count, 1);
    let both = sys::SHIM_VIEW_RSS | sys::SHIM_VIEW_SOURCE_TIME;
    assert_eq!(views[0].flags, both);
    assert_eq!(
        (views[0].rss_hash, views[0].source_time, times[0]),
        (0xdead_beef, 123_456, 123_456)
    );
    // SAFETY: the mbuf came out of the port and is this test's own.
    unsafe { sys::rte_pktmbuf_free(mbufs[0]) };
}

fn times_after_a_hand_over(bench: &mut Bench) {
    let packets = 10;
    for n in 0..packets {
        bench.injector.inject(packet(&bench.pool, &[&bytes(60 + n)]));
    }
    assert_eq!(bench.queue.receive_into(&mut bench.burst, BURST_PACKETS_MAX), packets);
    let time = |n: usize| Timestamp::from_ns(1_790_000_000_000_000_000 + n as u64);
    for n in 0..packets {
        bench.burst.set_timestamp(n, time(n));
    }
    for _ in 0..3 {
        bench.hand_over();
        for n in 0..packets {
            let frame = bench.burst.frame(n).unwrap();
            assert_eq!(frame.timestamp, time(n));
            assert_eq!(frame.contiguous(), Some(&bytes(60 + n)[..]));
            assert_eq!(bench.burst.source_timestamp(n), None);
        }
    }
    bench.burst.clear();
    assert_eq!(bench.pool.available_mbufs(), 1023);
}

/// After a partial send, each packet that stays still has its own bytes and time.
fn what_does_not_fit_stays_as_it_is(eal: &Eal, bench: &mut Bench) {
    let (mut sender, _receiver) = ring::channel(eal, "narrow", 3, None).unwrap();
    for n in 0..10 {
        bench.injector.inject(packet(&bench.pool, &[&bytes(60 + n)]));
    }
    assert_eq!(bench.queue.receive_into(&mut bench.burst, BURST_PACKETS_MAX), 10);
    for n in 0..10 {
        bench.burst.set_timestamp(n, Timestamp::from_ns(n as u64));
    }
    assert_eq!(sender.send(&mut bench.burst), 3);
    for n in 3..10 {
        let frame = bench.burst.frame(n - 3).unwrap();
        assert_eq!(frame.contiguous(), Some(&bytes(60 + n)[..]));
        assert_eq!(frame.timestamp, Timestamp::from_ns(n as u64));
    }
    bench.burst.clear();
}

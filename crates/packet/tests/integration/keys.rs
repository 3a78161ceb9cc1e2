//! Flow keys: one for both directions, and as different as their flows.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use proptest::prelude::*;
use weir_model::LinkType;
use weir_packet::{Direction, Flow, FlowKey, PortKind, decode_outer};
use weir_testkit::{TrafficMix, seed};

fn key_of(packet: &[u8]) -> Option<Flow> {
    decode_outer(LinkType::ETHERNET, packet).outer.flow
}

fn std_hash(key: &FlowKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn end() -> impl Strategy<Value = (IpAddr, u16)> {
    // Few addresses and ports, so that ends often agree in part.
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        (0..3u8).prop_map(|last| IpAddr::from([10, 0, 0, last])),
        (0..3u8).prop_map(|last| IpAddr::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])),
    ];
    (address, prop_oneof![0..200u16, any::<u16>()])
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![Just(1), Just(6), Just(17), Just(58), Just(132), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn both_directions_have_one_key(one in end(), other in end(), protocol in protocol(), vlans in any::<[u16; 2]>()) {
        let there = Flow::new(one, other, protocol, vlans);
        let is_mixed = one.0.is_ipv4() != other.0.is_ipv4();
        if !is_mixed {
            prop_assert_eq!((there.source(), there.destination()), (one.0, other.0));
        }
        prop_assert_eq!(there.key.is_ipv6(), one.0.is_ipv6() || other.0.is_ipv6());
        prop_assert_eq!(there.key.protocol(), protocol);
        match there.key.port_kind() {
            PortKind::Transport => {
                prop_assert_eq!(there.ports(), [one.1, other.1]);
                let back = Flow::new(other, one, protocol, vlans);
                prop_assert_eq!(there.key, back.key);
                prop_assert_eq!(std_hash(&there.key), std_hash(&back.key));
                prop_assert_eq!(there.key.hash64(7), back.key.hash64(7));
                if one == other {
                    prop_assert_eq!(there.direction, Direction::LowToHigh);
                } else {
                    prop_assert_eq!(there.direction, back.direction.reversed());
                }
            }
            PortKind::None => prop_assert_eq!(there.ports(), [0, 0]),
            PortKind::IcmpTwoWay => {
                // What answers a message is its flow's other direction.
                let [kind, answer] = there.ports();
                let back = Flow::new((other.0, answer), (one.0, 0), protocol, vlans);
                prop_assert_eq!(there.key, back.key);
                prop_assert_eq!(back.ports(), [answer, kind]);
            }
            PortKind::IcmpOneWay => {
                prop_assert_eq!(there.direction, Direction::LowToHigh);
                prop_assert_eq!(there.ports(), [one.1 & 0xff, other.1 & 0xff]);
            }
        }
        prop_assert_eq!(FlowKey::from_bytes(&there.key.to_bytes()), Some(there.key));
    }

    #[test]
    fn only_the_bytes_of_a_key_are_one(bytes in any::<[u8; 44]>(), version in 3..8u8, kind in 0..5u8, zeros in any::<bool>()) {
        let mut bytes = bytes;
        bytes[41] = version;
        bytes[42] = kind;
        bytes[43] &= 1;
        if zeros {
            bytes[4..16].fill(0);
            bytes[20..32].fill(0);
            bytes[36..40].fill(0);
        }
        if let Some(key) = FlowKey::from_bytes(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes);
            // What was read is what the constructor makes of its parts.
            let low = (key.low_address(), key.low_port());
            let high = (key.high_address(), key.high_port());
            let made = Flow::new(low, high, key.protocol(), key.vlan_ids()).key;
            if key.port_kind() == made.port_kind() {
                prop_assert_eq!(made, key);
            } else {
                prop_assert_eq!(key.port_kind(), PortKind::None);
            }
        }
    }
}

#[test]
fn bytes_of_a_key_are_laid_out_as_written() {
    let flow = Flow::new(([10, 0, 0, 2].into(), 80), ([10, 0, 0, 1].into(), 0x1234), 6, [5, 6]);
    let mut expected = [0; 44];
    expected[..4].copy_from_slice(&[10, 0, 0, 1]);
    expected[16..20].copy_from_slice(&[10, 0, 0, 2]);
    expected[32..40].copy_from_slice(&[0x12, 0x34, 0, 80, 0, 5, 0, 6]);
    expected[40..43].copy_from_slice(&[6, 4, 1]);
    assert_eq!(flow.key.to_bytes(), expected);
    assert_eq!(
        (flow.key.low_octets(), flow.key.high_octets()),
        (&[10, 0, 0, 1][..], &[10, 0, 0, 2][..])
    );
    let changed = |at: usize, value: u8| {
        let mut bytes = expected;
        bytes[at] = value;
        FlowKey::from_bytes(&bytes)
    };
    // An address of IPv4 is padded, the ends are in order, VLANs have 12 bits and no gap, and the
    // kind of ports fits the protocol.
    for (at, value) in
        [(9, 1), (0, 11), (36, 0x10), (37, 0), (40, 1), (41, 5), (42, 2), (42, 4), (43, 1)]
    {
        let gap = at == 37;
        assert_eq!(changed(at, value), None, "byte {at}, gap {gap}");
    }
    assert!(changed(42, 0).is_none(), "no ports are zero ports");
    assert!(changed(41, 6).is_some());
}

#[test]
fn ipv4_and_its_mapped_form_are_two_flows() {
    let v4 = Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 6, [0; 2]);
    let mut mapped = [0; 16];
    mapped[..4].copy_from_slice(&[10, 0, 0, 1]);
    let mut other = mapped;
    other[3] = 2;
    let v6 = Flow::new((mapped.into(), 1), (other.into(), 2), 6, [0; 2]);
    assert_ne!(v4.key, v6.key);
    assert_ne!(v4.key.hash64(0), v6.key.hash64(0));
    assert_eq!(size_of::<FlowKey>(), 44);
}

/// Each field tells flows apart, in equality and in both hashes.
#[test]
fn every_field_counts() {
    let base = Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 6, [5, 6]).key;
    let others = [
        Flow::new(([10, 0, 0, 3].into(), 1), ([10, 0, 0, 2].into(), 2), 6, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 3].into(), 2), 6, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 3), ([10, 0, 0, 2].into(), 2), 6, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 3), 6, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 2), ([10, 0, 0, 2].into(), 1), 6, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 17, [5, 6]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 6, [7, 6]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 6, [5, 7]),
        Flow::new(([10, 0, 0, 1].into(), 1), ([10, 0, 0, 2].into(), 2), 47, [5, 6]),
    ];
    let keys: BTreeSet<FlowKey> =
        others.iter().map(|flow| flow.key).chain(std::iter::once(base)).collect();
    assert_eq!(keys.len(), 10);
    assert_eq!(keys.iter().map(|key| key.hash64(1)).collect::<HashSet<_>>().len(), 10);
    assert_eq!(keys.iter().map(std_hash).collect::<HashSet<_>>().len(), 10);
}

/// Neighbouring flows fill a table as evenly as random numbers would, by high and by low bits.
#[test]
fn hash64_spreads_neighbours() {
    let neighbours = |step: u32| {
        (0..65_535u32).map(move |number| {
            let client = IpAddr::from(0x0a00_0000u32.wrapping_add(number * step).to_be_bytes());
            let port = (number % 7 * 1_000) as u16;
            Flow::new((client, port), ([192, 0, 2, 1].into(), 443), 6, [0; 2]).key
        })
    };
    for step in [1, 256, 65_536] {
        for table_seed in [0, 1, u64::MAX] {
            for shift in [0, 20, 52] {
                let slots = neighbours(step).map(|key| key.hash64(table_seed) >> shift & 0xfff);
                crate::spread::assert_even(slots.map(|slot| slot as usize), 4_096);
            }
        }
    }
}

#[test]
fn a_seed_moves_keys_apart() {
    let keys: Vec<FlowKey> = TrafficMix::new(2)
        .take(500)
        .filter_map(|packet| key_of(&packet.bytes))
        .map(|f| f.key)
        .collect();
    seed::for_each_seed(20, |seed| {
        let same = keys.iter().filter(|key| key.hash64(seed) >> 56 == key.hash64(seed + 1) >> 56);
        assert!(same.count() < keys.len() / 20);
    });
}

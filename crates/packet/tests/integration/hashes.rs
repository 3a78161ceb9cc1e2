//! The hash that spreads packets over lanes: symmetric, true to fragments, and even.

use std::collections::HashSet;

use weir_packet::{address_hash, flow_hash};
use weir_testkit::{FrameBuilder, Layer as Header, Tcp, TrafficMix, fragment_ipv4, fragment_ipv6};

use crate::layers::{ONE, ONE_V6, OTHER, OTHER_V6};
use crate::spread::assert_even;

/// A link header, for one direction and for the other.
type Links = [FrameBuilder; 2];

fn links() -> Vec<(&'static str, Links)> {
    let ethernet = FrameBuilder::ethernet;
    vec![
        ("plain", [ethernet(), FrameBuilder::ethernet_between([9; 6], [8; 6])]),
        // A tap sees the two directions with different tags, labels and sessions.
        ("vlan", [ethernet().vlan(5), ethernet().vlan(6)]),
        ("one tagged", [ethernet().service_vlan(5).vlan(7), ethernet()]),
        ("mpls", [ethernet().mpls(50).mpls(51), ethernet().vlan(1).mpls(60)]),
        ("pppoe", [ethernet().pppoe(7), ethernet().vlan(3).pppoe(8)]),
    ]
}

fn there_and_back(
    [there, back]: Links,
    transport: impl Fn(FrameBuilder, bool) -> FrameBuilder,
) -> Vec<[Vec<u8>; 2]> {
    let build = |builder: FrameBuilder| builder.payload(b"payload").build_padded();
    let v4 = [
        build(transport(there.clone().ipv4(ONE, OTHER), true)),
        build(transport(back.clone().ipv4(OTHER, ONE), false)),
    ];
    let v6 = [
        build(transport(there.ipv6(ONE_V6, OTHER_V6), true)),
        build(transport(back.ipv6(OTHER_V6, ONE_V6), false)),
    ];
    vec![v4, v6]
}

#[test]
fn both_directions_hash_alike() {
    for (name, link) in links() {
        let mut pairs = there_and_back(link.clone(), |network, is_there| {
            if is_there { network.tcp(5, 6, Tcp::SYN) } else { network.tcp(6, 5, Tcp::ACK) }
        });
        pairs.extend(there_and_back(link.clone(), |network, is_there| {
            if is_there { network.udp(500, 6) } else { network.udp(6, 500) }
        }));
        pairs.extend(there_and_back(link.clone(), |network, is_there| {
            if is_there { network.sctp(5, 6) } else { network.sctp(6, 5) }
        }));
        pairs.extend(there_and_back(link.clone(), |network, is_there| {
            network.icmp(if is_there { 8 } else { 0 }, 0)
        }));
        pairs.extend(there_and_back(link, |network, _| network.gre()));
        for [there, back] in pairs {
            assert_eq!(flow_hash(&there, 7), flow_hash(&back, 7), "{name}");
            assert_eq!(address_hash(&there, 7), address_hash(&back, 7), "{name}");
            assert_ne!(flow_hash(&there, 7), flow_hash(&there, 8), "{name}: the seed counts");
        }
    }
    // What is not IP: by MAC addresses.
    let arp = |source, destination, operation| {
        let bytes = vec![0, 1, 8, 0, 6, 4, 0, operation];
        let layer = Header::Raw { ethertype: 0x0806, ip_protocol: 0, bytes };
        FrameBuilder::ethernet_between(source, destination).layer(layer).build()
    };
    let request = arp([1; 6], [2; 6], 1);
    assert_eq!(flow_hash(&request, 7), flow_hash(&arp([2; 6], [1; 6], 2), 7));
    assert_ne!(flow_hash(&request, 7), flow_hash(&arp([1; 6], [3; 6], 1), 7));
    let mut other_type = request.clone();
    other_type[13] = 0x07;
    assert_ne!(flow_hash(&request, 7), flow_hash(&other_type, 7));
    // The length of an 802.3 frame says nothing of its flow.
    let llc = |length: u8| [&[1; 6][..], &[2; 6], &[0, length], &[0x42; 60]].concat();
    assert_eq!(flow_hash(&llc(10), 7), flow_hash(&llc(50), 7));
}

#[test]
fn ports_and_protocol_count_where_they_are_known() {
    for network in
        [FrameBuilder::ethernet().ipv4(ONE, OTHER), FrameBuilder::ethernet().ipv6(ONE_V6, OTHER_V6)]
    {
        let frames = [
            network.clone().tcp(5, 6, 0),
            network.clone().tcp(5, 7, 0),
            network.clone().tcp(6, 5, 0),
            network.clone().udp(5, 6),
            network.clone().sctp(5, 6),
            network.clone().gre(),
        ]
        .map(|builder| builder.build());
        let hashes: HashSet<u32> = frames.iter().map(|frame| flow_hash(frame, 0)).collect();
        assert_eq!(hashes.len(), 6);
        let tcp = frames[..3].iter().map(|frame| address_hash(frame, 0));
        assert_eq!(tcp.collect::<HashSet<u32>>().len(), 1);
        let all = frames.iter().map(|frame| address_hash(frame, 0));
        assert_eq!(all.collect::<HashSet<u32>>().len(), 4, "the protocol counts");
        // The ends are whole ends: a port does not move to the other address.
        let crossed = network.udp(6, 5).build();
        assert_ne!(flow_hash(&crossed, 0), flow_hash(&frames[3], 0));
    }
}

#[test]
fn extension_headers_are_looked_through() {
    let network = || FrameBuilder::ethernet().ipv6(ONE_V6, OTHER_V6);
    let plain = flow_hash(&network().udp(5, 6).build(), 3);
    let ah = Header::Extension { kind: 51, data: vec![0; 22] };
    let atomic = Header::Fragment { offset_bytes: 0, more: false, identification: 9 };
    for builder in [
        network().extension(0),
        network().extension(43).extension(60),
        network().layer(ah),
        // A fragment that is the whole datagram goes where its flow goes.
        network().layer(atomic),
    ] {
        assert_eq!(flow_hash(&builder.udp(5, 6).build(), 3), plain);
    }
}

#[test]
fn all_fragments_of_a_datagram_meet() {
    let payload = [7; 3_000];
    for link in [FrameBuilder::ethernet(), FrameBuilder::ethernet().vlan(4)] {
        let l3_offset = link.build().len();
        let v4 = link.clone().ipv4(ONE, OTHER).udp(5, 6).payload(&payload).build();
        let v6 = link.ipv6(ONE_V6, OTHER_V6).udp(5, 6).payload(&payload).build();
        for (whole, fragments) in [
            (&v4, fragment_ipv4(&v4, l3_offset, 576)),
            (&v6, fragment_ipv6(&v6, l3_offset, 576, 1)),
        ] {
            let hashes: HashSet<u32> = fragments.iter().map(|part| flow_hash(part, 3)).collect();
            assert_eq!(hashes.len(), 1);
            assert!(!hashes.contains(&flow_hash(whole, 3)), "fragments do not know their ports");
        }
        // By addresses alone, IPv4 fragments also meet the flow's other packets.
        let parts = fragment_ipv4(&v4, l3_offset, 576);
        assert!(parts.iter().all(|part| address_hash(part, 3) == address_hash(&v4, 3)));
    }
}

#[test]
fn lanes_are_even() {
    let frames = |vary: fn(FrameBuilder, u32) -> FrameBuilder| {
        (0..20_000).map(move |number| vary(FrameBuilder::ethernet(), number).build())
    };
    let by_client: fn(FrameBuilder, u32) -> FrameBuilder =
        |link, number| link.ipv4((0x0a00_0000 + number).to_be_bytes(), OTHER).tcp(40_000, 443, 0);
    let by_port: fn(FrameBuilder, u32) -> FrameBuilder =
        |link, number| link.ipv4(ONE, OTHER).udp(1_024 + number as u16, 53);
    let by_client_v6: fn(FrameBuilder, u32) -> FrameBuilder = |link, number| {
        let mut client = ONE_V6;
        client[12..].copy_from_slice(&number.to_be_bytes());
        link.ipv6(client, OTHER_V6).tcp(40_000, 443, 0)
    };
    let by_network: fn(FrameBuilder, u32) -> FrameBuilder =
        |link, number| link.ipv4((number << 8 | 1).to_be_bytes(), OTHER).icmp(8, 0);
    for vary in [by_client, by_port, by_client_v6, by_network] {
        for seed in [0, 1, 0xdead_beef] {
            let hashes: Vec<u32> = frames(vary).map(|frame| flow_hash(&frame, seed)).collect();
            for lanes in [2usize, 3, 4, 7, 8, 16, 64, 1_024] {
                assert_even(hashes.iter().map(|hash| *hash as usize % lanes), lanes);
                let scaled = hashes.iter().map(|hash| (*hash as usize * lanes) >> 32);
                assert_even(scaled, lanes);
            }
            let distinct: HashSet<&u32> = hashes.iter().collect();
            assert!(distinct.len() > 19_980, "as few collide as chance lets: {}", distinct.len());
        }
    }
}

/// Frames cut anywhere hash without a panic, and all that are cut before the flow shows are one.
#[test]
fn short_frames_hash() {
    for packet in TrafficMix::new(3).take(200) {
        for length in 0..packet.bytes.len().min(120) {
            let cut = &packet.bytes[..length];
            assert_eq!(flow_hash(cut, 1), flow_hash(cut, 1));
            if length < 14 {
                assert_eq!(flow_hash(cut, 1), flow_hash(&[], 1));
            }
        }
    }
}

//! Bytes meant to hurt: cut anywhere, with lying lengths, nested without end, and random.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_model::LinkType;
use weir_packet::{
    Decoded, Fragment, IssueClass, IssueKind, Layer, Network, PortKind, TunnelKind, address_hash,
    decode, flow_hash,
};
use weir_testkit::{FrameBuilder, Gre, Hostile, Layer as Header, Tcp, TrafficMix, seed};

use crate::captures::assert_decoded;
use crate::common::{capture_files, captures_folder, read_capture};
use crate::layers::{ONE, ONE_V6, OTHER, OTHER_V6};

fn ethernet() -> FrameBuilder {
    FrameBuilder::ethernet()
}

/// One frame of every shape, with nothing wrong.
fn seed_frames() -> Vec<Vec<u8>> {
    let ah = || Header::Extension { kind: 51, data: vec![0; 22] };
    let gre = Header::Gre(Gre { has_checksum: true, key: Some(1), sequence: Some(2) });
    let gtp = Header::GtpUser { teid: 1, extensions: vec![vec![1, 2], vec![0; 10]] };
    let tcp =
        Tcp { source: 1, destination: 2, flags: 0x18, options: vec![1; 12], ..Tcp::default() };
    let mut builders = Vec::new();
    for link in [
        ethernet(),
        ethernet().vlan(1),
        ethernet().service_vlan(1).vlan(2),
        ethernet().mpls(1).mpls(2),
        ethernet().vlan(1).pppoe(3),
        FrameBuilder::snap(),
        ethernet().ipv4(ONE, OTHER).vxlan(5),
        ethernet().ipv6(ONE_V6, OTHER_V6).geneve(5).vlan(4),
        ethernet().ipv4(ONE, OTHER).layer(gre),
        ethernet().ipv4(ONE, OTHER).udp(2152, 2152).layer(gtp),
        ethernet().ipv4(ONE, OTHER).udp(1701, 1701).layer(Header::L2tp { session: 3 }),
        ethernet().mpls(3).layer(Header::ControlWord).inner_ethernet(),
    ] {
        for network in [
            link.clone().ipv4(ONE, OTHER),
            link.clone().ipv4(ONE, OTHER).layer(ah()),
            link.clone().ipv6(ONE_V6, OTHER_V6),
            link.clone().ipv6(ONE_V6, OTHER_V6).extension(0).extension(60).layer(ah()),
        ] {
            builders.push(network.clone().layer(Header::Tcp(tcp.clone())));
            builders.push(network.clone().udp(7, 8));
            builders.push(network.clone().sctp(7, 8));
            builders.push(network.icmp(8, 0));
        }
    }
    builders.into_iter().map(|builder| builder.payload(b"some payload").build()).collect()
}

/// Asserts that one more byte took nothing back of what was known before.
fn assert_grows(before: &Decoded, after: &Decoded) {
    let what = || format!("{before:#?}\n{after:#?}");
    // The kind of link is known when what it carries is.
    if before.outer.network != Network::None {
        assert_eq!((before.link, before.ethertype), (after.link, after.ethertype), "{}", what());
    }
    assert!(before.vlan_count <= after.vlan_count, "{}", what());
    assert!(before.mpls_count <= after.mpls_count, "{}", what());
    assert!(before.tunnel_count <= after.tunnel_count, "{}", what());
    // ERSPAN shows as the GRE that carries it until its type is there.
    let is_gre = before.tunnel == Some(TunnelKind::Gre) && before.tunnel_count == 0;
    if before.tunnel.is_some() && !is_gre {
        assert_eq!(before.tunnel, after.tunnel, "{}", what());
    }
    let Some(known) = before.outer.flow else { return };
    let now = after.outer.flow.expect("a flow does not vanish");
    assert_eq!(known.source(), now.source(), "{}", what());
    assert_eq!(known.destination(), now.destination(), "{}", what());
    // A first fragment may turn out to be tiny by a length behind the cut.
    if !matches!(before.outer.fragment, Fragment::None | Fragment::First) {
        assert_eq!(before.outer.fragment, after.outer.fragment, "{}", what());
    }
    assert_eq!(before.outer.l3_offset, after.outer.l3_offset, "{}", what());
    assert!(before.outer.l4_offset <= after.outer.l4_offset, "{}", what());
    if known.key.port_kind() != PortKind::None {
        assert_eq!(known, now, "{}", what());
    }
    let flags = before.outer.tcp_flags;
    assert!(flags == 0 || flags == after.outer.tcp_flags, "{}", what());
}

/// Decodes every prefix of a sound frame.
fn assert_prefixes(link_type: LinkType, frame: &[u8]) {
    let whole = assert_decoded(link_type, frame);
    let mut before = assert_decoded(link_type, &[]);
    for length in 1..=frame.len() {
        let found = assert_decoded(link_type, &frame[..length]);
        assert_grows(&before, &found);
        before = found;
        if whole.issue.is_none() {
            let class = found.issue.map(|issue| issue.class());
            assert!(
                matches!(class, None | Some(IssueClass::Truncated)),
                "a cut frame is cut, not wrong, at {length}: {found:#?}"
            );
        }
    }
    assert_eq!(before, whole);
}

#[test]
fn every_prefix_of_a_sound_frame_is_only_truncated() {
    for frame in seed_frames() {
        let found = decode(LinkType::ETHERNET, &frame);
        assert_eq!(found.issue, None, "{found:#?}");
        assert!(found.outer.flow.is_some() || found.inner.is_some());
        assert_prefixes(LinkType::ETHERNET, &frame);
        // Whatever is cut off of a frame whose last byte IP claims is missed.
        let cut = decode(LinkType::ETHERNET, &frame[..frame.len() - 1]);
        assert_eq!(cut.issue.unwrap().class(), IssueClass::Truncated);
    }
}

#[test]
fn every_prefix_of_real_frames_is_only_truncated() {
    for packet in TrafficMix::new(5).take(300) {
        let length = packet.bytes.len().min(200);
        assert_prefixes(LinkType::ETHERNET, &packet.bytes[..length]);
    }
    let Some(folder) = captures_folder() else { return };
    for path in capture_files(&folder) {
        for packet in read_capture(&path).iter().step_by(17).take(8) {
            let length = packet.bytes.len().min(150);
            assert_prefixes(packet.link_type, &packet.bytes[..length]);
        }
    }
}

/// Sets `field` at `at` of a frame and returns what is wrong then.
fn with_field(frame: &[u8], at: usize, field: &[u8]) -> Decoded {
    let mut frame = frame.to_vec();
    frame[at..at + field.len()].copy_from_slice(field);
    assert_decoded(LinkType::ETHERNET, &frame)
}

/// Says what is wrong in few words.
fn problem(found: &Decoded) -> Option<(IssueKind, Layer)> {
    found.issue.map(|issue| (issue.kind, issue.layer))
}

const LENGTH: fn(Layer) -> Option<(IssueKind, Layer)> = |layer| Some((IssueKind::Length, layer));
const CUT: Option<(IssueKind, Layer)> = Some((IssueKind::Truncated, Layer::Payload));

#[test]
fn ipv4_lengths_that_lie() {
    let frame = ethernet().ipv4(ONE, OTHER).udp(5, 6).payload(&[0; 100]).build();
    let ports = |found: &Decoded| found.outer.flow.unwrap().ports();
    for words in 0..=15u8 {
        let found = with_field(&frame, 14, &[0x40 | words]);
        if words < 5 {
            assert_eq!((problem(&found), found.outer.flow), (LENGTH(Layer::Ipv4), None));
        } else {
            assert_eq!(found.outer.l4_offset, 14 + u32::from(words) * 4);
        }
        assert_eq!(
            problem(&with_field(&frame, 14, &[0x50 | words])),
            Some((IssueKind::Version, Layer::Ipv4))
        );
    }
    let total = |bytes: u16| with_field(&frame, 16, &bytes.to_be_bytes());
    for bytes in [1, 8, 19] {
        let found = total(bytes);
        assert_eq!((problem(&found), ports(&found)), (LENGTH(Layer::Ipv4), [0, 0]), "{bytes}");
    }
    for bytes in 20..28 {
        assert_eq!(problem(&total(bytes)), LENGTH(Layer::Transport), "{bytes}");
    }
    for bytes in 28..128 {
        // The UDP header says 108.
        let found = total(bytes);
        assert_eq!((problem(&found), ports(&found)), (LENGTH(Layer::Transport), [5, 6]), "{bytes}");
        assert_eq!(found.outer.payload_bytes, u32::from(bytes) - 28);
    }
    // 0 is segmentation in hardware, 128 the truth; more than is here was cut off.
    for (bytes, expected) in [(0, None), (128, None), (129, CUT), (u16::MAX, CUT)] {
        let found = total(bytes);
        assert_eq!((problem(&found), ports(&found)), (expected, [5, 6]), "{bytes}");
        assert_eq!(found.outer.payload_bytes, 100);
    }
}

#[test]
fn ipv6_lengths_that_lie() {
    let frame = ethernet().ipv6(ONE_V6, OTHER_V6).tcp(5, 6, 0).payload(&[0; 100]).build();
    let payload = |bytes: u16| with_field(&frame, 18, &bytes.to_be_bytes());
    for bytes in 1..20 {
        assert_eq!(problem(&payload(bytes)), LENGTH(Layer::Transport), "{bytes}");
    }
    for (bytes, expected) in [(0, None), (20, None), (120, None), (121, CUT), (u16::MAX, CUT)] {
        let found = payload(bytes);
        assert_eq!(problem(&found), expected, "{bytes}");
        let left = if bytes == 20 { 0 } else { 100 };
        assert_eq!(found.outer.payload_bytes, left);
    }
    let found = with_field(&frame, 14, &[0x45]);
    assert_eq!(
        (problem(&found), found.outer.flow),
        (Some((IssueKind::Version, Layer::Ipv6)), None)
    );
}

#[test]
fn transport_lengths_that_lie() {
    let frame = ethernet().ipv4(ONE, OTHER).tcp(5, 6, Tcp::SYN).payload(&[0; 16]).build();
    for words in 0..=15u8 {
        let found = with_field(&frame, 34 + 12, &[words << 4]);
        let expected = match words {
            0..5 => (LENGTH(Layer::Transport), 16),
            5..=9 => (None, 36 - u32::from(words) * 4),
            _ => (LENGTH(Layer::Transport), 0),
        };
        assert_eq!((problem(&found), found.outer.payload_bytes), expected, "{words}");
        assert_eq!((found.outer.flow.unwrap().ports(), found.outer.tcp_flags), ([5, 6], Tcp::SYN));
    }
    let frame = ethernet().ipv4(ONE, OTHER).udp(5, 6).payload(&[0; 16]).build();
    for bytes in (0..=64).chain([u16::MAX]) {
        let found = with_field(&frame, 34 + 4, &bytes.to_be_bytes());
        let expected = match bytes {
            0..8 => (LENGTH(Layer::Transport), 16),
            8..=24 => (None, u32::from(bytes) - 8),
            _ => (LENGTH(Layer::Transport), 16),
        };
        assert_eq!((problem(&found), found.outer.payload_bytes), expected, "{bytes}");
        assert_eq!(found.outer.flow.unwrap().ports(), [5, 6]);
    }
    // In a jumbogram, 0 is no lie.
    let mut frame = ethernet().ipv6(ONE_V6, OTHER_V6).udp(5, 6).payload(&[0; 16]).build();
    frame[18..20].fill(0);
    frame[54 + 4..54 + 6].fill(0);
    let found = assert_decoded(LinkType::ETHERNET, &frame);
    assert_eq!((problem(&found), found.outer.payload_bytes), (None, 16));
}

/// Each byte of each frame, set to what hurts most.
#[test]
fn any_byte_may_be_anything() {
    for frame in seed_frames() {
        for at in 0..frame.len() {
            let mut changed = frame.clone();
            for value in [0, 1, 0x7f, 0x80, 0xff, frame[at] ^ 1, frame[at].wrapping_add(4)] {
                changed[at] = value;
                assert_decoded(LinkType::ETHERNET, &changed);
                flow_hash(&changed, 1);
            }
        }
    }
}

#[test]
fn hostile_frames_decode() {
    seed::for_each_seed(20, |seed| {
        for packet in Hostile::new(seed).take(2_000) {
            assert_decoded(LinkType::ETHERNET, &packet.bytes);
            flow_hash(&packet.bytes, 1);
            address_hash(&packet.bytes, 1);
        }
    });
}

/// Frames of 64 KiB that are headers to their end.
fn endless_frames() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |level: &[u8], ethertype: [u8; 2]| {
        let mut frame = [&[2; 12][..], &ethertype].concat();
        while frame.len() < 65_535 {
            frame.extend_from_slice(level);
        }
        frame
    };
    // Each level as it is inside the others, without its Ethernet header at the front.
    let level = |builder: FrameBuilder| builder.build()[14..].to_vec();
    // A length of 0 claims nothing, so that no level is cut by the one outside.
    let unclaimed = |mut bytes: Vec<u8>| {
        bytes[2..4].fill(0);
        bytes
    };
    let mut vxlan = unclaimed(level(ethernet().ipv4(ONE, OTHER).vxlan(1)));
    vxlan[24..26].fill(0);
    let vxlan = [&vxlan[..vxlan.len() - 2], &[8, 0]].concat();
    let gre = unclaimed(level(ethernet().ipv4(ONE, OTHER).gre().ipv4(ONE, OTHER)));
    let ipip = unclaimed(level(ethernet().ipv4(ONE, OTHER).ipv4(ONE, OTHER)))[..20].to_vec();
    let gtp_extensions = {
        let gtp = ethernet().ipv4(ONE, OTHER).gtp_user(1).build();
        let mut frame = [&gtp[..], &[0, 0, 0, 0x85]].concat();
        frame[16..18].fill(0);
        frame[38..40].copy_from_slice(&u16::MAX.to_be_bytes());
        frame[42] = 0x34;
        frame[44..46].copy_from_slice(&(u16::MAX - 16).to_be_bytes());
        frame.extend([1, 0, 0, 0x85].repeat(16_000));
        frame
    };
    let gre_routes = {
        let mut frame = ethernet().ipv4(ONE, OTHER).gre().build();
        frame[16..18].fill(0);
        frame[34] = 0x40;
        frame.extend([0; 4]);
        frame.extend([8, 0, 0, 0].repeat(16_000));
        frame
    };
    let mut extensions = ethernet().ipv6(ONE_V6, OTHER_V6).extension(60).build();
    extensions[18..20].fill(0);
    extensions.extend([60, 0, 1, 4, 0, 0, 0, 0].repeat(8_000));
    extensions[54] = 60;
    vec![
        ("vxlan", nested(&vxlan, [8, 0])),
        ("gre", nested(&gre[..24], [8, 0])),
        ("ipip", nested(&ipip, [8, 0])),
        ("vlan", nested(&[0, 1, 0x81, 0], [0x81, 0])),
        ("mpls", nested(&[0, 1, 0, 64], [0x88, 0x47])),
        ("extensions", extensions),
        ("gtp extensions", gtp_extensions),
        ("gre routes", gre_routes),
    ]
}

#[test]
fn endless_headers_end_in_bounded_time() {
    /// An unoptimised build needs some microseconds; a walk to the end would need hundreds.
    const BUDGET: Duration = Duration::from_micros(40);
    for (name, frame) in endless_frames() {
        assert!(frame.len() > 60_000);
        let found = assert_decoded(LinkType::ETHERNET, &frame);
        assert_eq!(found.issue.map(|issue| issue.class()), Some(IssueClass::TooDeep), "{name}");
        // The best of many, so that a busy machine does not count.
        let fastest = (0..200).map(|_| {
            let start = Instant::now();
            std::hint::black_box(decode(LinkType::ETHERNET, std::hint::black_box(&frame)));
            std::hint::black_box(flow_hash(std::hint::black_box(&frame), 1));
            start.elapsed()
        });
        let fastest = fastest.min().unwrap();
        assert!(fastest < BUDGET, "{name}: {fastest:?}");
    }
}

/// Bytes that often are headers: pieces that announce something, in any order.
fn headerish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(seed_frames()).prop_flat_map(|frame| {
            let length = frame.len();
            (Just(frame), 0..length).prop_map(|(frame, at)| frame[at..].to_vec())
        }),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    (prop::sample::select(seed_frames()), 0..120usize, prop::collection::vec(piece, 0..4)).prop_map(
        |(frame, keep, pieces)| {
            let mut bytes = frame;
            bytes.truncate(keep);
            bytes.extend(pieces.concat());
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_decode(link_type in 0..300u16, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        assert_decoded(LinkType(link_type), &bytes);
        flow_hash(&bytes, 0);
    }

    #[test]
    fn any_headers_decode(bytes in headerish()) {
        assert_decoded(LinkType::ETHERNET, &bytes);
        flow_hash(&bytes, 0);
    }

    #[test]
    fn any_ipv4_header_decodes(header in prop::array::uniform32(any::<u8>()), rest in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut frame = [&[2; 12][..], &[8, 0, 0x45 | header[0] & 0x0f], &header[1..], &rest].concat();
        assert_decoded(LinkType::ETHERNET, &frame);
        frame[20..22].fill(0);
        assert_decoded(LinkType::ETHERNET, &frame);
    }

    #[test]
    fn any_ipv6_header_decodes(next in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 40..200)) {
        let mut frame = [&[2; 12][..], &[0x86, 0xdd, 0x60], &rest].concat();
        frame[20] = next;
        assert_decoded(LinkType::ETHERNET, &frame);
    }
}

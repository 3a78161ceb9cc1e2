//! What each kind of header decodes to, frame by frame.

use std::net::IpAddr;

use weir_model::LinkType;
use weir_packet::{
    Arp, Decoded, Direction, Fragment, Headers, IP_EXTENSIONS_MAX, Issue, IssueClass, IssueKind,
    Layer, LinkKind, MPLS_LABELS_MAX, Network, PortKind, TunnelKind, VLAN_TAGS_MAX, arp, decode,
    decode_outer,
};
use weir_testkit::{FrameBuilder, Ipv4, Layer as Header, Tcp};

pub(crate) const ONE: [u8; 4] = [10, 0, 0, 1];
pub(crate) const OTHER: [u8; 4] = [10, 0, 0, 2];
pub(crate) const ONE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const OTHER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

pub(crate) fn ethernet() -> FrameBuilder {
    FrameBuilder::ethernet()
}

pub(crate) fn decoded(builder: FrameBuilder) -> Decoded {
    decode(LinkType::ETHERNET, &builder.payload(b"payload").build_padded())
}

/// The ports, from the sender on.
pub(crate) fn ports(headers: &Headers) -> [u16; 2] {
    headers.flow.unwrap().ports()
}

pub(crate) fn issue(kind: IssueKind, layer: Layer) -> Option<Issue> {
    Some(Issue { kind, layer })
}

#[test]
fn ipv4_tcp_in_ethernet() {
    let found = decoded(ethernet().ipv4(OTHER, ONE).tcp(443, 5000, Tcp::SYN | Tcp::ACK));
    assert_eq!((found.link, found.ethertype, found.issue), (LinkKind::Ethernet, 0x0800, None));
    assert_eq!((found.vlan_count, found.mpls_count, found.tunnel), (0, 0, None));
    let outer = found.outer;
    assert_eq!((outer.network, outer.ip_next, outer.fragment), (Network::Ipv4, 6, Fragment::None));
    assert_eq!((outer.l3_offset, outer.l4_offset, outer.payload_offset), (14, 34, 54));
    assert_eq!(outer.payload_bytes, 7);
    assert_eq!(outer.tcp_flags, 0x12);
    let flow = outer.flow.unwrap();
    assert_eq!(flow.direction, Direction::HighToLow);
    assert_eq!((flow.source(), flow.destination()), (IpAddr::from(OTHER), IpAddr::from(ONE)));
    assert_eq!(flow.ports(), [443, 5000]);
    assert_eq!((flow.key.low_port(), flow.key.high_port()), (5000, 443));
    assert_eq!((flow.key.protocol(), flow.key.port_kind()), (6, PortKind::Transport));
}

#[test]
fn padding_is_not_payload() {
    let frame = ethernet().ipv4(ONE, OTHER).udp(1, 2).payload(b"abc").build_padded();
    assert_eq!(frame.len(), 60);
    let found = decode(LinkType::ETHERNET, &frame);
    assert_eq!((found.outer.payload_offset, found.outer.payload_bytes), (42, 3));
    // The UDP length is shorter than the IP payload: what is between them is not payload either.
    let mut frame = ethernet().ipv6(ONE_V6, OTHER_V6).udp(1, 2).payload(b"abcdef").build();
    frame[14 + 40 + 5] = 8 + 2;
    assert_eq!(decode(LinkType::ETHERNET, &frame).outer.payload_bytes, 2);
}

#[test]
fn options_and_extensions_move_the_transport_header() {
    let header = Ipv4 {
        source: ONE,
        destination: OTHER,
        identification: 0,
        fragment: 0,
        ttl: 1,
        options: vec![1; 40],
    };
    let found = decoded(ethernet().layer(Header::Ipv4(header)).udp(5, 6));
    assert_eq!((found.outer.l4_offset, ports(&found.outer)), (14 + 60, [5, 6]));

    let tcp = Tcp { source: 5, destination: 6, options: vec![1; 40], ..Tcp::default() };
    let found = decoded(ethernet().ipv4(ONE, OTHER).layer(Header::Tcp(tcp)));
    assert_eq!((found.outer.payload_offset, found.outer.payload_bytes), (14 + 20 + 60, 7));

    for kind in [0, 43, 60, 135, 139, 140] {
        let found = decoded(ethernet().ipv6(ONE_V6, OTHER_V6).extension(kind).udp(5, 6));
        assert_eq!((found.outer.ip_next, found.outer.l4_offset), (kind, 14 + 48), "{kind}");
        assert_eq!((ports(&found.outer), found.issue), ([5, 6], None), "{kind}");
    }
    let ah = || Header::Extension { kind: 51, data: vec![0; 22] };
    for network in [ethernet().ipv6(ONE_V6, OTHER_V6), ethernet().ipv4(ONE, OTHER)] {
        let found = decoded(network.layer(ah()).udp(5, 6));
        assert_eq!((found.outer.ip_next, ports(&found.outer)), (51, [5, 6]));
        assert_eq!(found.outer.flow.unwrap().key.protocol(), 17);
    }
    // IPv4 knows no other extension: 60 is a protocol there as any.
    let found = decoded(ethernet().ipv4(ONE, OTHER).extension(60).udp(5, 6));
    assert_eq!(found.outer.flow.unwrap().key.protocol(), 60);
    // What ESP hides is not looked at.
    let esp = Header::Raw { ethertype: 0, ip_protocol: 50, bytes: vec![0; 8] };
    let found = decoded(ethernet().ipv6(ONE_V6, OTHER_V6).extension(0).layer(esp).udp(5, 6));
    let key = found.outer.flow.unwrap().key;
    assert_eq!((key.protocol(), key.port_kind(), found.issue), (50, PortKind::None, None));
}

#[test]
fn vlan_tags_stack() {
    for count in 0..=VLAN_TAGS_MAX + 2 {
        let mut builder = ethernet();
        for tag in 0..count {
            let tpid = [0x8100, 0x88a8, 0x9100][tag % 3];
            builder = builder.layer(Header::Vlan { tpid, tci: 0x6000 | (tag as u16 + 100) });
        }
        let found = decoded(builder.ipv4(ONE, OTHER).udp(5, 6));
        assert_eq!(usize::from(found.vlan_count), count.min(VLAN_TAGS_MAX));
        if count > 0 {
            let tag = found.vlans[0];
            assert_eq!((tag.tpid, tag.id(), tag.priority()), (0x8100, 100, 3));
        }
        if count > VLAN_TAGS_MAX {
            assert_eq!(found.issue, issue(IssueKind::TooDeep, Layer::Vlan));
            assert_eq!((found.outer.network, found.outer.flow), (Network::Other, None));
        } else {
            let ids = [100, 101].map(|id| if usize::from(id - 100u16) < count { id } else { 0 });
            assert_eq!(found.outer.flow.unwrap().key.vlan_ids(), ids);
            assert_eq!((found.ethertype, found.issue), (0x0800, None));
        }
    }
}

#[test]
fn priority_tags_name_no_vlan() {
    let tagged = |builder: FrameBuilder| decoded(builder.ipv4(ONE, OTHER).udp(5, 6));
    let key = |found: &Decoded| found.outer.flow.unwrap().key;
    let plain = tagged(ethernet());
    let priority = tagged(ethernet().vlan(0));
    assert_eq!(priority.vlan_count, 1);
    assert_eq!(key(&priority), key(&plain));
    assert_eq!(key(&tagged(ethernet().vlan(0).vlan(7))), key(&tagged(ethernet().vlan(7))));
    assert_ne!(key(&tagged(ethernet().vlan(7))), key(&plain));
    assert_ne!(key(&tagged(ethernet().vlan(7).vlan(8))), key(&tagged(ethernet().vlan(7))));
}

#[test]
fn llc_and_snap_by_the_length() {
    let found = decoded(FrameBuilder::snap().ipv4(ONE, OTHER).udp(5, 6));
    assert_eq!(
        (found.link, found.ethertype, ports(&found.outer)),
        (LinkKind::Snap, 0x0800, [5, 6])
    );
    let llc = |announced: u16, bytes: &[u8]| {
        let frame = [&[2; 12][..], &announced.to_be_bytes(), bytes].concat();
        decode_outer(LinkType::ETHERNET, &frame)
    };
    // Spanning tree: LLC without SNAP.
    let found = llc(38, &[&[0x42, 0x42, 0x03][..], &[0; 43]].concat());
    assert_eq!((found.link, found.ethertype), (LinkKind::Ieee8023, 0));
    assert_eq!((found.outer.l3_offset, found.outer.payload_bytes), (14, 38));
    // Cisco's own SNAP numbers are no EtherTypes.
    let found = llc(50, &[&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x08, 0x00][..], &[0; 42]].concat());
    assert_eq!((found.link, found.ethertype), (LinkKind::Snap, 0));
    assert_eq!(found.outer.network, Network::Other);
    // 1500 is the last length; 1501 to 1535 are neither.
    assert_eq!(llc(1500, &[0x42; 1500]).link, LinkKind::Ieee8023);
    for announced in [1501, 1535, 1536] {
        let found = llc(announced, &[0x42; 60]);
        assert_eq!((found.link, found.ethertype), (LinkKind::Ethernet, announced));
    }
    let found = llc(2, &[0xaa; 46]);
    assert_eq!(found.issue, issue(IssueKind::Length, Layer::Link));
    // A tag, then a length.
    let tagged = ethernet().vlan(3).layer(Header::Raw {
        ethertype: 8,
        ip_protocol: 0,
        bytes: vec![0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd],
    });
    let found = decoded(tagged);
    assert_eq!((found.link, found.vlan_count, found.ethertype), (LinkKind::Snap, 1, 0x86dd));
}

#[test]
fn mpls_down_to_the_bottom() {
    for count in 1..=MPLS_LABELS_MAX + 1 {
        let mut builder = ethernet().vlan(9);
        for label in 0..count {
            builder = builder.mpls(label as u32 + 16);
        }
        let found = decoded(builder.ipv6(ONE_V6, OTHER_V6).udp(5, 6));
        assert_eq!(
            (usize::from(found.mpls_count), found.ethertype),
            (count.min(MPLS_LABELS_MAX), 0x8847)
        );
        if count > MPLS_LABELS_MAX {
            assert_eq!(found.issue, issue(IssueKind::TooDeep, Layer::Mpls));
        } else {
            assert_eq!((ports(&found.outer), found.tunnel), ([5, 6], None));
            assert_eq!(found.outer.flow.unwrap().key.vlan_ids(), [9, 0]);
        }
    }
    let endless = [&[2; 12][..], &[0x88, 0x47], &[0; 40]].concat();
    let found = decode(LinkType::ETHERNET, &endless);
    assert_eq!(found.issue, issue(IssueKind::Truncated, Layer::Mpls));
    let pseudowire = ethernet().mpls(16).layer(Header::ControlWord).inner_ethernet();
    let found = decoded(pseudowire.vlan(4).ipv4(ONE, OTHER).udp(5, 6));
    assert_eq!((found.outer.network, found.tunnel), (Network::Other, Some(TunnelKind::Pseudowire)));
    let inner = found.inner.unwrap();
    assert_eq!((ports(&inner), inner.flow.unwrap().key.vlan_ids()), ([5, 6], [4, 0]));
}

#[test]
fn pppoe_sessions() {
    let found = decoded(ethernet().pppoe(1).ipv4(ONE, OTHER).udp(5, 6));
    assert_eq!((found.ethertype, ports(&found.outer)), (0x8864, [5, 6]));
    assert_eq!(found.outer.l3_offset, 14 + 8);
    let found = decoded(ethernet().pppoe(1).ipv6(ONE_V6, OTHER_V6).udp(5, 6));
    assert_eq!((found.outer.network, ports(&found.outer)), (Network::Ipv6, [5, 6]));
    let control = Header::Raw { ethertype: 0, ip_protocol: 0, bytes: vec![1; 8] };
    let found = decoded(ethernet().pppoe(1).layer(control));
    assert_eq!((found.outer.network, found.issue), (Network::Other, None));
    let mut frame = ethernet().pppoe(1).ipv4(ONE, OTHER).udp(5, 6).build();
    frame[14] = 0x21;
    let found = decode(LinkType::ETHERNET, &frame);
    assert_eq!(found.issue, issue(IssueKind::Version, Layer::Ppp));
    // The PPPoE length cuts the IP packet inside it.
    let mut frame = ethernet().pppoe(1).ipv4(ONE, OTHER).udp(5, 6).payload(&[0; 50]).build();
    frame[19] -= 1;
    let found = decode(LinkType::ETHERNET, &frame);
    assert_eq!((found.issue, ports(&found.outer)), (issue(IssueKind::Length, Layer::Ipv4), [5, 6]));
}

#[test]
fn arp_tells_hosts() {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1];
    bytes.extend(ONE);
    bytes.extend([2, 0, 0, 0, 0, 2]);
    bytes.extend(OTHER);
    let layer = |ethertype, bytes| Header::Raw { ethertype, ip_protocol: 0, bytes };
    let expected = Arp { operation: 2, sender: ONE.into(), target: OTHER.into() };
    for ethertype in [0x0806, 0x8035] {
        let frame = ethernet().vlan(3).layer(layer(ethertype, bytes.clone())).build();
        let found = decode(LinkType::ETHERNET, &frame);
        assert_eq!((found.outer.network, found.outer.flow), (Network::Arp, None));
        assert_eq!(arp(&found, &frame), Some(expected));
        assert_eq!(arp(&found, &frame[..frame.len() - 1]), None);
    }
    bytes[4] = 8;
    let frame = ethernet().layer(layer(0x0806, bytes)).build();
    assert_eq!(arp(&decode(LinkType::ETHERNET, &frame), &frame), None);
    let frame = ethernet().ipv4(ONE, OTHER).udp(1, 2).build();
    assert_eq!(arp(&decode(LinkType::ETHERNET, &frame), &frame), None);
}

#[test]
fn other_link_types() {
    let packet = FrameBuilder::raw().ipv4(ONE, OTHER).udp(5, 6).payload(b"x").build();
    let packet_v6 = FrameBuilder::raw().ipv6(ONE_V6, OTHER_V6).udp(5, 6).payload(b"x").build();
    let with = |header: &[u8]| [header, &packet].concat();
    let with_v6 = |header: &[u8]| [header, &packet_v6].concat();
    let sll = |protocol: [u8; 2]| [&[0; 14][..], &protocol].concat();
    let sll2 = |protocol: [u8; 2]| [&protocol[..], &[0; 18]].concat();
    let cases = [
        (0, with(&[2, 0, 0, 0]), LinkKind::Null),
        (0, with(&[0, 0, 0, 2]), LinkKind::Null),
        (0, with_v6(&[30, 0, 0, 0]), LinkKind::Null),
        (108, with_v6(&[0, 0, 0, 24]), LinkKind::Null),
        (12, packet.clone(), LinkKind::RawIp),
        (101, packet_v6.clone(), LinkKind::RawIp),
        (228, packet.clone(), LinkKind::RawIp),
        (229, packet_v6.clone(), LinkKind::RawIp),
        (113, with(&sll([8, 0])), LinkKind::LinuxSll),
        (113, with_v6(&sll([0x86, 0xdd])), LinkKind::LinuxSll),
        (113, [&sll([0x81, 0])[..], &[0, 5, 8, 0], &packet].concat(), LinkKind::LinuxSll),
        (276, with(&sll2([8, 0])), LinkKind::LinuxSll2),
    ];
    for (link_type, bytes, kind) in cases {
        let found = decode(LinkType(link_type), &bytes);
        assert_eq!((found.link, found.issue), (kind, None), "{link_type}");
        assert_eq!(ports(&found.outer), [5, 6], "{link_type}");
        assert_eq!(found.outer.payload_bytes, 1);
    }
    // IPv6 where IPv4 was announced, and the other way round.
    let found = decode(LinkType(228), &packet_v6);
    assert_eq!((found.issue, found.outer.flow), (issue(IssueKind::Version, Layer::Ipv4), None));
    let found = decode(LinkType(229), &packet);
    assert_eq!((found.issue, found.outer.flow), (issue(IssueKind::Truncated, Layer::Ipv6), None));
    let found = decode(LinkType(105), &packet);
    assert_eq!((found.link, found.issue), (LinkKind::Unknown, None));
    assert_eq!((found.outer.payload_offset, found.outer.payload_bytes), (0, packet.len() as u32));
}

#[test]
fn extension_chains_of_any_length() {
    for count in 0..=IP_EXTENSIONS_MAX + 100 {
        let mut builder = ethernet().ipv6(ONE_V6, OTHER_V6);
        for _ in 0..count {
            builder = builder.extension(60);
        }
        let found = decoded(builder.udp(5, 6));
        if count > IP_EXTENSIONS_MAX {
            assert_eq!(found.issue, issue(IssueKind::TooDeep, Layer::Extension));
            assert_eq!(found.issue.unwrap().class(), IssueClass::TooDeep);
            assert_eq!(found.outer.flow.unwrap().key.protocol(), 60);
        } else {
            assert_eq!((found.issue, ports(&found.outer)), (None, [5, 6]));
        }
    }
    let found = decoded(ethernet().ipv6(ONE_V6, OTHER_V6).extension(60).extension(0).udp(5, 6));
    assert_eq!(
        (found.issue, ports(&found.outer)),
        (issue(IssueKind::Order, Layer::Extension), [5, 6])
    );
    // Longer than the packet says it is.
    let long = Header::Extension { kind: 60, data: vec![0; 6 + 255 * 8] };
    let mut frame = ethernet().ipv6(ONE_V6, OTHER_V6).layer(long).udp(5, 6).build();
    assert_eq!(ports(&decode(LinkType::ETHERNET, &frame).outer), [5, 6]);
    frame[18..20].copy_from_slice(&2_000u16.to_be_bytes());
    let found = decode(LinkType::ETHERNET, &frame);
    assert_eq!(found.issue, issue(IssueKind::Length, Layer::Extension));
    assert_eq!(found.outer.flow.unwrap().key.port_kind(), PortKind::None);
    let no_length = Header::Extension { kind: 51, data: vec![0; 6] };
    let found = decoded(ethernet().ipv6(ONE_V6, OTHER_V6).layer(no_length).udp(5, 6));
    assert_eq!(
        (found.issue, ports(&found.outer)),
        (issue(IssueKind::Length, Layer::Extension), [5, 6])
    );
}

//! What each kind of header decodes to, frame by frame.

use std::net::IpAddr;

use weir_model::LinkType;
use weir_packet::{
    Arp, Decoded, Direction, Fragment, Headers, IP_EXTENSIONS_MAX, Issue, IssueClass, IssueKind,
    Layer, LinkKind, MPLS_LABELS_MAX, Network, PortKind, TUNNELS_MAX, TunnelKind, VLAN_TAGS_MAX,
    arp, decode, decode_outer,
};
use weir_testkit::{
    FrameBuilder, Geneve, Gre, Ipv4, Layer as Header, Tcp, fragment_ipv4, fragment_ipv6,
};

pub(crate) const ONE: [u8; 4] = [10, 0, 0, 1];
pub(crate) const OTHER: [u8; 4] = [10, 0, 0, 2];
pub(crate) const ONE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const OTHER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn ethernet() -> FrameBuilder {
    FrameBuilder::ethernet()
}

fn decoded(builder: FrameBuilder) -> Decoded {
    decode(LinkType::ETHERNET, &builder.payload(b"payload").build_padded())
}

/// The ports, from the sender on.
fn ports(headers: &Headers) -> [u16; 2] {
    headers.flow.unwrap().ports()
}

fn issue(kind: IssueKind, layer: Layer) -> Option<Issue> {
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

/// Tunnels, what is in them, and how deep.
#[test]
fn tunnels_lead_inside() {
    let gre = |has_checksum, key, sequence| {
        ethernet().ipv4(ONE, OTHER).layer(Header::Gre(Gre { has_checksum, key, sequence }))
    };
    let geneve = |bytes| {
        let header = Geneve { vni: 5, options: vec![0; bytes] };
        ethernet().ipv4(ONE, OTHER).udp(9, 6081).layer(Header::Geneve(header))
    };
    let gtp = |extensions| {
        let header = Header::GtpUser { teid: 1, extensions };
        ethernet().ipv6(ONE_V6, OTHER_V6).udp(2152, 2152).layer(header)
    };
    let raw = |bytes: &[u8]| Header::Raw { ethertype: 0, ip_protocol: 0, bytes: bytes.to_vec() };
    let mut cases = vec![
        (TunnelKind::IpInIp, ethernet().ipv4(ONE, OTHER)),
        (TunnelKind::IpInIp, ethernet().ipv6(ONE_V6, OTHER_V6).extension(60)),
        (TunnelKind::Gre, gre(false, Some(1), None).inner_ethernet().vlan(3)),
        (TunnelKind::Gre, gre(false, None, None).mpls(3)),
        (
            TunnelKind::Erspan,
            gre(false, None, None).layer(Header::Erspan { kind: 1 }).inner_ethernet(),
        ),
        (
            TunnelKind::Erspan,
            gre(false, None, Some(1)).layer(Header::Erspan { kind: 2 }).inner_ethernet(),
        ),
        (
            TunnelKind::Erspan,
            gre(false, None, Some(1)).layer(Header::Erspan { kind: 3 }).inner_ethernet(),
        ),
        (TunnelKind::EtherIp, ethernet().ipv4(ONE, OTHER).layer(Header::EtherIp).inner_ethernet()),
        (TunnelKind::Vxlan, ethernet().ipv4(ONE, OTHER).vxlan(7)),
        (
            TunnelKind::Vxlan,
            ethernet()
                .ipv4(ONE, OTHER)
                .udp(1, 8472)
                .layer(Header::Vxlan { vni: 7 })
                .inner_ethernet(),
        ),
        (
            TunnelKind::Vxlan,
            ethernet()
                .ipv4(ONE, OTHER)
                .udp(1, 4790)
                .layer(raw(&[0x0c, 0, 0, 3, 0, 0, 7, 0]))
                .inner_ethernet(),
        ),
        (TunnelKind::Geneve, geneve(0)),
        (TunnelKind::Geneve, geneve(252).inner_ethernet()),
        (TunnelKind::GtpUser, gtp(vec![])),
        (TunnelKind::GtpUser, gtp(vec![vec![1, 2], vec![0; 10]])),
        (
            TunnelKind::L2tp,
            ethernet().ipv4(ONE, OTHER).udp(1701, 9).layer(Header::L2tp { session: 7 }),
        ),
        (TunnelKind::Mpls, ethernet().ipv4(ONE, OTHER).mpls(3)),
        (TunnelKind::Mpls, ethernet().ipv4(ONE, OTHER).udp(9, 6635).mpls(3)),
        (TunnelKind::BackboneBridge, ethernet().layer(Header::BackboneTag).inner_ethernet()),
        (TunnelKind::Pseudowire, ethernet().mpls(3).layer(Header::ControlWord).inner_ethernet()),
    ];
    for flags in 0..8 {
        let optional = |bit: u32, value| (flags & bit != 0).then_some(value);
        cases.push((TunnelKind::Gre, gre(flags & 1 != 0, optional(2, 5), optional(4, 6))));
    }
    for (kind, outside) in cases {
        let builder = outside.clone().ipv4([192, 0, 2, 1], [192, 0, 2, 2]).tcp(5, 6, Tcp::SYN);
        let found = decoded(builder.clone());
        assert_eq!((found.tunnel, found.tunnel_count), (Some(kind), 1), "{builder:?}");
        assert_eq!(found.issue, None, "{builder:?}");
        let inner = found.inner.unwrap();
        assert_eq!(inner.flow.unwrap().source(), IpAddr::from([192, 0, 2, 1]), "{builder:?}");
        assert_eq!((ports(&inner), inner.tcp_flags, inner.payload_bytes), ([5, 6], 2, 7));
        // The same with IPv6 inside.
        let found = decoded(outside.ipv6(ONE_V6, OTHER_V6).udp(7, 8));
        assert_eq!(ports(&found.inner.unwrap()), [7, 8], "{builder:?}");
    }
}

#[test]
fn tunnels_that_are_not_entered() {
    let udp = |port, bytes: &[u8]| {
        let header = Header::Raw { ethertype: 0, ip_protocol: 0, bytes: bytes.to_vec() };
        decoded(ethernet().ipv4(ONE, OTHER).udp(port, port).layer(header))
    };
    let nothing = |found: Decoded| (found.tunnel, found.inner, found.issue);
    // GTP: an echo request, version 2, and the charging protocol beside it.
    assert_eq!(nothing(udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0])), (None, None, None));
    assert_eq!(nothing(udp(2152, &[0x48, 255, 0, 4, 0, 0, 0, 0])), (None, None, None));
    assert_eq!(nothing(udp(2152, &[0x20, 255, 0, 4, 0, 0, 0, 0])), (None, None, None));
    // Teredo: not IPv6. L2TP: a control message, and version 3, whose cookie is a secret.
    assert_eq!(nothing(udp(3544, &[0x40, 0, 0, 0])), (None, None, None));
    assert_eq!(nothing(udp(1701, &[0xc8, 2, 0, 12])), (Some(TunnelKind::L2tp), None, None));
    assert_eq!(nothing(udp(1701, &[0, 3, 0, 0, 0, 0, 0, 1])), (Some(TunnelKind::L2tp), None, None));
    let l2tp = Header::Raw { ethertype: 0, ip_protocol: 115, bytes: vec![0; 8] };
    let found = decoded(ethernet().ipv4(ONE, OTHER).layer(l2tp));
    assert_eq!(nothing(found), (Some(TunnelKind::L2tp), None, None));
    // A GTP extension of length 0 would never end; a Geneve version that is not known.
    let version = issue(IssueKind::Version, Layer::Tunnel);
    let length = issue(IssueKind::Length, Layer::Tunnel);
    let gtp = [0x34, 255, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0x85, 0, 0, 0, 0];
    assert_eq!(nothing(udp(2152, &gtp)), (Some(TunnelKind::GtpUser), None, length));
    assert_eq!(nothing(udp(6081, &[0x40; 8])), (Some(TunnelKind::Geneve), None, version));
    let gre = Header::Raw { ethertype: 0, ip_protocol: 47, bytes: vec![0, 2, 8, 0] };
    let found = decoded(ethernet().ipv4(ONE, OTHER).layer(gre));
    assert_eq!(nothing(found), (Some(TunnelKind::Gre), None, version));
    // The data path's decoder does not look for tunnels.
    let frame = ethernet().ipv4(ONE, OTHER).vxlan(7).ipv4(ONE, OTHER).udp(5, 6).build();
    let found = decode_outer(LinkType::ETHERNET, &frame);
    assert_eq!((nothing(found), ports(&found.outer)[1]), ((None, None, None), 4789));
}

#[test]
fn teredo_behind_its_indications() {
    let authentication = [&[0, 1, 2, 3][..], &[9; 5], &[0; 9]].concat();
    let origin = [0, 0, 1, 2, 3, 4, 5, 6].to_vec();
    for before in
        [vec![], authentication.clone(), origin.clone(), [authentication, origin].concat()]
    {
        let builder = ethernet()
            .ipv4(ONE, OTHER)
            .udp(50_000, 3544)
            .layer(Header::Raw { ethertype: 0, ip_protocol: 0, bytes: before })
            .ipv6(ONE_V6, OTHER_V6)
            .udp(5, 6);
        let found = decoded(builder);
        assert_eq!((found.tunnel, found.issue), (Some(TunnelKind::Teredo), None));
        assert_eq!(ports(&found.inner.unwrap()), [5, 6]);
    }
}

#[test]
fn pptp_carries_ppp() {
    // Version 1, key and sequence number, and with 0x80 in the second byte an acknowledgment.
    for (flags, words) in [([0x30, 0x01], 2), ([0x30, 0x81], 3)] {
        let mut bytes = vec![flags[0], flags[1], 0x88, 0x0b];
        bytes.extend(vec![0; words * 4]);
        bytes.extend([0xff, 0x03, 0x00, 0x21]);
        let gre = Header::Raw { ethertype: 0, ip_protocol: 47, bytes };
        let found = decoded(ethernet().ipv4(ONE, OTHER).layer(gre).ipv4(OTHER, ONE).udp(5, 6));
        assert_eq!((found.tunnel, ports(&found.inner.unwrap())), (Some(TunnelKind::Gre), [5, 6]));
    }
    // An acknowledgment alone carries nothing.
    let bytes = vec![0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1];
    let found = decoded(ethernet().ipv4(ONE, OTHER).layer(Header::Raw {
        ethertype: 0,
        ip_protocol: 47,
        bytes,
    }));
    assert_eq!((found.tunnel, found.inner), (Some(TunnelKind::Gre), None));
}

#[test]
fn tunnels_nest_up_to_the_limit() {
    for count in 0..=TUNNELS_MAX + 2 {
        let mut builder = ethernet().ipv4(ONE, OTHER);
        for level in 0..count {
            builder = match level % 3 {
                0 => builder.ipv4(ONE, OTHER),
                1 => builder.vxlan(1).ipv4(ONE, OTHER),
                _ => builder.gre().ipv6(ONE_V6, OTHER_V6),
            };
        }
        let found = decoded(builder.udp(5, 6));
        assert_eq!(usize::from(found.tunnel_count), count.min(TUNNELS_MAX));
        let is_too_deep = issue(IssueKind::TooDeep, Layer::Tunnel);
        assert_eq!(found.issue, if count > TUNNELS_MAX { is_too_deep } else { None });
        if (1..=TUNNELS_MAX).contains(&count) {
            assert_eq!(ports(&found.inner.unwrap()), [5, 6]);
        }
        assert_eq!(found.outer.flow.unwrap().source(), IpAddr::from(ONE));
    }
}

#[test]
fn fragments_by_their_place() {
    let v4 = ethernet().ipv4(ONE, OTHER).udp(5, 6).payload(&[7; 100]).build();
    let v6 = ethernet().ipv6(ONE_V6, OTHER_V6).udp(5, 6).payload(&[7; 100]).build();
    for (fragments, protocol) in
        [(fragment_ipv4(&v4, 14, 40), 17), (fragment_ipv6(&v6, 14, 40, 1), 17)]
    {
        for (index, fragment) in fragments.iter().enumerate() {
            let found = decode(LinkType::ETHERNET, fragment);
            let key = found.outer.flow.unwrap().key;
            assert_eq!((key.protocol(), found.issue), (protocol, None));
            let expected = if index == 0 {
                (Fragment::First, PortKind::Transport, 32)
            } else {
                (Fragment::Later, PortKind::None, if index == 2 { 28 } else { 40 })
            };
            assert_eq!(
                (found.outer.fragment, key.port_kind(), found.outer.payload_bytes),
                expected
            );
        }
    }
}

#[test]
fn fragments_made_to_deceive() {
    let v6 = |offset_bytes, more| {
        let header = Header::Fragment { offset_bytes, more, identification: 1 };
        ethernet().ipv6(ONE_V6, OTHER_V6).layer(header)
    };
    let v4 = |offset_words: u16, more| {
        Header::Ipv4(Ipv4 {
            source: ONE,
            destination: OTHER,
            identification: 1,
            fragment: offset_words | if more { 0x2000 } else { 0 },
            ttl: 1,
            options: vec![],
        })
    };
    let class = |found: &Decoded| found.outer.fragment;
    // A whole datagram in one fragment has its ports.
    let found = decoded(v6(0, false).tcp(5, 6, Tcp::SYN));
    assert_eq!((class(&found), ports(&found.outer), found.issue), (Fragment::Atomic, [5, 6], None));
    // Too small for its transport header: ports, and flags in the next one.
    let tiny = Header::Raw { ethertype: 0, ip_protocol: 6, bytes: vec![0, 5, 0, 6, 0, 0, 0, 0] };
    let frame = ethernet().layer(v4(0, true)).layer(tiny.clone()).build();
    let found = decode(LinkType::ETHERNET, &frame);
    assert_eq!((class(&found), ports(&found.outer), found.issue), (Fragment::Tiny, [5, 6], None));
    let found = decode(LinkType::ETHERNET, &v6(0, true).layer(tiny).build());
    let split = issue(IssueKind::SplitHeaders, Layer::Transport);
    assert_eq!((class(&found), ports(&found.outer), found.issue), (Fragment::Tiny, [5, 6], split));
    // The rest of the header chain is in the next fragment.
    let chain = Header::Raw { ethertype: 0, ip_protocol: 60, bytes: vec![6, 1, 0, 0, 0, 0, 0, 0] };
    let found = decode(LinkType::ETHERNET, &v6(0, true).layer(chain).build());
    let split = issue(IssueKind::SplitHeaders, Layer::Extension);
    assert_eq!((class(&found), found.issue), (Fragment::Tiny, split));
    // A later fragment of TCP over the header of the first; of UDP that cannot be.
    for offset_words in [1, 2, 3] {
        let over_tcp = decoded(ethernet().layer(v4(offset_words, false)).tcp(5, 6, 0));
        let is_over = offset_words < 3;
        let expected = if is_over { Fragment::OverlapUnknown } else { Fragment::Later };
        assert_eq!(class(&over_tcp), expected);
        assert_eq!((over_tcp.outer.tcp_flags, ports(&over_tcp.outer)), (0, [0, 0]));
        assert_eq!(
            class(&decoded(ethernet().layer(v4(offset_words, false)).udp(5, 6))),
            Fragment::Later
        );
        let found = decoded(v6(offset_words * 8, true).tcp(5, 6, 0));
        assert_eq!(class(&found), expected);
    }
    // The end lies beyond what a datagram can have.
    let overflow = issue(IssueKind::FragmentOverflow, Layer::Payload);
    assert_eq!(decoded(ethernet().layer(v4(0x1fff, false)).udp(5, 6)).issue, overflow);
    assert_eq!(decoded(v6(0xfff8, false).udp(5, 6)).issue, overflow);
    // Two fragment headers.
    let second = Header::Fragment { offset_bytes: 64, more: false, identification: 2 };
    let found = decoded(v6(0, false).layer(second).udp(5, 6));
    assert_eq!(
        (class(&found), found.issue),
        (Fragment::Later, issue(IssueKind::Order, Layer::Extension))
    );
}

#[test]
fn a_first_fragment_shows_the_tunnel_in_it() {
    let frame = ethernet()
        .ipv4(ONE, OTHER)
        .vxlan(7)
        .ipv4(OTHER, ONE)
        .tcp(5, 6, Tcp::ACK)
        .payload(&[0; 1_400])
        .build();
    let fragments = fragment_ipv4(&frame, 14, 600);
    let found = decode(LinkType::ETHERNET, &fragments[0]);
    // What is inside goes on in the next fragment, as if the capture were cut.
    assert_eq!(found.issue, issue(IssueKind::Truncated, Layer::Payload));
    let inner = found.inner.unwrap();
    assert_eq!((ports(&inner), inner.tcp_flags), ([5, 6], Tcp::ACK));
    assert_eq!(inner.payload_offset + inner.payload_bytes, fragments[0].len() as u32);
    let found = decode(LinkType::ETHERNET, &fragments[1]);
    assert_eq!((found.outer.fragment, found.tunnel), (Fragment::Later, None));
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

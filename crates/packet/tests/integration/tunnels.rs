//! Tunnels, what is in them, and how deep.

use std::net::IpAddr;

use weir_model::LinkType;
use weir_packet::{
    Decoded, IssueKind, Layer, Network, TUNNELS_MAX, TunnelKind, decode, decode_outer,
};
use weir_testkit::{Geneve, Gre, Layer as Header, Tcp, fragment_ipv4};

use crate::layers::{ONE, ONE_V6, OTHER, OTHER_V6, decoded, ethernet, issue, ports};

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

/// Optional fields of tunnels' own headers, as flags announce them.
#[test]
fn optional_fields_are_skipped() {
    let over = |ip_protocol, bytes: &[u8]| {
        let header = Header::Raw { ethertype: 0, ip_protocol, bytes: bytes.to_vec() };
        ethernet().ipv4(ONE, OTHER).layer(header)
    };
    let udp = |port, bytes: &[u8]| {
        let header = Header::Raw { ethertype: 0, ip_protocol: 0, bytes: bytes.to_vec() };
        ethernet().ipv4(ONE, OTHER).udp(port, port).layer(header)
    };
    let gtp = |flags| [flags, 255, 0x01, 0x00, 0, 0, 0, 1, 9, 9, 9, 0];
    // GTP claims 256 bytes of its own, so the frames are padded.
    let cases = [
        // GTP with a sequence number, an N-PDU number, and both; the extension type is 0.
        udp(2152, &gtp(0x32)),
        udp(2152, &gtp(0x31)),
        udp(2152, &gtp(0x37)),
        // L2TP: no length; a sequence; an offset with two bytes of padding; and all of it.
        udp(1701, &[0x00, 0x02, 0, 1, 0, 2, 0x00, 0x21]),
        udp(1701, &[0x08, 0x02, 0, 1, 0, 2, 9, 9, 9, 9, 0x00, 0x21]),
        udp(1701, &[0x02, 0x02, 0, 1, 0, 2, 0, 2, 7, 7, 0x21]),
        udp(1701, &[0x4a, 0x02, 1, 0, 0, 1, 0, 2, 9, 9, 9, 9, 0, 0, 0xff, 0x03, 0x00, 0x21]),
        // GRE with source routes: one that looks like the end, one that is empty, and the end.
        over(
            47,
            &[[0x40, 0, 8, 0, 0, 0, 0, 0], [8, 0, 0, 4, 0, 0, 0, 0], [8, 0, 0, 0, 0, 0, 0, 0]]
                .concat(),
        ),
        // GRE version 1 of another protocol than PPP.
        over(47, &[0x20, 0x01, 8, 0, 0, 0, 0, 1]),
    ];
    for builder in cases {
        let frame = builder.clone().ipv4(OTHER, ONE).udp(5, 6).payload(&[0; 400]).build();
        let found = decode(LinkType::ETHERNET, &frame);
        let inner = found.inner.unwrap_or_else(|| panic!("not entered: {builder:?}"));
        assert_eq!((inner.network, ports(&inner)), (Network::Ipv4, [5, 6]), "{builder:?}");
    }
    // ERSPAN type III with its optional eight bytes; VXLAN-GPE that names no next protocol.
    let erspan = [
        [0x10, 0, 0x22, 0xeb],
        [0, 0, 0, 1],
        [0x20, 1, 0, 1],
        [0; 4],
        [0, 0, 0, 1],
        [0; 4],
        [0; 4],
    ];
    for builder in [over(47, &erspan.concat()), udp(4790, &[0x08, 0, 0, 1, 0, 0, 7, 0])] {
        let found = decoded(builder.inner_ethernet().ipv4(OTHER, ONE).udp(5, 6));
        assert_eq!(ports(&found.inner.unwrap()), [5, 6]);
    }
    // VXLAN-GPE's other next protocols, and one that is not known.
    for (next, ethertype) in [(1, 0x0800), (2, 0x86dd), (5, 0x8847)] {
        let builder = udp(4790, &[0x0c, 0, 0, next, 0, 0, 7, 0]);
        let found = decoded(match ethertype {
            0x0800 => builder.ipv4(OTHER, ONE).udp(5, 6),
            0x86dd => builder.ipv6(ONE_V6, OTHER_V6).udp(5, 6),
            _ => builder.mpls(3).ipv4(OTHER, ONE).udp(5, 6),
        });
        assert_eq!((ports(&found.inner.unwrap()), found.issue), ([5, 6], None));
    }
    let found = decoded(udp(4790, &[0x0c, 0, 0, 4, 0, 0, 7, 0]));
    assert_eq!((found.tunnel, found.inner, found.issue), (Some(TunnelKind::Vxlan), None, None));
}

/// A tunnel's length ends what is inside it, and cannot reach beyond what is outside.
#[test]
fn a_tunnels_length_counts() {
    let gtp = |length: u16| {
        let builder = ethernet().ipv4(ONE, OTHER).gtp_user(1).ipv4(OTHER, ONE).udp(5, 6);
        let mut frame = builder.payload(&[7; 20]).build();
        frame[44..46].copy_from_slice(&length.to_be_bytes());
        decode(LinkType::ETHERNET, &frame).issue
    };
    assert_eq!(gtp(48), None);
    assert_eq!(gtp(47), issue(IssueKind::Length, Layer::Ipv4));
    assert_eq!(gtp(49), issue(IssueKind::Length, Layer::Tunnel));
    let l2tp = |length: u16| {
        let builder = ethernet().ipv4(ONE, OTHER).udp(1701, 1701);
        let builder = builder.layer(Header::L2tp { session: 1 }).ipv4(OTHER, ONE).udp(5, 6);
        let mut frame = builder.payload(&[7; 20]).build();
        frame[44..46].copy_from_slice(&length.to_be_bytes());
        decode(LinkType::ETHERNET, &frame).issue
    };
    assert_eq!(l2tp(60), None);
    assert_eq!(l2tp(59), issue(IssueKind::Length, Layer::Ipv4));
    assert_eq!(l2tp(61), issue(IssueKind::Length, Layer::Tunnel));
}

#[test]
fn a_tunnel_is_found_by_either_port_where_it_answers_to_it() {
    let inside = |source, destination| {
        let builder = ethernet().ipv4(ONE, OTHER).udp(source, destination);
        let gtp = Header::GtpUser { teid: 1, extensions: vec![] };
        decoded(builder.layer(gtp).ipv4(OTHER, ONE).udp(5, 6)).inner.is_some()
    };
    assert!(inside(2152, 9) && inside(9, 2152) && !inside(9, 10));
    let vxlan = |source, destination| {
        let builder = ethernet().ipv4(ONE, OTHER).udp(source, destination);
        decoded(builder.layer(Header::Vxlan { vni: 1 }).inner_ethernet()).inner.is_some()
    };
    assert!(vxlan(9, 4789) && !vxlan(4789, 9), "VXLAN's source port is random");
}

#[test]
fn later_fragments_are_no_tunnels() {
    for network in [ethernet().ipv4(ONE, OTHER), ethernet().ipv4(ONE, OTHER).gre()] {
        let frame = network.ipv4(OTHER, ONE).udp(5, 6).payload(&[0x45; 400]).build();
        for (index, fragment) in fragment_ipv4(&frame, 14, 200).iter().enumerate() {
            let found = decode(LinkType::ETHERNET, fragment);
            assert_eq!(found.inner.is_some(), index == 0, "{found:#?}");
        }
    }
}

//! Tunnels, what is in them, and how deep.

use std::net::IpAddr;

use weir_model::LinkType;
use weir_packet::{Decoded, IssueKind, Layer, TUNNELS_MAX, TunnelKind, decode_outer};
use weir_testkit::{Geneve, Gre, Layer as Header, Tcp};

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

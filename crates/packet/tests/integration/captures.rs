//! Every capture at hand decodes: no panic, and every answer makes sense.

use std::net::IpAddr;

use crate::common::{capture_files, captures_folder, read_capture};
use weir_model::LinkType;
use weir_packet::{
    Decoded, Direction, Headers, Layer, LinkKind, Network, address_hash, arp, community_id, decode,
    decode_outer, flow_hash,
};

/// Asserts what must hold of any headers in `bytes`.
fn assert_headers(headers: &Headers, bytes: &[u8]) {
    let [l3, l4, payload] =
        [headers.l3_offset, headers.l4_offset, headers.payload_offset].map(|at| at as usize);
    let end = payload + headers.payload_bytes as usize;
    assert!(l3 <= l4 && l4 <= payload && end <= bytes.len(), "{headers:?}");
    let Some(flow) = headers.flow else { return };
    let is_ipv6 = match headers.network {
        Network::Ipv4 => false,
        Network::Ipv6 => true,
        other => panic!("a flow of {other:?}"),
    };
    assert_eq!(flow.key.is_ipv6(), is_ipv6);
    let (from, to) = if is_ipv6 {
        let address = |at: usize| <[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap();
        (IpAddr::from(address(l3 + 8)), IpAddr::from(address(l3 + 24)))
    } else {
        let address = |at: usize| <[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap();
        (IpAddr::from(address(l3 + 12)), IpAddr::from(address(l3 + 16)))
    };
    assert_eq!((flow.source(), flow.destination()), (from, to));
    assert_eq!(weir_packet::FlowKey::from_bytes(&flow.key.to_bytes()), Some(flow.key));
    assert_eq!(community_id(&flow.key, 0).as_str().len(), 30);
    if from == to && flow.ports()[0] == flow.ports()[1] {
        assert_eq!(flow.direction, Direction::LowToHigh);
    }
}

/// Decodes a packet and asserts what must hold of any answer.
pub(crate) fn assert_decoded(link_type: LinkType, bytes: &[u8]) -> Decoded {
    let decoded = decode(link_type, bytes);
    assert_headers(&decoded.outer, bytes);
    if let Some(inner) = &decoded.inner {
        assert_headers(inner, bytes);
    }
    assert_eq!(decoded.inner.is_some(), decoded.tunnel_count > 0);
    assert!(decoded.tunnel.is_some() || decoded.inner.is_none());
    let outer = decode_outer(link_type, bytes);
    let without_tunnel =
        Decoded { tunnel: None, tunnel_count: 0, inner: None, issue: outer.issue, ..decoded };
    assert_eq!(outer, without_tunnel);
    // Missing payload counts last, so a tunnel in it may have more to say.
    let is_final = outer.issue.is_some_and(|issue| issue.layer != Layer::Payload);
    if is_final || decoded.issue.is_none() {
        assert_eq!(outer.issue, decoded.issue);
    }
    decoded
}

#[test]
fn every_capture_decodes() {
    let Some(folder) = captures_folder() else { return };
    let (mut packets, mut flows, mut issues, mut tunnels, mut unknown) = (0, 0, 0, 0, 0);
    for path in capture_files(&folder) {
        for packet in read_capture(&path) {
            let decoded = assert_decoded(packet.link_type, &packet.bytes);
            packets += 1;
            flows += u32::from(decoded.outer.flow.is_some());
            issues += u32::from(decoded.issue.is_some());
            tunnels += u32::from(decoded.inner.is_some());
            unknown += u32::from(decoded.link == LinkKind::Unknown);
            arp(&decoded, &packet.bytes);
            flow_hash(&packet.bytes, 0);
            address_hash(&packet.bytes, 0);
        }
    }
    println!(
        "{packets} packets, {flows} flows, {issues} issues, {tunnels} tunnels, {unknown} of unknown link types"
    );
    assert!(packets > 200_000, "the captures were read: {packets}");
    assert!(flows > packets * 9 / 10, "most packets are IP: {flows}");
    assert!(tunnels > 300, "{tunnels}");
}

/// Any capture read as any link type is as good a hostile input as any.
#[test]
fn every_capture_decodes_as_something_else() {
    let Some(folder) = captures_folder() else { return };
    for path in capture_files(&folder) {
        for packet in read_capture(&path).iter().take(40) {
            for link_type in [0, 1, 12, 101, 108, 113, 228, 229, 276, 9, 147] {
                assert_decoded(LinkType(link_type), &packet.bytes);
            }
            // As if each byte were where the frame starts.
            for start in 0..packet.bytes.len().min(60) {
                assert_decoded(LinkType::ETHERNET, &packet.bytes[start..]);
            }
        }
    }
}

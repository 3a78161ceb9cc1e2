//! Fragments: which part each one is, and those made to deceive.

use weir_model::LinkType;
use weir_packet::{Decoded, Fragment, IssueKind, Layer, PortKind, decode};
use weir_testkit::{Ipv4, Layer as Header, Tcp, fragment_ipv4, fragment_ipv6};

use crate::layers::{ONE, ONE_V6, OTHER, OTHER_V6, decoded, ethernet, issue, ports};

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

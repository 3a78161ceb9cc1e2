//! Community IDs against the specification's reference implementation, and against tshark.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;

use weir_model::LinkType;
use weir_packet::{Flow, PortKind, community_id, decode};
use weir_testkit::{WirePacket, pcap_bytes};

use crate::common::{Tshark, capture_files, captures_folder, read_capture};

/// What the reference implementation (`communityid` 1.5 on PyPI) says: protocol, source,
/// destination, their ports (or ICMP type and code), seed.
const REFERENCE: [(u8, &str, &str, u16, u16, u16, &str); 34] = [
    (6, "128.232.110.120", "66.35.250.204", 34855, 80, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (6, "66.35.250.204", "128.232.110.120", 80, 34855, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (6, "128.232.110.120", "66.35.250.204", 34855, 80, 1, "1:3V71V58M3Ksw/yuFALMcW0LAHvc="),
    (6, "10.0.0.1", "10.0.0.1", 80, 80, 0, "1:xK6lw4idWvrwNwOsMmGICgbsxLc="),
    (6, "2001:db8::2", "2001:db8::1", 443, 50000, 0, "1:YXqXufkGr4i6TbJJYF83fvyDLZ8="),
    (6, "2001:db8::1", "2001:db8::2", 50000, 443, 1, "1:4UqPRZtiBP5EFrcD0tNLLR3xkRM="),
    (17, "192.168.1.52", "8.8.8.8", 54585, 53, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (17, "8.8.8.8", "192.168.1.52", 53, 54585, 1, "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="),
    (17, "fe80::1", "ff02::fb", 5353, 5353, 0, "1:vmVnlzQ4g6ZsPY2VX/lJfRJMmHo="),
    (132, "192.168.170.8", "192.168.170.56", 7, 7, 0, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
    (132, "192.168.170.56", "192.168.170.8", 80, 32836, 0, "1:hJdd9M4obKKzfbAVKrM0ZQ/IQrM="),
    (1, "192.168.0.89", "192.168.0.1", 8, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    (1, "192.168.0.1", "192.168.0.89", 0, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    // One-way messages: the other direction is another flow.
    (1, "192.168.0.89", "192.168.0.1", 20, 0, 0, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="),
    (1, "192.168.0.1", "192.168.0.89", 20, 0, 0, "1:xka8imJTHE0ZCHTDqMsnK5QKoh8="),
    (1, "192.168.0.89", "192.168.0.1", 3, 1, 0, "1:LXCfhMUFbYXe+CEMrQuZCbiLY3o="),
    (1, "10.0.0.1", "10.0.0.9", 13, 0, 0, "1:qmAUAzKzq8xiJFNi/eYh7jRLKMU="),
    (1, "10.0.0.9", "10.0.0.1", 14, 0, 0, "1:qmAUAzKzq8xiJFNi/eYh7jRLKMU="),
    (1, "10.0.0.9", "10.0.0.1", 9, 0, 0, "1:zlEJygPtJSsv5BJTcHIXT09Jb0E="),
    (1, "10.0.0.9", "10.0.0.1", 10, 0, 0, "1:7nu8MdBSNSQB+NOoc+CbCPYKhEM="),
    (1, "10.0.0.9", "10.0.0.1", 15, 0, 0, "1:WFW8SfDH6oUOQ2FpYOWRCVCmm+0="),
    (1, "10.0.0.9", "10.0.0.1", 17, 0, 0, "1:07Pww4r3jZhE3xnx/2xJNqSjKjE="),
    (58, "fe80::1", "ff02::1", 135, 0, 0, "1:aiTDkLk3othnEubZO7BJEEW0vIM="),
    (58, "ff02::1", "fe80::1", 136, 0, 0, "1:aiTDkLk3othnEubZO7BJEEW0vIM="),
    (58, "fe80::1", "ff02::1", 134, 0, 0, "1:Ilg4oMT5cEP8nHg384C0O3MLdD0="),
    (58, "fe80::1", "ff02::1", 128, 0, 0, "1:5JAKAI+s/N079uLbdWhYmMj8Ig8="),
    (58, "fe80::1", "ff02::16", 143, 0, 0, "1:OAsYkgoou99wnhLR9ezvUt5gsiU="),
    (58, "2001:db8::9", "2001:db8::1", 1, 4, 0, "1:ASui7IJLN62GLqSkUY/QjGQPoxA="),
    (58, "fe80::1", "ff02::1", 130, 0, 0, "1:twZ7KwCQHfwWp6Uon6NxD1a+VvM="),
    (58, "fe80::1", "ff02::1", 139, 0, 0, "1:tc7EwJ59gPEVmXc+aoF1yp74NV4="),
    (58, "fe80::1", "ff02::1", 144, 0, 0, "1:GzLa5nTuM4ozVc8Up50UeA9Tb/M="),
    (46, "10.1.24.4", "10.1.12.1", 0, 0, 0, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="),
    (47, "10.0.0.1", "10.0.0.2", 9, 9, 0, "1:+KlEHDT0vJgzs/eNmzHq0aSpRYw="),
    (50, "2001:db8::2", "2001:db8::1", 0, 0, 0, "1:JIAyWiD7dl1e74CJAdetAUPF/To="),
];

#[test]
fn agrees_with_the_reference() {
    let mut wrong = Vec::new();
    for case @ (protocol, source, destination, from, to, seed, expected) in REFERENCE {
        let end = |address: &str, port| (address.parse::<IpAddr>().unwrap(), port);
        let flow = Flow::new(end(source, from), end(destination, to), protocol, [7, 8]);
        let found = community_id(&flow.key, seed);
        assert_eq!(found.to_string(), found.as_str());
        assert_eq!(format!("{found:?} {found:<32}|"), format!("{found} {found}  |"));
        if found.as_str() != expected {
            wrong.push((found, case));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Dissectors that lead to the transport header, and no further, but for ICMP, whose type counts.
const PROTOCOLS: [&str; 21] = [
    "eth",
    "ethertype",
    "vlan",
    "ieee8021ad",
    "mpls",
    "pppoes",
    "ppp",
    "ip",
    "ipv6",
    "ipv6.dstopts",
    "ipv6.fraghdr",
    "ipv6.hopopts",
    "ipv6.routing",
    "tcp",
    "udp",
    "sctp",
    "ah",
    "icmp",
    "icmpv6",
    "frame",
    "communityid",
];

/// Why tshark names another flow than we do, if that is for a reason that is known.
fn known_difference(packet: &[u8]) -> bool {
    let decoded = decode(LinkType::ETHERNET, packet);
    let Some(flow) = decoded.outer.flow else { return true };
    // tshark goes into tunnels, and into the packet inside an ICMP error.
    let is_icmp_error = flow.key.port_kind() == PortKind::IcmpOneWay;
    decoded.tunnel.is_some()
        || is_icmp_error
        // It names no flow of a protocol without ports over IPv6, though it does over IPv4.
        || (flow.key.is_ipv6() && flow.key.port_kind() == PortKind::None)
        // It stops at an IPv6 length of 0, which stands for more than the field can hold.
        || (flow.key.is_ipv6() && packet[decoded.outer.l3_offset as usize + 4..].starts_with(&[0, 0]))
        // Where headers are cut or lie, it goes by what it could read elsewhere.
        || decoded.issue.is_some()
        // It takes ports that a later fragment cannot know from nowhere.
        || decoded.outer.fragment.is_partial()
}

#[test]
fn agrees_with_tshark() {
    let Some(folder) = captures_folder() else { return };
    let Some(tshark) = Tshark::with_protocols(&PROTOCOLS) else { return };
    let mut packets = Vec::new();
    for path in capture_files(&folder) {
        // A flow's first packets say it all.
        let some = read_capture(&path).into_iter().take(600);
        packets.extend(
            some.filter(|packet| packet.link_type == LinkType::ETHERNET)
                .map(|packet| WirePacket::new(packet.bytes)),
        );
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap_bytes(LinkType::ETHERNET, &packets)).unwrap();
    let tshark = tshark.options([
        "--enable-protocol",
        "communityid",
        "-o",
        "communityid.seed:3",
        "-o",
        "ip.defragment:FALSE",
        "-o",
        "ipv6.defragment:FALSE",
    ]);
    let rows = tshark.fields(file.path(), &["communityid", "frame.protocols"]);
    assert_eq!(rows.len(), packets.len());
    let (mut same, mut known) = (0, 0);
    let mut wrong = Vec::new();
    let mut kinds = BTreeMap::<_, u32>::new();
    for (number, (packet, row)) in packets.iter().zip(&rows).enumerate() {
        let flow = decode(LinkType::ETHERNET, &packet.bytes).outer.flow;
        let ours = flow.map(|flow| community_id(&flow.key, 3).to_string()).unwrap_or_default();
        if ours == row[0] {
            same += u32::from(flow.is_some());
            if let Some(flow) = flow {
                *kinds.entry((flow.key.is_ipv6(), flow.key.protocol())).or_default() += 1;
            }
        } else if known_difference(&packet.bytes) {
            known += 1;
        } else {
            wrong.push(format!("packet {number}: {flow:?} {ours} {row:?}"));
        }
    }
    println!("{same} the same, {known} known differences; {kinds:?}");
    let some = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{} differ: {some:#?}", wrong.len());
    assert!(same > 24_000, "{same}");
    assert!(known < same / 20, "{known}");
    for kind in [(false, 6), (false, 17), (false, 1), (true, 6), (true, 17), (true, 58)] {
        assert!(kinds.contains_key(&kind), "{kind:?}");
    }
}

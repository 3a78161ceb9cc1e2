//! The decoder against tshark, field by field, over every Ethernet capture at hand.
//!
//! tshark runs once for each file, with all dissectors off but those of the headers that this
//! crate reads. Its answers are lists over all headers of a packet; `frame.protocols` says which
//! value belongs to which header.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use weir_model::LinkType;
use weir_packet::{Decoded, Fragment, Headers, Network, decode};
use weir_testkit::{WirePacket, pcap_bytes};

use crate::common::{Tshark, capture_files, captures_folder, read_capture};

const PROTOCOLS: [&str; 37] = [
    "null",
    "sll",
    "raw",
    "sll2",
    "eth",
    "ethertype",
    "vlan",
    "ieee8021ad",
    "ieee8021ah",
    "mpls",
    "pwethcw",
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
    "llc",
    "gre",
    "erspan",
    "vxlan",
    "geneve",
    "gtp",
    "teredo",
    "l2tp",
    "ah",
    "etherip",
    "arp",
    "frame",
    "mipv6",
    "hip",
    "shim6",
];

const FIELDS: [&str; 24] = [
    "frame.protocols",
    "frame.cap_len",
    "eth.type",
    "vlan.id",
    "vlan.etype",
    "ieee8021ad.id",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.nxt",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "udp.srcport",
    "udp.dstport",
    "sctp.srcport",
    "sctp.dstport",
    "ip.frag_offset",
    "ip.flags.mf",
    "ipv6.fraghdr.offset",
    "ipv6.fraghdr.more",
    "mpls.label",
];

/// Link types that are compared: all that the crate reads.
const LINK_TYPES: [u16; 8] = [0, 1, 101, 108, 113, 228, 229, 276];

/// What tshark says of one packet.
struct Row<'a> {
    protocols: Vec<&'a str>,
    fields: BTreeMap<&'static str, Vec<&'a str>>,
}

impl<'a> Row<'a> {
    fn new(row: &'a [String]) -> Self {
        let list = |text: &'a str, separator| -> Vec<&str> {
            text.split(separator).filter(|value| !value.is_empty()).collect()
        };
        let fields = FIELDS.iter().zip(row).map(|(name, text)| (*name, list(text, ','))).collect();
        Self { protocols: list(&row[0], ':'), fields }
    }

    fn value(&self, field: &str, index: usize) -> Option<&'a str> {
        self.fields[field].get(index).copied()
    }

    fn number(&self, field: &str, index: usize) -> Option<u32> {
        let text = self.value(field, index)?;
        match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }
}

/// Where tshark saw IP headers: the place in the protocols, the name, and how many of that name
/// came before.
fn ip_layers(row: &Row<'_>) -> Vec<(usize, &'static str, usize)> {
    let (mut v4, mut v6) = (0, 0);
    let mut layers = Vec::new();
    for (place, protocol) in row.protocols.iter().enumerate() {
        match *protocol {
            "ip" => {
                layers.push((place, "ip", v4));
                v4 += 1;
            }
            "ipv6" => {
                layers.push((place, "ipv6", v6));
                v6 += 1;
            }
            _ => {}
        }
    }
    layers
}

/// What is compared of one IP header and the transport header behind it, as text.
fn expected(row: &Row<'_>, layer: (usize, &str, usize)) -> Option<String> {
    let (place, name, index) = layer;
    let field = |suffix: &str| row.value(&format!("{name}.{suffix}"), index);
    let next = row.number(if name == "ip" { "ip.proto" } else { "ipv6.nxt" }, index)?;
    let mut text = format!("{name} {} > {} next {next}", field("src")?, field("dst")?);
    let transport = row.protocols[place + 1..]
        .iter()
        .find(|protocol| !matches!(**protocol, "ah") && !protocol.starts_with("ipv6."));
    if let Some(transport @ (&"tcp" | &"udp" | &"sctp")) = transport {
        let before =
            row.protocols[..place].iter().filter(|protocol| *protocol == transport).count();
        let port = |end| row.number(&format!("{transport}.{end}port"), before);
        if let (Some(source), Some(destination)) = (port("src"), port("dst")) {
            text += &format!(" {transport} {source} > {destination}");
        }
        if *transport == "tcp"
            && let Some(flags) = row.number("tcp.flags", before)
        {
            text += &format!(" flags {:02x}", flags & 0xff);
        }
    }
    Some(text)
}

/// The same of what we decoded.
fn found(headers: &Headers) -> Option<String> {
    let flow = headers.flow?;
    let name = if headers.network == Network::Ipv4 { "ip" } else { "ipv6" };
    let mut text =
        format!("{name} {} > {} next {}", flow.source(), flow.destination(), headers.ip_next);
    let transport = match flow.key.protocol() {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        _ => return Some(text),
    };
    if flow.key.port_kind() == weir_packet::PortKind::None {
        return Some(text);
    }
    let [source, destination] = flow.ports();
    text += &format!(" {transport} {source} > {destination}");
    if transport == "tcp" && headers.payload_offset >= headers.l4_offset + 14 {
        text += &format!(" flags {:02x}", headers.tcp_flags);
    }
    Some(text)
}

/// Which part of a datagram a packet is, as far as tshark tells.
#[derive(Debug)]
enum Part {
    Whole,
    First,
    Later,
}

fn part_of(fragment: Fragment) -> Part {
    match fragment {
        Fragment::None | Fragment::Atomic => Part::Whole,
        Fragment::First | Fragment::Tiny => Part::First,
        Fragment::Later | Fragment::OverlapUnknown => Part::Later,
    }
}

/// The same from tshark's fields, for a packet with one header `name` (ip or ipv6).
fn part(row: &Row<'_>, name: &str) -> String {
    let (offset, more) = match name {
        "ip" => ("ip.frag_offset", "ip.flags.mf"),
        _ => ("ipv6.fraghdr.offset", "ipv6.fraghdr.more"),
    };
    let part = match (row.number(offset, 0), row.number(more, 0)) {
        (None | Some(0), None | Some(0)) => Part::Whole,
        (None | Some(0), _) => Part::First,
        _ => Part::Later,
    };
    format!("{part:?}")
}

/// Compares one packet, and returns what differs: what, ours, tshark's.
fn differences(decoded: &Decoded, row: &Row<'_>) -> Vec<(&'static str, String, String)> {
    let mut wrong = Vec::new();
    let mut compare = |what, ours: String, theirs: String| {
        if ours != theirs {
            wrong.push((what, ours, theirs));
        }
    };
    let layers = ip_layers(row);
    let text = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
    compare(
        "outer",
        text(found(&decoded.outer)),
        text(layers.first().and_then(|layer| expected(row, *layer))),
    );
    let theirs = if layers.len() > 1 { layers.last() } else { None };
    compare(
        "inner",
        text(decoded.inner.as_ref().and_then(found)),
        text(theirs.and_then(|layer| expected(row, *layer))),
    );
    if let [(_, name, 0)] = layers[..] {
        compare("fragment", format!("{:?}", part_of(decoded.outer.fragment)), part(row, name));
    }
    if decoded.tunnel.is_none() {
        let labels = row.fields["mpls.label"].len();
        compare("labels", decoded.mpls_count.to_string(), labels.to_string());
        // tshark shows no type behind a service tag, nor one before an 802.3 length.
        let shows_types = row.fields["ieee8021ad.id"].is_empty()
            && row.fields["vlan.etype"].len() == row.fields["vlan.id"].len();
        if shows_types
            && let Some(theirs) = row.fields["vlan.etype"].last().or(row.fields["eth.type"].first())
        {
            compare("ethertype", format!("0x{:04x}", decoded.ethertype), (*theirs).to_owned());
        }
        let mut vlans = row.fields["ieee8021ad.id"].clone();
        vlans.extend(&row.fields["vlan.id"]);
        let ours: Vec<String> = decoded
            .vlans
            .iter()
            .take(decoded.vlan_count.into())
            .map(|tag| tag.id().to_string())
            .collect();
        compare("vlan count", decoded.vlan_count.to_string(), vlans.len().to_string());
        let theirs: Vec<&str> = vlans.into_iter().take(2).collect();
        compare("vlans", format!("{ours:?}"), format!("{theirs:?}"));
    }
    wrong
}

/// Where we and tshark differ, and why: link type, file, what, in how many packets. A difference
/// that is gone fails the test as much as a new one.
const KNOWN: [(u16, &str, &str, usize); 14] = [
    // A hundred extension headers, which are more than this crate reads.
    (1, "libpcap_ipv6_ext_headers.pcap", "outer", 1),
    // IPv6 headers that an EtherType or a protocol number announced as IPv4: tshark follows the
    // version in the header, we do not.
    (1, "ndpi_fuzz-2006-06-26-2594.pcap", "inner", 1),
    (1, "tcpdump_kday1.pcap", "inner", 1),
    (1, "tcpdump_kday3.pcap", "inner", 1),
    // A payload length of 0, which stands for more than the field can hold.
    (1, "tcpdump_bigtcp-ipv6.pcap", "outer", 1),
    (1, "tcpdump_ipv6_frag6_negative_len.pcap", "fragment", 1),
    // IPv4 headers whose length field is less than they are, or whose options are cut: tshark
    // shows no addresses, though they are whole.
    (1, "tcpdump_ipv4_invalid_total_length_2.pcap", "outer", 1),
    (1, "zeek_ipv4-internally-truncated-header.pcap", "outer", 1),
    (1, "zeek_ipv4-truncated-broken-header.pcap", "outer", 1),
    (228, "tcpdump_LINKTYPE_IPV4_invalid.pcap", "inner", 1),
    // TCP headers that say they are shorter than they can be: tshark shows no flags.
    (1, "ndpi_ip_fragmented_garbage.pcap", "outer", 2),
    (228, "ndpi_kerberos_fuzz.pcapng", "outer", 1),
    // Ethernet pseudowires: tshark wants to be told which labels have them.
    (1, "tcpreplay_test.pcap", "inner", 10),
    (1, "tcpreplay_vlan8021ad_be.pcap", "inner", 10),
];

/// A packet, the file it is from, and its number there.
struct Origin {
    file: String,
    number: usize,
    packet: WirePacket,
}

/// Returns the packets of all captures, by link type.
fn packets_by_link_type(folder: &Path) -> BTreeMap<LinkType, Vec<Origin>> {
    let mut packets = BTreeMap::<_, Vec<_>>::new();
    for path in capture_files(folder) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for (index, packet) in read_capture(&path).into_iter().enumerate() {
            let origin = Origin {
                file: file.clone(),
                number: index + 1,
                packet: WirePacket::new(packet.bytes),
            };
            packets.entry(packet.link_type).or_default().push(origin);
        }
    }
    packets
}

/// All packets of a link type go into one file, since most of tshark's time is its start.
#[test]
fn agrees_with_tshark() {
    let Some(folder) = captures_folder() else { return };
    let Some(tshark) = Tshark::with_protocols(&PROTOCOLS) else { return };
    let tshark = tshark.options([
        "-o",
        "ip.defragment:FALSE",
        "-o",
        "ipv6.defragment:FALSE",
        "-o",
        "tcp.analyze_sequence_numbers:FALSE",
    ]);
    let packets = packets_by_link_type(&folder);
    let mut compared = 0;
    let mut wrong = BTreeMap::new();
    for link_type in LINK_TYPES.map(LinkType) {
        let Some(packets) = packets.get(&link_type) else { continue };
        compared += packets.len();
        compare(&tshark, link_type, packets, &mut wrong);
    }
    let mut counts: Vec<_> = wrong
        .iter()
        .map(|((link_type, file, what), cases)| (*link_type, *file, *what, cases.len()))
        .collect();
    for known in KNOWN {
        match counts.iter().position(|found| *found == known) {
            Some(index) => drop(counts.swap_remove(index)),
            None => panic!("this known difference is gone: {known:?}"),
        }
    }
    for (link_type, file, what, count) in &counts {
        let example = &wrong[&(*link_type, *file, *what)][0];
        println!("({link_type}, {file:?}, {what:?}, {count}), such as {example:?}");
    }
    assert!(counts.is_empty(), "differences that nobody explained");
    assert!(compared > 200_000, "{compared}");
}

type Wrong<'a> = BTreeMap<(u16, &'a str, &'static str), Vec<(usize, String, String)>>;

fn compare<'a>(tshark: &Tshark, link_type: LinkType, packets: &'a [Origin], wrong: &mut Wrong<'a>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let bytes = pcap_bytes(link_type, packets.iter().map(|origin| &origin.packet));
    file.write_all(&bytes).unwrap();
    let rows = tshark.fields(file.path(), &FIELDS);
    assert_eq!(rows.len(), packets.len());
    for (origin, row) in packets.iter().zip(&rows) {
        let row = Row::new(row);
        let bytes = &origin.packet.bytes;
        assert_eq!(row.number("frame.cap_len", 0), Some(bytes.len() as u32));
        let decoded = decode(link_type, bytes);
        for (what, ours, theirs) in differences(&decoded, &row) {
            let place = (link_type.0, origin.file.as_str(), what);
            wrong.entry(place).or_default().push((origin.number, ours, theirs));
        }
    }
}

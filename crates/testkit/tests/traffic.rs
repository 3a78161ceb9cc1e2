//! Built frames are what they say, by tshark's word.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

use weir_model::{LinkType, Timestamp};
use weir_testkit::{
    FrameBuilder, Geneve, Gre, Hostile, Icmp, Ipv4, Layer, Tcp, TrafficMix, WirePacket,
    fragment_ipv4, fragment_ipv6, pcap_bytes,
};

const ONE: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 2];
const ONE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const OTHER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// Runs tshark over the frames with every checksum checked, and returns the given fields of each
/// frame; `None` where there is no tshark.
fn tshark(packets: &[WirePacket], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap_bytes(LinkType::ETHERNET, packets)).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(file.path()).args(["-T", "fields", "-E", "separator=;"]);
    for protocol in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    // What is below a label is configuration; tshark would guess.
    command.args(["-d", "mpls.label==99,pwethcw"]);
    // Whether later fragments wait for the others is not what is tested.
    command.args(["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no tshark");
            return None;
        }
        Err(error) => panic!("tshark: {error}"),
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<String>> =
        text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect();
    assert_eq!(rows.len(), packets.len(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(rows)
}

const CHECKS: [&str; 6] = [
    "frame.protocols",
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
];

/// Asserts that no checksum in `row` (of [`CHECKS`]) is bad, and that nothing is malformed.
fn assert_sound(row: &[String]) {
    let [protocols, statuses @ ..] = row else { panic!("no fields") };
    // 0 is bad, 1 good, 2 unverified, 3 not present.
    assert!(statuses.iter().all(|list| !list.split(',').any(|status| status == "0")), "{row:?}");
    assert!(!protocols.contains("malformed"), "{row:?}");
}

#[test]
fn every_layer_reads_back() {
    let ethernet = FrameBuilder::ethernet;
    let gre = |has_checksum, key, sequence| {
        ethernet().ipv4(ONE, OTHER).layer(Layer::Gre(Gre { has_checksum, key, sequence }))
    };
    let options = Ipv4 {
        source: ONE,
        destination: OTHER,
        identification: 7,
        fragment: 0,
        ttl: 9,
        options: vec![1; 8],
    };
    let geneve = Geneve { vni: 5, options: vec![0, 1, 0, 1, 9, 9, 9, 9] };
    let gtp = Layer::GtpUser { teid: 9, extensions: vec![vec![1, 2], vec![0; 6]] };
    let cases = [
        (ethernet().ipv4(ONE, OTHER).udp(9, 10), "eth:ethertype:ip:udp"),
        (ethernet().ipv4(ONE, OTHER).tcp(9, 10, Tcp::SYN), "eth:ethertype:ip:tcp"),
        (ethernet().ipv4(ONE, OTHER).sctp(9, 10), "eth:ethertype:ip:sctp"),
        (ethernet().ipv4(ONE, OTHER).icmp(8, 0), "eth:ethertype:ip:icmp"),
        (ethernet().layer(Layer::Ipv4(options)).udp(9, 10), "eth:ethertype:ip:udp"),
        (ethernet().ipv6(ONE_V6, OTHER_V6).udp(9, 10), "eth:ethertype:ipv6:udp"),
        (ethernet().ipv6(ONE_V6, OTHER_V6).icmpv6(128, 0), "eth:ethertype:ipv6:icmpv6"),
        (
            ethernet().ipv6(ONE_V6, OTHER_V6).extension(0).extension(60).tcp(9, 10, Tcp::ACK),
            "eth:ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:tcp",
        ),
        (
            ethernet()
                .ipv6(ONE_V6, OTHER_V6)
                .layer(Layer::Extension { kind: 51, data: vec![0; 22] })
                .udp(9, 10),
            "eth:ethertype:ipv6:ah:udp",
        ),
        (ethernet().vlan(5).ipv4(ONE, OTHER).udp(9, 10), "eth:ethertype:vlan:ethertype:ip:udp"),
        (
            ethernet().service_vlan(5).vlan(6).ipv4(ONE, OTHER).udp(9, 10),
            "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:udp",
        ),
        (FrameBuilder::snap().ipv4(ONE, OTHER).udp(9, 10), "eth:llc:ip:udp"),
        (ethernet().mpls(17).mpls(18).ipv4(ONE, OTHER).udp(9, 10), "eth:ethertype:mpls:ip:udp"),
        (
            ethernet()
                .mpls(99)
                .layer(Layer::ControlWord)
                .inner_ethernet()
                .ipv4(ONE, OTHER)
                .udp(9, 10),
            "eth:ethertype:mpls:eth:ethertype:ip:udp",
        ),
        (
            ethernet().pppoe(3).ipv6(ONE_V6, OTHER_V6).udp(9, 10),
            "eth:ethertype:pppoes:ppp:ipv6:udp",
        ),
        (
            ethernet().layer(Layer::BackboneTag).inner_ethernet().ipv4(ONE, OTHER).udp(9, 10),
            "eth:ethertype:ieee8021ah:ethertype:ip:udp",
        ),
        (gre(true, Some(1), Some(2)).ipv4(OTHER, ONE).udp(9, 10), "eth:ethertype:ip:gre:ip:udp"),
        (
            gre(false, None, None).inner_ethernet().ipv4(OTHER, ONE).udp(9, 10),
            "eth:ethertype:ip:gre:eth:ethertype:ip:udp",
        ),
        (
            gre(false, None, Some(2))
                .layer(Layer::Erspan { kind: 2 })
                .inner_ethernet()
                .ipv4(OTHER, ONE)
                .udp(9, 10),
            "eth:ethertype:ip:gre:erspan:eth:ethertype:ip:udp",
        ),
        (
            gre(false, None, Some(2))
                .layer(Layer::Erspan { kind: 3 })
                .inner_ethernet()
                .ipv4(OTHER, ONE)
                .udp(9, 10),
            "eth:ethertype:ip:gre:erspan:eth:ethertype:ip:udp",
        ),
        (
            ethernet().ipv4(ONE, OTHER).vxlan(77).ipv4(OTHER, ONE).udp(9, 10),
            "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:udp",
        ),
        (
            ethernet()
                .ipv4(ONE, OTHER)
                .udp(9, 6081)
                .layer(Layer::Geneve(geneve))
                .ipv6(ONE_V6, OTHER_V6)
                .udp(9, 10),
            "eth:ethertype:ip:udp:geneve:ipv6:udp",
        ),
        (
            ethernet().ipv4(ONE, OTHER).gtp_user(77).ipv4(OTHER, ONE).udp(9, 10),
            "eth:ethertype:ip:udp:gtp:ip:udp",
        ),
        (
            ethernet().ipv4(ONE, OTHER).udp(2152, 2152).layer(gtp).ipv4(OTHER, ONE).udp(9, 10),
            "eth:ethertype:ip:udp:gtp:ip:udp",
        ),
        (
            ethernet()
                .ipv4(ONE, OTHER)
                .udp(1701, 1701)
                .layer(Layer::L2tp { session: 4 })
                .ipv4(OTHER, ONE)
                .udp(9, 10),
            "eth:ethertype:ip:udp:l2tp:ppp:ip:udp",
        ),
        (
            ethernet()
                .ipv4(ONE, OTHER)
                .layer(Layer::EtherIp)
                .inner_ethernet()
                .ipv4(OTHER, ONE)
                .udp(9, 10),
            "eth:ethertype:ip:etherip:eth:ethertype:ip:udp",
        ),
        (
            ethernet().ipv4(ONE, OTHER).ipv6(ONE_V6, OTHER_V6).ipv4(OTHER, ONE).udp(9, 10),
            "eth:ethertype:ip:ipv6:ip:udp",
        ),
    ];
    let packets: Vec<WirePacket> = cases
        .iter()
        .map(|(builder, _)| WirePacket::new(builder.clone().payload(b"some odd payload!").build()))
        .collect();
    let Some(rows) = tshark(&packets, &CHECKS) else { return };
    let mut wrong = Vec::new();
    for ((_, protocols), row) in cases.iter().zip(&rows) {
        assert_sound(row);
        if !row[0].starts_with(protocols) {
            wrong.push((*protocols, row));
        }
    }
    assert!(wrong.is_empty(), "wanted, found: {wrong:#?}");
}

#[test]
fn fragments_add_up_to_their_datagram() {
    let payload: Vec<u8> = (0..=255).cycle().take(3_001).collect();
    let v4 = FrameBuilder::ethernet().ipv4(ONE, OTHER).udp(9, 10).payload(&payload).build();
    let v6 = FrameBuilder::ethernet()
        .vlan(3)
        .ipv6(ONE_V6, OTHER_V6)
        .udp(9, 10)
        .payload(&payload)
        .build();
    for (frame, fragments, header_end) in
        [(&v4, fragment_ipv4(&v4, 14, 1_000), 34), (&v6, fragment_ipv6(&v6, 18, 1_000, 77), 58 + 8)]
    {
        assert_eq!(fragments.len(), 4);
        let joined: Vec<u8> =
            fragments.iter().flat_map(|fragment| fragment[header_end..].to_vec()).collect();
        assert!(frame.ends_with(&joined) && joined.len() == payload.len() + 8);
        let packets: Vec<WirePacket> = fragments.into_iter().map(WirePacket::new).collect();
        let fields = ["ip.frag_offset", "ip.flags.mf", "ipv6.fraghdr.offset", "ipv6.fraghdr.more"];
        let Some(rows) = tshark(&packets, &fields) else { return };
        for (index, row) in rows.iter().enumerate() {
            let is_last = index == 3;
            let found: Vec<&str> =
                row.iter().map(String::as_str).filter(|field| !field.is_empty()).collect();
            // tshark 4 counts offsets in words of eight bytes, as the fields have them.
            let offset = (index * 1_000 / 8).to_string();
            let more = if is_last { "0" } else { "1" };
            assert_eq!(found, [offset.as_str(), more], "{row:?}");
        }
    }
}

#[test]
fn a_mix_is_sound_and_mixed() {
    let packets: Vec<WirePacket> = TrafficMix::new(1).take(20_000).collect();
    assert!(packets.iter().map(|packet| packet.timestamp).is_sorted());
    assert_eq!(packets, TrafficMix::new(1).take(20_000).collect::<Vec<_>>(), "a seed is a mix");
    let seconds = packets
        .last()
        .unwrap()
        .timestamp
        .unwrap()
        .saturating_ns_since(packets.first().unwrap().timestamp.unwrap()) as f64
        / 1e9;
    assert!((0.18..0.22).contains(&seconds), "20,000 packets at 10 µs: {seconds} s");
    let mean_bytes = packets.iter().map(|packet| packet.bytes.len()).sum::<usize>() / packets.len();
    assert!((300..1_200).contains(&mean_bytes), "{mean_bytes}");

    let Some(rows) = tshark(&packets, &CHECKS) else { return };
    let mut seen = BTreeMap::<&str, usize>::new();
    for row in &rows {
        // What tshark makes of random payload is not ours; it may call that malformed.
        let headers = row[0].split(":data").next().unwrap();
        assert!(
            !row[1..].iter().any(|list| list.split(',').any(|status| status == "0")),
            "{row:?}"
        );
        for word in headers.split(':') {
            *seen.entry(word).or_default() += 1;
        }
    }
    for protocol in [
        "tcp", "udp", "ip", "ipv6", "vlan", "icmp", "icmpv6", "arp", "dns", "vxlan", "geneve",
        "gtp", "gre",
    ] {
        assert!(seen.contains_key(protocol), "{protocol} is missing: {seen:?}");
    }
}

#[test]
fn hostile_frames_repeat_and_differ() {
    let frames: Vec<WirePacket> = Hostile::new(4).take(2_000).collect();
    assert_eq!(frames, Hostile::new(4).take(2_000).collect::<Vec<_>>());
    assert!(frames.iter().any(|frame| frame.bytes.is_empty()));
    assert!(frames.iter().any(|frame| frame.bytes.len() > 1_000));
    assert!(frames.iter().all(|frame| frame.bytes.len() <= 65_535));
}

#[test]
fn pcap_keeps_lengths_and_times() {
    let packets = [
        WirePacket::new(vec![0; 60]).at(Timestamp::from_ns(1_500_000_001)).sliced(20),
        WirePacket::new(FrameBuilder::ethernet().layer(Layer::Icmp(Icmp::default())).build()),
    ];
    let fields = ["frame.time_epoch", "frame.cap_len", "frame.len"];
    let Some(rows) = tshark(&packets, &fields) else { return };
    assert_eq!(rows[0], ["1.500000001", "20", "60"]);
    assert_eq!(rows[1], ["0.000000000", "22", "22"]);
}

/// A UDP checksum of 0 says that there is none, so one that comes out as 0 is written as 65,535.
#[test]
fn udp_always_has_a_checksum() {
    let mut has_all_ones = false;
    for word in 0..=u16::MAX {
        let builder = FrameBuilder::raw().ipv4(ONE, OTHER).udp(1, 2);
        let frame = builder.payload(&word.to_be_bytes()).build();
        let checksum = [frame[26], frame[27]];
        assert_ne!(checksum, [0, 0]);
        has_all_ones |= checksum == [0xff, 0xff];
    }
    assert!(has_all_ones);
}

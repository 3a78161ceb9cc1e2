use weir_model::LinkType;

use super::*;
use crate::Instruction;
use crate::instruction::code;

fn compile(expression: &str) -> Program {
    Program::compile(expression, LinkType::ETHERNET, 262_144).unwrap()
}

/// What a flow fixes: EtherTypes, header shape, protocol, addresses and ports, and no more.
struct Flow {
    vlan: Option<u16>,
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    ports: [u16; 2],
}

const FLOW: Flow = Flow {
    vlan: None,
    source: [10, 1, 2, 3],
    destination: [192, 168, 1, 10],
    protocol: 6,
    ports: [50_000, 443],
};

impl Flow {
    fn packet(&self) -> AbstractPacket {
        let mut packet = AbstractPacket::new();
        let mut at = 12;
        if let Some(vlan) = self.vlan {
            packet.set_bytes(12, &[0x81, 0]);
            packet.set_bits(14, (vlan >> 8) as u8, 0x0f);
            packet.set_bytes(15, &[vlan as u8]);
            at = 16;
        }
        packet.set_bytes(at, &[0x08, 0x00, 0x45]);
        // Not a fragment, whatever the other flags are.
        packet.set_bits(at + 8, 0, 0x1f);
        packet.set_bytes(at + 9, &[0]);
        packet.set_bytes(at + 11, &[self.protocol]);
        packet.set_bytes(at + 14, &self.source);
        packet.set_bytes(at + 18, &self.destination);
        packet.set_bytes(at + 22, &self.ports.map(u16::to_be_bytes).concat());
        packet
    }
}

fn assert_prunes(packet: &AbstractPacket, never: &[&str], maybe: &[&str]) {
    for expression in never {
        assert!(!may_match(&compile(expression), packet), "{expression} should prune");
    }
    for expression in maybe {
        assert!(may_match(&compile(expression), packet), "{expression} must not prune");
    }
}

#[test]
fn a_flow_prunes_what_it_cannot_match() {
    assert_prunes(
        &FLOW.packet(),
        &[
            "host 10.1.2.4",
            "src host 192.168.1.10",
            "net 172.16.0.0/12",
            "net 10.1.3.0/24",
            "tcp port 80",
            "udp port 443",
            "udp",
            "icmp",
            "arp",
            "ip6",
            "ip6 host 2001:db8::1",
            "vlan",
            "vlan and host 10.1.2.3",
            "portrange 1-442",
            "tcp src portrange 1024-49999",
            "not host 10.1.2.3",
            "tcp port 443 and not tcp port 443 or udp",
            "ip proto 47",
            "host 10.1.2.3 and host 10.1.2.4",
            "tcp[0:2] = 80",
            "ip[12:4] & 0xffff0000 != 0x0a010000",
            "ip[0] & 0xf > 5",
            "(tcp[0:2] + 1) = 443",
        ],
        &[
            "",
            "host 10.1.2.3",
            "dst net 192.168.0.0/16",
            "tcp port 443",
            "tcp port 443 and host 10.1.2.3 and not udp",
            "tcp[tcpflags] & tcp-syn != 0",
            "ip[8] < 5",
            "greater 1000",
            "portrange 400-500",
            "ether host 02:00:00:00:00:01",
            "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
            "host 10.1.2.4 or greater 1000",
        ],
    );
}

#[test]
fn a_tagged_flow_prunes_behind_its_tag() {
    let tagged = Flow { vlan: Some(100), ..FLOW };
    assert_prunes(
        &tagged.packet(),
        &["ip", "host 10.1.2.3", "vlan 101", "vlan and host 10.1.2.4", "vlan and vlan"],
        &["vlan", "vlan 100", "vlan and host 10.1.2.3", "vlan 100 and tcp port 443"],
    );
}

#[test]
fn ipv6_addresses_prune() {
    let mut packet = AbstractPacket::new();
    packet.set_bytes(12, &[0x86, 0xdd]);
    packet.set_bytes(20, &[17]);
    let address = |last: u8| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    packet.set_bytes(22, &address(1));
    packet.set_bytes(38, &address(2));
    packet.set_bytes(54, &[0, 53, 0x80, 0]);
    assert_prunes(
        &packet,
        &["ip6 host 2001:db8::3", "net 2001:db9::/32", "tcp", "port 54", "ip", "icmp6"],
        &["ip6 host 2001:db8::1", "net 2001:db8::/32", "udp port 53", "dst port 32768", "ip6"],
    );
}

#[test]
fn bounds_on_the_lengths_prune() {
    let mut packet = AbstractPacket::new();
    packet.set_wire_bytes(60..=200);
    packet.set_captured_bytes(60..=96);
    assert_prunes(
        &packet,
        &["greater 201", "less 59", "len = 1000", "ether[96] = 0", "ether[93:4] >= 0 and ip"],
        &["greater 200", "less 60", "len = 128", "ether[95] = 0"],
    );
    assert!(!may_match(&compile("ether[96] >= 0 and len > 0"), &packet));
    packet.clear();
    assert!(may_match(&compile("greater 201"), &packet));
}

/// A test that has been passed holds for what comes later on the same way.
#[test]
fn a_way_remembers_what_it_has_learned() {
    let load = Instruction::statement(code::LD_H_ABS, 12);
    let twice = |first: u32, second: u32| {
        let program = vec![
            load,
            Instruction::jump(0x15, first, 0, 3),
            load,
            Instruction::jump(0x15, second, 0, 1),
            Instruction::statement(code::RET_K, 1),
            Instruction::statement(code::RET_K, 0),
        ];
        may_match(&Program::verify(program).unwrap(), &AbstractPacket::new())
    };
    assert!(twice(0x0800, 0x0800));
    assert!(!twice(0x0800, 0x86dd));
    // Another width, and through a mask: the header's length is five words.
    let nibble = |words: u32| {
        let program = vec![
            Instruction::statement(code::LD_B_ABS, 14),
            Instruction::statement(0x54, 0x0f),
            Instruction::jump(0x15, 5, 0, 4),
            Instruction::statement(code::LDX_MSH, 14),
            Instruction::statement(code::TXA, 0),
            Instruction::jump(0x15, words * 4, 0, 1),
            Instruction::statement(code::RET_K, 1),
            Instruction::statement(code::RET_K, 0),
        ];
        may_match(&Program::verify(program).unwrap(), &AbstractPacket::new())
    };
    assert!(nibble(5));
    assert!(!nibble(6));
}

#[test]
fn bounds_that_a_way_has_passed_hold() {
    let between = |low: u32, high: u32| {
        let program = vec![
            Instruction::statement(code::LD_H_ABS, 0),
            Instruction::jump(0x25, low, 0, 2),
            Instruction::jump(0x35, high, 1, 0),
            Instruction::statement(code::RET_K, 1),
            Instruction::statement(code::RET_K, 0),
        ];
        may_match(&Program::verify(program).unwrap(), &AbstractPacket::new())
    };
    assert!(between(10, 12));
    assert!(!between(10, 11));
    assert!(!between(0xffff, u32::MAX));
}

/// Forty independent unknowns, each a fork: without noticing where ways meet, a billion of them.
#[test]
fn ways_that_meet_are_followed_once() {
    let terms: Vec<_> = (0..40).map(|offset| format!("ether[{offset}] & 1 = 0")).collect();
    let mut packet = AbstractPacket::new();
    packet.set_bytes(50, &[7]);
    let expression = format!("({}) and ether[50] = 8", terms.join(" or "));
    assert!(!may_match(&compile(&expression), &packet));
}

#[test]
fn gives_up_rather_than_run_on() {
    let endless = Program::verify(vec![Instruction::statement(code::JA, u32::MAX)]).unwrap();
    assert!(may_match(&endless, &AbstractPacket::new()));
    // Counting in A never sees the same knowledge twice.
    let counting = vec![
        Instruction::statement(code::LD_B_ABS, 0),
        Instruction::jump(0x15, 0, 0, 0),
        Instruction::statement(0x04, 1),
        Instruction::statement(code::JA, (-2i32).cast_unsigned()),
    ];
    assert!(may_match(&Program::verify(counting).unwrap(), &AbstractPacket::new()));
}

#[test]
fn protochain_follows_the_headers_that_are_known() {
    let mut packet = AbstractPacket::new();
    packet.set_bytes(12, &[0x86, 0xdd]);
    packet.set_bytes(20, &[0]);
    packet.set_bytes(54, &[60, 0]);
    packet.set_bytes(62, &[6, 1]);
    assert_prunes(&packet, &["ip6 protochain 17"], &["ip6 protochain 6", "ip6 protochain 60"]);
    packet.set_bits(62, 0, 0);
    assert_prunes(&packet, &[], &["ip6 protochain 17"]);
}

#[test]
fn bytes_far_behind_are_unknown() {
    let mut packet = AbstractPacket::new();
    packet.set_bytes(KNOWN_BYTES_MAX - 1, &[1, 1]);
    packet.set_bytes(u32::MAX, &[1, 1]);
    packet.set_bits(u32::MAX, 1, 0xff);
    let at = |offset: u32| compile(&format!("ether[{offset}] = 2"));
    assert!(!may_match(&at(KNOWN_BYTES_MAX - 1), &packet));
    assert!(may_match(&at(KNOWN_BYTES_MAX), &packet));
}

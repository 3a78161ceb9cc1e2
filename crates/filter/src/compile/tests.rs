use std::time::{Duration, Instant};

use super::*;
use crate::Program;

const SNAPLEN_BYTES: u32 = 262_144;

fn compile(expression: &str) -> Result<Program, CompileError> {
    Program::compile(expression, LinkType::ETHERNET, SNAPLEN_BYTES)
}

#[test]
fn a_blank_expression_accepts_everything() {
    for blank in ["", " ", "\t\r\n "] {
        let program = compile(blank).unwrap();
        assert_eq!(program.run(&[], 0), SNAPLEN_BYTES);
        assert_eq!(program.expression(), Some(blank));
    }
}

#[test]
fn accepted_packets_are_given_the_snaplen() {
    let mut packet = [0; 14];
    packet[12..].copy_from_slice(&[0x08, 0x00]);
    for snaplen_bytes in [1, 96, SNAPLEN_BYTES, u32::MAX] {
        let program = Program::compile("ip", LinkType::ETHERNET, snaplen_bytes).unwrap();
        assert_eq!(program.run(&packet, 14), snaplen_bytes);
        assert_eq!(program.run(&[0; 14], 14), 0);
    }
    let zero = Program::compile("ip", LinkType::ETHERNET, 0);
    assert!(matches!(zero, Err(CompileError::SnaplenZero)));
}

#[test]
fn refuses_strange_characters_where_they_stand() {
    for (expression, at, strange) in [
        ("ip\0", 2, '\0'),
        ("host \u{e9}", 5, '\u{e9}'),
        ("\u{feff}ip", 0, '\u{feff}'),
        ("ip\x7f", 2, '\x7f'),
    ] {
        match compile(expression) {
            Err(CompileError::Character { position_bytes, character, .. }) => {
                assert_eq!((position_bytes, character), (at, strange));
            }
            other => panic!("{expression:?}: {other:?}"),
        }
    }
}

#[test]
fn says_what_libpcap_says_and_where() {
    for (expression, said, at) in [
        ("tcp port foo", "unknown port 'foo'", Some(9)),
        ("ip or host 10.0.0.256", "invalid IPv4 address '10.0.0.256'", Some(11)),
        ("ip # tcp", "can't parse filter expression: syntax error", Some(3)),
        ("ip and", "can't parse filter expression: syntax error", None),
        ("ip[0] / 0 = 1", "division by zero", None),
    ] {
        match compile(expression) {
            Err(CompileError::Refused { message, position_bytes, .. }) => {
                assert_eq!((&*message, position_bytes), (said, at));
            }
            other => panic!("{expression}: {other:?}"),
        }
    }
    let unknown = Program::compile("ip", LinkType(9_999), SNAPLEN_BYTES);
    assert!(matches!(unknown, Err(CompileError::Refused { .. })), "{unknown:?}");
}

#[test]
fn tells_what_can_never_match_apart() {
    assert!(matches!(compile("ip and arp"), Err(CompileError::RejectsAll { .. })));
    let null = Program::compile("arp", LinkType(0), SNAPLEN_BYTES);
    assert!(matches!(null, Err(CompileError::RejectsAll { link_type: LinkType(0), .. })));
}

#[test]
fn refuses_names_and_metadata() {
    match compile("ip or host example.com") {
        Err(CompileError::HostName { position_bytes: 11, name, .. }) => {
            assert_eq!(name, "example.com");
        }
        other => panic!("{other:?}"),
    }
    for expression in ["inbound", "outbound and ip", "ifindex 3", "ether[0xfffff02c] = 1"] {
        let refused = compile(expression);
        assert!(matches!(refused, Err(CompileError::NeedsMetadata { .. })), "{refused:?}");
    }
    // Linux's cooked header has the direction in it.
    assert!(Program::compile("inbound", LinkType(113), SNAPLEN_BYTES).is_ok());
}

#[test]
fn names_of_ports_and_protocols_are_known() {
    assert_eq!(
        compile("tcp port 80").unwrap().instructions(),
        compile("tcp port http").unwrap().instructions()
    );
    assert!(compile("ip proto \\udp").is_ok());
}

#[test]
fn a_vlan_tag_is_read_from_the_packet() {
    // On a live Linux handle, `vlan` reads metadata; there must be none of that.
    let program = compile("vlan 100").unwrap();
    let mut packet = [0; 18];
    packet[12..16].copy_from_slice(&[0x81, 0, 0, 100]);
    assert_eq!(program.run(&packet, 18), SNAPLEN_BYTES);
}

#[test]
fn loopback_files_mark_ipv6_in_three_ways() {
    let program = Program::compile("ip6", LinkType(0), SNAPLEN_BYTES).unwrap();
    for family in [24u32, 28, 30] {
        assert_ne!(program.run(&family.to_ne_bytes(), 44), 0, "{family}");
    }
    assert_eq!(program.run(&2u32.to_ne_bytes(), 44), 0);
}

#[test]
fn link_types_are_those_of_files() {
    // Raw IP is 101 in files and 12 in libpcap's memory.
    let program = Program::compile("ip", LinkType(101), SNAPLEN_BYTES).unwrap();
    assert_ne!(program.run(&[0x45, 0], 20), 0);
    assert_eq!(program.run(&[0x60, 0], 20), 0);
}

fn list(count: usize, term: impl Fn(usize) -> String) -> String {
    (0..count).map(term).collect::<Vec<_>>().join(" or ")
}

#[test]
fn limits_bytes_and_terms() {
    let long = " ".repeat(EXPRESSION_BYTES_MAX + 1);
    assert!(matches!(compile(&long), Err(CompileError::TooLong { bytes }) if bytes == long.len()));
    assert!(compile(&long[1..]).is_ok());

    let ports = list(EXPRESSION_TERMS_MAX + 1, |index| format!("port {}", index + 1));
    match compile(&ports) {
        Err(CompileError::TooManyTerms { terms, .. }) => {
            assert_eq!(terms, EXPRESSION_TERMS_MAX + 1)
        }
        other => panic!("{other:?}"),
    }
}

/// What costs libpcap most, at the limits. The times are generous for a busy machine: without
/// the limits, the same lists take minutes.
#[test]
fn what_compiles_compiles_in_time() {
    let nested = |count: usize| format!("{}ip{}", "not (".repeat(count), ")".repeat(count));
    let sum = (0..2_000).map(|index| format!("ip[{}]", index % 60)).collect::<Vec<_>>().join("+");
    let slow = [
        list(6, |index| format!("host 2001:db8:{index:x}::{:x}:1", index * 7)),
        list(EXPRESSION_TERMS_MAX, |index| format!("host 2001:db8:{index:x}::{:x}:1", index * 7)),
        list(EXPRESSION_TERMS_MAX, |index| format!("host 10.1.{index}.{}", index % 5)),
        list(EXPRESSION_TERMS_MAX, |index| format!("net 10.{index}.0.0/16")),
        list(EXPRESSION_TERMS_MAX, |index| format!("port {}", index * 3 + 1)),
        list(EXPRESSION_TERMS_MAX, |index| {
            format!("portrange {}-{}", index * 9 + 1, index * 9 + 5)
        }),
        list(EXPRESSION_TERMS_MAX, |index| format!("ip6 protochain {index}")),
        list(EXPRESSION_TERMS_MAX / 2, |index| format!("(vlan and host 10.0.0.{index})")),
        list(40, |index| format!("host 10.0.0.{index} and not port {}", index + 1)),
        nested(2_500),
        format!("len > {sum}"),
    ];
    for expression in slow {
        let start = Instant::now();
        let outcome = compile(&expression);
        let took = start.elapsed();
        assert!(outcome.is_ok(), "{outcome:?}");
        assert!(took < Duration::from_millis(COMPILE_TIME_MS_MAX), "{took:?}: {expression}");
    }
}

/// Long programs are not optimised, and say the same.
#[test]
fn without_the_optimiser_the_verdict_is_the_same() {
    let ports = list(EXPRESSION_TERMS_MAX, |index| format!("port {}", index * 3 + 1));
    let long = compile(&ports).unwrap();
    assert!(long.instructions().len() > OPTIMISED_INSTRUCTIONS_MAX);
    for port in 0..400u16 {
        let mut packet = [0; 60];
        packet[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
        packet[23] = 6;
        packet[36..38].copy_from_slice(&port.to_be_bytes());
        let listed = port % 3 == 1 && usize::from(port) < EXPRESSION_TERMS_MAX * 3;
        assert_eq!(long.run(&packet, 60) != 0, listed, "{port}");
    }
}

#[test]
fn programs_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Program>();
}

//! The abstract run never says no to what a concrete packet passes.

use weir_filter::{AbstractPacket, Program, may_match};
use weir_model::LinkType;

use crate::generate::{Choices, Sample, random_filter, random_packet, random_program};
use crate::{captures, rounds};

/// Makes a packet that `bytes` is an example of, by forgetting.
fn forget(choices: &mut Choices, bytes: &[u8], wire_bytes: u32) -> AbstractPacket {
    let mut packet = AbstractPacket::new();
    let forgotten = choices.pick(&[2, 3, 8, 30]);
    for (offset, &byte) in (0..).zip(bytes) {
        match choices.below(forgotten) {
            0 => {}
            1 if forgotten < 8 => packet.set_bits(offset, byte, choices.any() as u8),
            _ => packet.set_bytes(offset, &[byte]),
        }
    }
    // Bytes that the packet does not have may be anything.
    let beyond = u32::try_from(bytes.len()).unwrap();
    packet.set_bytes(beyond, &choices.any().to_be_bytes());
    for (length, set) in [
        (beyond, AbstractPacket::set_captured_bytes as fn(&mut AbstractPacket, _)),
        (wire_bytes, AbstractPacket::set_wire_bytes),
    ] {
        let slack = choices.pick(&[0, 1, 100, u32::MAX]);
        set(&mut packet, length.saturating_sub(slack)..=length.saturating_add(slack));
    }
    packet
}

/// Makes a packet that is `bytes` and nothing else.
fn known(bytes: &[u8], wire_bytes: u32) -> AbstractPacket {
    let mut packet = AbstractPacket::new();
    packet.set_bytes(0, bytes);
    let captured_bytes = u32::try_from(bytes.len()).unwrap();
    packet.set_captured_bytes(captured_bytes..=captured_bytes);
    packet.set_wire_bytes(wire_bytes..=wire_bytes);
    packet
}

/// Checks one packet, and returns whether knowing part of it pruned.
fn check(choices: &mut Choices, program: &Program, sample: &Sample, seed: u64) -> bool {
    let Sample { bytes, wire_bytes } = sample;
    let passes = program.run(bytes, *wire_bytes) != 0;
    let context = || {
        let expression = program.expression().unwrap_or("a program");
        format!("seed {seed}: {expression} on {bytes:02x?} of {wire_bytes}")
    };
    // Where everything is known, the abstract run is an interpreter.
    assert_eq!(may_match(program, &known(bytes, *wire_bytes)), passes, "{}", context());
    let may = may_match(program, &forget(choices, bytes, *wire_bytes));
    assert!(may || !passes, "{}", context());
    !may
}

#[test]
fn never_prunes_a_packet_that_passes() {
    let (mut runs, mut pruned) = (0u64, 0u64);
    for seed in 0..rounds(6_000, 200_000) {
        let mut choices = Choices::new(seed);
        let expression = random_filter(&mut choices, 6);
        let Ok(program) = Program::compile(&expression, LinkType::ETHERNET, 65_535) else {
            continue;
        };
        for _ in 0..16 {
            let packet = random_packet(&mut choices);
            pruned += u64::from(check(&mut choices, &program, &packet, seed));
            runs += 1;
        }
    }
    // It must be of use, too.
    assert!(pruned > runs / 8, "only {pruned} of {runs} are pruned");
}

#[test]
fn never_prunes_what_any_program_returns() {
    let mut pruned = 0u64;
    let programs = rounds(20_000, 1_000_000);
    for seed in 0..programs {
        let mut choices = Choices::new(seed);
        let program = Program::verify(random_program(&mut choices)).unwrap();
        for _ in 0..4 {
            let length = choices.below(64);
            let bytes = (0..length).map(|_| choices.any() as u8 & 0x1f).collect();
            let wire_bytes = choices.pick(&[0, length, 1_514, u32::MAX]);
            let sample = Sample { bytes, wire_bytes };
            pruned += u64::from(check(&mut choices, &program, &sample, seed));
        }
    }
    assert!(pruned > programs, "only {pruned} of {} are pruned", programs * 4);
}

/// What a flow index knows of real packets prunes filters on hosts, nets and ports nearly as well
/// as the packets themselves would.
#[test]
fn headers_of_real_packets_prune_as_the_packets_do() {
    let Some(folder) = captures::folder() else { return };
    let file = captures::read(&folder.join("mix_ndpi_merged.pcap")).unwrap();
    let filters = [
        "host 192.168.1.10",
        "net 10.0.0.0/8",
        "tcp port 443",
        "udp port 53",
        "ip6",
        "arp",
        "tcp and not net 192.168.0.0/16",
        "vlan and ip",
        "icmp or icmp6",
        "portrange 1-1023",
    ];
    let (mut rejected, mut pruned) = (0u64, 0u64);
    for expression in filters {
        let program = Program::compile(expression, file.link_type, 65_535).unwrap();
        for packet in file.packets.iter().step_by(7) {
            let mut headers = AbstractPacket::new();
            let known = packet.bytes.len().min(58);
            headers.set_bytes(0, &packet.bytes[..known]);
            let passes = program.run(&packet.bytes, packet.wire_bytes) != 0;
            let may = may_match(&program, &headers);
            assert!(may || !passes, "{expression} on {:02x?}", packet.bytes);
            rejected += u64::from(!passes);
            pruned += u64::from(!may);
        }
    }
    assert!(rejected > 1_000);
    assert!(pruned * 100 >= rejected * 99, "{pruned} of {rejected}");
}

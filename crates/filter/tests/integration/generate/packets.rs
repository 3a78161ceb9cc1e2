//! Packets: layers put on each other at random, then broken at random.

use super::{Choices, IPV4, IPV6, LABELS, MACS, PORTS, VLANS};

/// A packet as a capture would have it.
pub struct Sample {
    pub bytes: Vec<u8>,
    pub wire_bytes: u32,
}

/// Makes an Ethernet packet: most are whole, some are cut, some have bytes that lie.
pub fn random_packet(choices: &mut Choices) -> Sample {
    let mut bytes = Vec::with_capacity(160);
    bytes.extend(choices.pick(&MACS));
    bytes.extend(choices.pick(&MACS));
    tags(choices, &mut bytes);
    payload(choices, &mut bytes);
    let padding = choices.pick(&[0, 0, 1, 18, 200, 1_000]);
    bytes.resize(bytes.len() + padding, 0x2e);
    let mut wire_bytes = u32::try_from(bytes.len()).unwrap();
    if choices.once_in(3) {
        lie(choices, &mut bytes);
    }
    if choices.once_in(3) {
        bytes.truncate(choices.below(wire_bytes + 1) as usize);
    } else if choices.once_in(8) {
        wire_bytes = choices.pick(&[0, 64, 1_514, u32::MAX]);
    }
    Sample { bytes, wire_bytes }
}

fn lie(choices: &mut Choices, bytes: &mut [u8]) {
    let headers = u32::try_from(bytes.len().min(90)).unwrap();
    for _ in 0..=choices.below(3) {
        bytes[choices.below(headers) as usize] = choices.any() as u8;
    }
}

fn tags(choices: &mut Choices, bytes: &mut Vec<u8>) {
    for _ in 0..choices.pick(&[0, 0, 0, 1, 1, 2]) {
        bytes.extend(choices.pick(&[0x8100u16, 0x8100, 0x88a8, 0x9100]).to_be_bytes());
        let priority = (choices.below(8) as u16) << 13;
        bytes.extend((choices.pick(&VLANS) | priority).to_be_bytes());
    }
}

fn payload(choices: &mut Choices, bytes: &mut Vec<u8>) {
    match choices.below(12) {
        0..5 => {
            bytes.extend(0x0800u16.to_be_bytes());
            ipv4(choices, bytes);
        }
        5..8 => {
            bytes.extend(0x86ddu16.to_be_bytes());
            ipv6(choices, bytes);
        }
        8 => {
            bytes.extend(0x0806u16.to_be_bytes());
            arp(choices, bytes);
        }
        9 => {
            bytes.extend(0x8847u16.to_be_bytes());
            mpls(choices, bytes);
        }
        10 => {
            bytes.extend(0x8864u16.to_be_bytes());
            pppoe(choices, bytes);
        }
        _ => {
            // An 802.3 length and an LLC header, or an EtherType that nothing knows.
            bytes.extend(choices.pick(&[0x0026u16, 0x88cc, 0x8137]).to_be_bytes());
            bytes.extend(choices.pick(&[[0x42, 0x42, 3], [0xaa, 0xaa, 3], [0xf0, 0xf0, 3]]));
            bytes.extend([0; 30]);
        }
    }
}

fn arp(choices: &mut Choices, bytes: &mut Vec<u8>) {
    bytes.extend([0, 1, 8, 0, 6, 4, 0, choices.pick(&[1, 2])]);
    for _ in 0..2 {
        bytes.extend(choices.pick(&MACS));
        bytes.extend(choices.pick(&IPV4));
    }
}

fn mpls(choices: &mut Choices, bytes: &mut Vec<u8>) {
    let labels = choices.pick(&[1, 1, 2]);
    for label in 1..=labels {
        let bottom = u32::from(label == labels) << 8;
        bytes.extend((choices.pick(&LABELS) << 12 | bottom | 64).to_be_bytes());
    }
    ip(choices, bytes);
}

fn pppoe(choices: &mut Choices, bytes: &mut Vec<u8>) {
    bytes.extend([0x11, 0, 0, choices.pick(&[1, 2]), 0, 40]);
    if choices.once_in(2) {
        bytes.extend([0, 0x21]);
        ipv4(choices, bytes);
    } else {
        bytes.extend([0, 0x57]);
        ipv6(choices, bytes);
    }
}

fn ip(choices: &mut Choices, bytes: &mut Vec<u8>) {
    if choices.once_in(2) { ipv4(choices, bytes) } else { ipv6(choices, bytes) }
}

fn ipv4(choices: &mut Choices, bytes: &mut Vec<u8>) {
    let options = choices.pick(&[0u8, 0, 0, 1, 10]);
    let fragment = choices.pick(&[0u16, 0, 0, 0x4000, 0x2000, 0x2001, 0x0010]);
    let protocol = choices.pick(&[1u8, 6, 6, 6, 17, 17, 47, 51, 132, 2]);
    bytes.extend([0x45 + options, choices.pick(&[0, 0xb8]), 0, 60, 0, choices.below(3) as u8]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([choices.pick(&[1, 64]), protocol, 0, 0]);
    bytes.extend(choices.pick(&IPV4));
    bytes.extend(choices.pick(&IPV4));
    bytes.resize(bytes.len() + usize::from(options) * 4, 1);
    transport(choices, protocol, bytes);
}

fn ipv6(choices: &mut Choices, bytes: &mut Vec<u8>) {
    let extensions: Vec<u8> = (0..choices.pick(&[0, 0, 0, 1, 2, 5]))
        .map(|_| choices.pick(&[0, 43, 44, 60, 51]))
        .collect();
    let protocol = choices.pick(&[6u8, 6, 17, 17, 58, 59, 132]);
    let mut next = extensions.iter().copied().chain([protocol]);
    bytes.extend([0x60 | choices.pick(&[0, 0x0b]), 0, 0, 0, 0, 40]);
    bytes.extend([next.next().unwrap(), choices.pick(&[1, 64])]);
    for _ in 0..2 {
        bytes.extend(choices.pick(&IPV6).iter().flat_map(|group| group.to_be_bytes()));
    }
    for after in next {
        let units = choices.pick(&[0u8, 0, 1]);
        bytes.extend([after, units]);
        bytes.resize(bytes.len() + 6 + usize::from(units) * 8, 0);
    }
    transport(choices, protocol, bytes);
}

fn transport(choices: &mut Choices, protocol: u8, bytes: &mut Vec<u8>) {
    match protocol {
        6 | 17 | 132 => {
            bytes.extend(choices.pick(&PORTS).to_be_bytes());
            bytes.extend(choices.pick(&PORTS).to_be_bytes());
            bytes.extend([0, choices.below(3) as u8, 2, 0, 0, 0, 0, 0]);
            bytes.extend([0x50, choices.pick(&[0x02, 0x12, 0x10, 0x11, 0x04, 0x18]), 1, 0]);
            bytes.extend([0, 0, 0, 0]);
            bytes.extend(choices.pick(&[*b"GET ", *b"HTTP", [0; 4]]));
        }
        1 | 58 => {
            bytes.extend([choices.pick(&[0, 3, 8, 128, 135]), choices.below(2) as u8, 0, 0]);
            bytes.extend([0; 12]);
        }
        _ => bytes.extend([choices.below(4) as u8; 24]),
    }
}

//! The hash that spreads packets over lcores: the same for both directions of a flow.
//!
//! It reads as little as it can, and not what [`decode`](crate::decode) reads: two loads find the
//! network header of almost every packet. What it promises is symmetry, that all fragments of one
//! datagram meet, and mixed bits in every part of the result, so that any number of lanes can be
//! cut from it.

use crate::numbers::{ethertype, ip_protocol};
use crate::{IP_EXTENSIONS_MAX, MPLS_LABELS_MAX, VLAN_TAGS_MAX};

/// Hashes an Ethernet frame by its flow: both directions of a flow yield the same value.
///
/// - Unfragmented TCP, UDP and SCTP over IP: addresses, protocol and ports.
/// - Other IP: addresses and protocol. *All* fragments of a datagram hash by addresses (for IPv4
///   with the protocol), the first one too, so that they meet on one lane. That may be another
///   lane than the flow's unfragmented packets': use [`address_hash`] where that must not be.
/// - Other frames: MAC addresses and EtherType.
///
/// VLAN tags, MPLS labels and PPPoE are skipped and do not count, since a tap sees the two
/// directions of a flow with different ones. A tunnel counts by its outer headers: two directions
/// through VXLAN or Geneve, whose source port is random, may hash apart.
#[inline]
pub fn flow_hash(bytes: &[u8], seed: u32) -> u32 {
    hash::<true>(bytes, seed)
}

/// Hashes an Ethernet frame as [`flow_hash`], but never by ports: all packets between two
/// addresses of one protocol hash alike, fragmented or not.
#[inline]
pub fn address_hash(bytes: &[u8], seed: u32) -> u32 {
    hash::<false>(bytes, seed)
}

#[inline(always)]
fn hash<const PORTS: bool>(bytes: &[u8], seed: u32) -> u32 {
    let Some(header) = bytes.first_chunk::<14>() else {
        return mix_ends(0, 0, 0, seed);
    };
    match [header[12], header[13]] {
        [0x08, 0x00] => ipv4::<PORTS>(bytes, 14, seed),
        [0x86, 0xdd] => ipv6::<PORTS>(bytes, 14, seed),
        _ => tagged::<PORTS>(bytes, header, seed),
    }
    .unwrap_or_else(|| mac(header, seed))
}

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// Looks for an IP header behind tags. `None` if there is none.
#[inline(never)]
fn tagged<const PORTS: bool>(bytes: &[u8], header: &[u8; 14], seed: u32) -> Option<u32> {
    let mut announced = u16::from_be_bytes([header[12], header[13]]);
    let mut at = 14;
    for _ in 0..VLAN_TAGS_MAX {
        if !ethertype::is_vlan(announced) {
            break;
        }
        let tag = chunk::<4>(bytes, at)?;
        announced = u16::from_be_bytes([tag[2], tag[3]]);
        at += 4;
    }
    match announced {
        ethertype::IPV4 => ipv4::<PORTS>(bytes, at, seed),
        ethertype::IPV6 => ipv6::<PORTS>(bytes, at, seed),
        ethertype::PPPOE_SESSION => match chunk::<8>(bytes, at)? {
            [.., 0x00, 0x21] => ipv4::<PORTS>(bytes, at + 8, seed),
            [.., 0x00, 0x57] => ipv6::<PORTS>(bytes, at + 8, seed),
            _ => None,
        },
        other if ethertype::is_mpls(other) => {
            let at = below_labels(bytes, at)?;
            match bytes.get(at)? >> 4 {
                4 => ipv4::<PORTS>(bytes, at, seed),
                6 => ipv6::<PORTS>(bytes, at, seed),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns where an MPLS label stack ends that starts at `at`.
fn below_labels(bytes: &[u8], at: usize) -> Option<usize> {
    let labels = bytes.get(at..)?.as_chunks::<4>().0;
    let bottom = labels.iter().take(MPLS_LABELS_MAX).position(|label| label[2] & 1 == 1)?;
    Some(at + (bottom + 1) * 4)
}

#[inline(always)]
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP)
}

/// Returns source and destination port at `at`, or zeros where they are not captured.
#[inline(always)]
fn ports(bytes: &[u8], at: usize) -> [u16; 2] {
    match chunk::<4>(bytes, at) {
        Some(&[a, b, c, d]) => [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])],
        None => [0; 2],
    }
}

#[inline(always)]
fn ipv4<const PORTS: bool>(bytes: &[u8], at: usize, seed: u32) -> Option<u32> {
    let header = chunk::<20>(bytes, at)?;
    let protocol = header[9];
    // Offset and "more fragments"; the flag that forbids fragmenting is no fragment.
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let [source_port, destination_port] = if PORTS && !is_fragment && has_ports(protocol) {
        ports(bytes, at + usize::from(header[0] & 0x0f) * 4)
    } else {
        [0; 2]
    };
    let source = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
    let destination = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
    let one = u64::from(source) << 16 | u64::from(source_port);
    let other = u64::from(destination) << 16 | u64::from(destination_port);
    Some(mix_ends(one, other, protocol, seed))
}

#[inline(always)]
fn ipv6<const PORTS: bool>(bytes: &[u8], at: usize, seed: u32) -> Option<u32> {
    let header = chunk::<40>(bytes, at)?;
    let next = header[6];
    let (protocol, [source_port, destination_port]) = match next {
        ip_protocol::TCP | ip_protocol::UDP if PORTS => (next, ports(bytes, at + 40)),
        ip_protocol::TCP | ip_protocol::UDP => (next, [0; 2]),
        _ => behind_extensions::<PORTS>(bytes, at + 40, next),
    };
    let source = mix_address(chunk(header, 8)?, source_port);
    let destination = mix_address(chunk(header, 24)?, destination_port);
    Some(mix_ends(source, destination, protocol, seed))
}

/// Returns the protocol behind extension headers, and the ports if they count. A fragment counts
/// as the fragment header itself, since only the first fragment tells the protocol (RFC 8200).
#[inline(never)]
fn behind_extensions<const PORTS: bool>(
    bytes: &[u8],
    mut at: usize,
    mut next: u8,
) -> (u8, [u16; 2]) {
    for _ in 0..IP_EXTENSIONS_MAX {
        let Some(&[following, length, offset_high, offset_low]) = chunk(bytes, at) else {
            break;
        };
        let length = usize::from(length);
        match next {
            ip_protocol::FRAGMENT => {
                let is_atomic = offset_high == 0 && offset_low & 0xf9 == 0;
                if !is_atomic {
                    return (ip_protocol::FRAGMENT, [0; 2]);
                }
                at += 8;
            }
            ip_protocol::AUTHENTICATION => at += (length + 2) * 4,
            ip_protocol::HOP_BY_HOP
            | ip_protocol::ROUTING
            | ip_protocol::DESTINATION
            | ip_protocol::MOBILITY
            | ip_protocol::HIP
            | ip_protocol::SHIM6 => at += (length + 1) * 8,
            _ => break,
        }
        next = following;
    }
    let ports = if PORTS && has_ports(next) { ports(bytes, at) } else { [0; 2] };
    (next, ports)
}

/// Hashes what is not IP by its MAC addresses and EtherType; an 802.3 length, which differs from
/// frame to frame, counts as 0.
#[inline(never)]
fn mac(header: &[u8; 14], seed: u32) -> u32 {
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
    let announced = u16::from_be_bytes([t0, t1]);
    let kind = if announced > ethertype::LENGTH_MAX { announced } else { 0 };
    let source = u64::from_be_bytes([t_high(kind), t_low(kind), s0, s1, s2, s3, s4, s5]);
    let destination = u64::from_be_bytes([t_high(kind), t_low(kind), d0, d1, d2, d3, d4, d5]);
    mix_ends(source, destination, 0, seed)
}

fn t_high(kind: u16) -> u8 {
    kind.to_be_bytes()[0]
}

fn t_low(kind: u16) -> u8 {
    kind.to_be_bytes()[1]
}

// Odd constants with half their bits set, from the digits of pi.
const MIX_LOW: u64 = 0x243f_6a88_85a3_08d3;
const MIX_HIGH: u64 = 0x1319_8a2e_0370_7345;
const MIX_LAST: u64 = 0xa409_3822_299f_31d1;

/// Mixes two ends, in whichever order, and what they have in common.
#[inline(always)]
fn mix_ends(one: u64, other: u64, common: u8, seed: u32) -> u32 {
    let seed = u64::from(seed) << 32 | u64::from(seed);
    let low = one.min(other) ^ MIX_LOW ^ seed ^ u64::from(common) << 56;
    let high = one.max(other) ^ MIX_HIGH ^ seed.rotate_left(13);
    let folded = fold(low, high);
    // One more multiplication: without it, lanes by low bits are uneven for flows in a row.
    ((folded ^ folded >> 32).wrapping_mul(MIX_LAST) >> 32) as u32
}

/// Mixes an IPv6 address and a port into one number.
#[inline(always)]
fn mix_address(address: &[u8; 16], port: u16) -> u64 {
    let address = u128::from_be_bytes(*address);
    fold((address >> 64) as u64 ^ MIX_LAST, address as u64 ^ MIX_HIGH) ^ u64::from(port)
}

/// Multiplies to 128 bits and folds the halves together.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

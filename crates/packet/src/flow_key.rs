//! The name of a flow: the same for both directions, with the direction beside it.

mod encoding;
mod hashing;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::numbers::ip_protocol;
use crate::transport::icmp_ports;

/// A flow's 5-tuple and VLANs, the same whichever end sends.
///
/// The end with the smaller (address, port) comes first and is called *low*. Where the ports are
/// a one-way ICMP type and code, the sender is low: such messages have no other direction. This
/// is the order of the community-id specification, so that [`community_id`](crate::community_id)
/// need not look at a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C, align(4))]
pub struct FlowKey {
    /// IPv4 addresses are the first four bytes, and zeros.
    low_address: [u8; 16],
    high_address: [u8; 16],
    low_port: u16,
    high_port: u16,
    vlan_ids: [u16; 2],
    protocol: u8,
    /// 4 or 6.
    version: u8,
    port_kind: PortKind,
}

/// A flow and which way along it a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The flow.
    pub key: FlowKey,
    /// Who sent.
    pub direction: Direction,
}

/// Which end of a [`FlowKey`] sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The low end.
    LowToHigh,
    /// The high end.
    HighToLow,
}

/// What the ports of a [`FlowKey`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PortKind {
    /// None are known: a protocol without ports, a later fragment, or a header cut short. Both
    /// are 0, and nothing is said of the packet's bytes.
    None = 0,
    /// Ports of TCP, UDP or SCTP.
    Transport = 1,
    /// An ICMP type and the type that answers it.
    IcmpTwoWay = 2,
    /// An ICMP type and code; low is the sender.
    IcmpOneWay = 3,
}

/// The ports of one packet, source first.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) kind: PortKind,
}

impl Ports {
    pub(crate) const NONE: Self = Self { source: 0, destination: 0, kind: PortKind::None };

    #[inline(always)]
    pub(crate) fn transport(source: u16, destination: u16) -> Self {
        Self { source, destination, kind: PortKind::Transport }
    }
}

impl FlowKey {
    #[inline(always)]
    pub(crate) fn of_ipv4(
        from: u32,
        to: u32,
        ports: Ports,
        protocol: u8,
        vlan_ids: [u16; 2],
    ) -> Flow {
        let source = u64::from(from) << 16 | u64::from(ports.source);
        let destination = u64::from(to) << 16 | u64::from(ports.destination);
        let ordered = ports.kind == PortKind::IcmpOneWay || source <= destination;
        let (low, high) = if ordered { (source, destination) } else { (destination, source) };
        let key = Self {
            low_address: ipv4_padded(low),
            high_address: ipv4_padded(high),
            low_port: low as u16,
            high_port: high as u16,
            vlan_ids,
            protocol,
            version: 4,
            port_kind: ports.kind,
        };
        Flow { key, direction: Direction::of(ordered) }
    }

    #[inline(always)]
    pub(crate) fn of_ipv6(
        from: &[u8; 16],
        to: &[u8; 16],
        ports: Ports,
        protocol: u8,
        vlan_ids: [u16; 2],
    ) -> Flow {
        let source = (u128::from_be_bytes(*from), ports.source);
        let destination = (u128::from_be_bytes(*to), ports.destination);
        let ordered = ports.kind == PortKind::IcmpOneWay || source <= destination;
        let (low, high) = if ordered { (from, to) } else { (to, from) };
        let (low_port, high_port) = if ordered {
            (ports.source, ports.destination)
        } else {
            (ports.destination, ports.source)
        };
        let key = Self {
            low_address: *low,
            high_address: *high,
            low_port,
            high_port,
            vlan_ids,
            protocol,
            version: 6,
            port_kind: ports.kind,
        };
        Flow { key, direction: Direction::of(ordered) }
    }

    /// Returns the low end's address.
    pub fn low_address(&self) -> IpAddr {
        self.address(&self.low_address)
    }

    /// Returns the high end's address.
    pub fn high_address(&self) -> IpAddr {
        self.address(&self.high_address)
    }

    /// Returns the low end's address in network byte order: 4 or 16 bytes.
    #[inline]
    pub fn low_octets(&self) -> &[u8] {
        &self.low_address[..self.address_bytes()]
    }

    /// Returns the high end's address in network byte order: 4 or 16 bytes.
    #[inline]
    pub fn high_octets(&self) -> &[u8] {
        &self.high_address[..self.address_bytes()]
    }

    /// Returns the low end's port, or what stands for it.
    #[inline]
    pub fn low_port(&self) -> u16 {
        self.low_port
    }

    /// Returns the high end's port, or what stands for it.
    #[inline]
    pub fn high_port(&self) -> u16 {
        self.high_port
    }

    /// Returns what the ports are.
    #[inline]
    pub fn port_kind(&self) -> PortKind {
        self.port_kind
    }

    /// Returns the IP protocol behind all extension headers that could be read.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Returns whether the addresses are IPv6.
    #[inline]
    pub fn is_ipv6(&self) -> bool {
        self.version == 6
    }

    /// Returns the first two VLAN identifiers, from the outside, priority tags left out; 0 is
    /// none.
    #[inline]
    pub fn vlan_ids(&self) -> [u16; 2] {
        self.vlan_ids
    }

    #[inline]
    fn address_bytes(&self) -> usize {
        if self.version == 6 { 16 } else { 4 }
    }

    fn address(&self, octets: &[u8; 16]) -> IpAddr {
        if self.version == 6 {
            return IpAddr::V6(Ipv6Addr::from(*octets));
        }
        let [a, b, c, d, ..] = *octets;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }
}

impl Flow {
    /// Names the flow of a packet from `source` to `destination`.
    ///
    /// Ports count for TCP, UDP and SCTP. For ICMP and ICMPv6 (by `protocol`) the ports are type
    /// and code, as in Zeek and in community-id. For all other protocols they are ignored.
    /// VLAN identifiers are taken modulo 4096, the outer one first; 0 stands for none.
    /// An IPv4 address beside an IPv6 one is taken as its IPv4-mapped form.
    pub fn new(
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
        protocol: u8,
        vlan_ids: [u16; 2],
    ) -> Self {
        let ports = match protocol {
            ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP => {
                Ports::transport(source.1, destination.1)
            }
            ip_protocol::ICMP | ip_protocol::ICMPV6 => {
                icmp_ports(protocol, source.1 as u8, destination.1 as u8)
            }
            _ => Ports::NONE,
        };
        let vlan_ids = compact_vlans(vlan_ids.map(|id| id & 0x0fff));
        match (source.0, destination.0) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                FlowKey::of_ipv4(from.to_bits(), to.to_bits(), ports, protocol, vlan_ids)
            }
            (from, to) => {
                FlowKey::of_ipv6(&ipv6_octets(from), &ipv6_octets(to), ports, protocol, vlan_ids)
            }
        }
    }

    /// Returns the sender's port and the receiver's, as the key holds them.
    #[inline]
    pub fn ports(&self) -> [u16; 2] {
        match self.direction {
            Direction::LowToHigh => [self.key.low_port, self.key.high_port],
            Direction::HighToLow => [self.key.high_port, self.key.low_port],
        }
    }

    /// Returns the sender's address.
    pub fn source(&self) -> IpAddr {
        match self.direction {
            Direction::LowToHigh => self.key.low_address(),
            Direction::HighToLow => self.key.high_address(),
        }
    }

    /// Returns the receiver's address.
    pub fn destination(&self) -> IpAddr {
        match self.direction {
            Direction::LowToHigh => self.key.high_address(),
            Direction::HighToLow => self.key.low_address(),
        }
    }
}

impl core::fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "FlowKey({} port {} <-> {} port {}, protocol {}, vlans {:?}, {:?})",
            self.low_address(),
            self.low_port,
            self.high_address(),
            self.high_port,
            self.protocol,
            self.vlan_ids,
            self.port_kind
        )
    }
}

impl Direction {
    #[inline(always)]
    fn of(ordered: bool) -> Self {
        if ordered { Self::LowToHigh } else { Self::HighToLow }
    }

    /// Returns the other direction.
    #[inline]
    pub const fn reversed(self) -> Self {
        match self {
            Self::LowToHigh => Self::HighToLow,
            Self::HighToLow => Self::LowToHigh,
        }
    }
}

/// Moves the second VLAN to the front where the first names none (a priority tag).
#[inline(always)]
pub(crate) fn compact_vlans(ids: [u16; 2]) -> [u16; 2] {
    if ids[0] == 0 { [ids[1], 0] } else { ids }
}

/// Lays out the address in the upper bits of `end` (an address and a port) as the key holds it.
#[inline(always)]
fn ipv4_padded(end: u64) -> [u8; 16] {
    (u128::from(end >> 16) << 96).to_be_bytes()
}

fn ipv6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

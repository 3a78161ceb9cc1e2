//! Keys as bytes, the same on every machine.

use core::cmp::Ordering;

use super::{FlowKey, PortKind, Ports, compact_vlans};
use crate::numbers::ip_protocol;
use crate::transport::icmp_ports;

/// The bytes of a key in [`FlowKey::to_bytes`].
const KEY_BYTES: usize = 44;

impl FlowKey {
    /// Returns the key as bytes, the same on every machine: low address (16), high address (16),
    /// low port, high port, outer and inner VLAN identifier (2 each), protocol, IP version, port
    /// kind, zero (1 each); numbers are big-endian, IPv4 addresses are padded with zeros.
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        let mut out = [0; KEY_BYTES];
        out[..16].copy_from_slice(&self.low_address);
        out[16..32].copy_from_slice(&self.high_address);
        let numbers = [self.low_port, self.high_port, self.vlan_ids[0], self.vlan_ids[1]];
        for (place, number) in out[32..40].as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_be_bytes();
        }
        out[40..43].copy_from_slice(&[self.protocol, self.version, self.port_kind as u8]);
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for bytes that no key yields.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Option<Self> {
        let (address_pair, rest) = bytes.split_at(32);
        let mut numbers = [0; 4];
        for (number, place) in numbers.iter_mut().zip(rest[..8].as_chunks().0) {
            *number = u16::from_be_bytes(*place);
        }
        let [low_port, high_port, outer_vlan, inner_vlan] = numbers;
        let key = Self {
            low_address: *address_pair.first_chunk()?,
            high_address: *address_pair.last_chunk()?,
            low_port,
            high_port,
            vlan_ids: [outer_vlan, inner_vlan],
            protocol: bytes[40],
            version: bytes[41],
            port_kind: PortKind::from_byte(bytes[42])?,
        };
        (bytes[43] == 0 && key.is_canonical()).then_some(key)
    }

    /// Returns whether the constructors could have made this key.
    fn is_canonical(&self) -> bool {
        let ports =
            Ports { source: self.low_port, destination: self.high_port, kind: self.port_kind };
        let padded = |address: &[u8; 16]| address[4..] == [0; 12];
        let addresses_fit = match self.version {
            4 => padded(&self.low_address) && padded(&self.high_address),
            6 => true,
            _ => return false,
        };
        let order = (self.low_address, self.low_port).cmp(&(self.high_address, self.high_port));
        addresses_fit
            && (order != Ordering::Greater || self.port_kind == PortKind::IcmpOneWay)
            && self.vlan_ids.iter().all(|id| *id < 4096)
            && compact_vlans(self.vlan_ids) == self.vlan_ids
            && ports.fit(self.protocol)
    }
}

impl Ports {
    /// Returns whether a packet of `protocol` can have these ports, in this or the other order.
    fn fit(self, protocol: u8) -> bool {
        let is_icmp = matches!(protocol, ip_protocol::ICMP | ip_protocol::ICMPV6);
        match self.kind {
            PortKind::None => self.source == 0 && self.destination == 0,
            PortKind::Transport => {
                matches!(protocol, ip_protocol::TCP | ip_protocol::UDP | ip_protocol::SCTP)
            }
            PortKind::IcmpTwoWay | PortKind::IcmpOneWay => {
                let (Ok(kind), Ok(code)) =
                    (u8::try_from(self.source), u8::try_from(self.destination))
                else {
                    return false;
                };
                let ports = icmp_ports(protocol, kind, code);
                is_icmp && ports.kind == self.kind && ports.destination == self.destination
            }
        }
    }
}

impl PortKind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::None),
            1 => Some(Self::Transport),
            2 => Some(Self::IcmpTwoWay),
            3 => Some(Self::IcmpOneWay),
            _ => None,
        }
    }
}

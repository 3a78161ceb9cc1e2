//! Putting one header around what is inside it.

use super::checksum::internet_checksum;
use super::layer::{Geneve, Gre, Icmp, Ipv4, Ipv6, Layer, Tcp};

/// What has been built so far, from the inside.
pub(super) struct Body {
    bytes: Vec<u8>,
    /// A transport checksum that waits for the pseudo-header of the IP layer around it.
    checksum: Option<PendingChecksum>,
}

#[derive(Clone, Copy)]
struct PendingChecksum {
    /// Where the transport header starts.
    header_at: usize,
    /// Where its checksum is.
    field_at: usize,
    protocol: u8,
}

impl Body {
    /// A payload, with no header around it yet.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, checksum: None }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Puts `header` before the bytes.
    fn behind(self, header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(header.len() + self.bytes.len());
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&self.bytes);
        let checksum = self.checksum.map(|pending| PendingChecksum {
            header_at: pending.header_at + header.len(),
            field_at: pending.field_at + header.len(),
            ..pending
        });
        Self { bytes, checksum }
    }

    /// Puts a transport `header` before the bytes, whose checksum at `field_at` needs the
    /// addresses.
    fn behind_transport(self, header: &[u8], field_at: usize, protocol: u8) -> Self {
        let body = Self { checksum: None, ..self }.behind(header);
        Self { checksum: Some(PendingChecksum { header_at: 0, field_at, protocol }), ..body }
    }

    /// Fills in the checksum that waits, if one does.
    fn close(&mut self, addresses: &[u8]) {
        let Some(pending) = self.checksum.take() else {
            return;
        };
        let segment = &self.bytes[pending.header_at..];
        let length = (segment.len() as u32).to_be_bytes();
        let protocol = [0, 0, 0, pending.protocol];
        let sum = match internet_checksum(&[addresses, &length, &protocol, segment]) {
            // In UDP, 0 says that there is no checksum.
            0 if pending.protocol == 17 => 0xffff,
            sum => sum,
        };
        self.bytes[pending.field_at..pending.field_at + 2].copy_from_slice(&sum.to_be_bytes());
    }

    fn len16(&self) -> u16 {
        // A length that does not fit is 0, as NICs that segment themselves show it.
        u16::try_from(self.bytes.len()).unwrap_or(0)
    }
}

/// Puts `layer` around what is inside it, which starts with `next`.
pub(super) fn wrap(layer: &Layer, next: Option<&Layer>, body: Body) -> Body {
    let ethertype = next.map_or(0xffff, Layer::ethertype).to_be_bytes();
    match layer {
        Layer::Ethernet { destination, source } => {
            body.behind(&[&destination[..], source, &ethertype].concat())
        }
        Layer::Snap { destination, source } => {
            let length = (body.len16() + 8).to_be_bytes();
            let snap = [0xaa, 0xaa, 0x03, 0, 0, 0];
            body.behind(&[&destination[..], source, &length, &snap, &ethertype].concat())
        }
        Layer::Vlan { tci, .. } => body.behind(&[tci.to_be_bytes(), ethertype].concat()),
        Layer::Mpls { label } => {
            let is_bottom = !matches!(next, Some(Layer::Mpls { .. }));
            let entry = label << 12 | u32::from(is_bottom) << 8 | 64;
            body.behind(&entry.to_be_bytes())
        }
        Layer::ControlWord => body.behind(&[0; 4]),
        Layer::BackboneTag => body.behind(&[0, 0, 0, 42]),
        Layer::Pppoe { session } => {
            let ppp = next.map_or(0xc021, Layer::ppp_protocol).to_be_bytes();
            let length = (body.len16() + 2).to_be_bytes();
            body.behind(&[&[0x11, 0][..], &session.to_be_bytes(), &length, &ppp].concat())
        }
        Layer::Ipv4(header) => ipv4(header, next, body),
        Layer::Ipv6(header) => ipv6(header, next, body),
        Layer::Extension { .. } | Layer::Fragment { .. } => extension(layer, next, body),
        Layer::Tcp(header) => tcp(header, body),
        Layer::Udp { source, destination } => udp(*source, *destination, body),
        Layer::Sctp { source, destination } => {
            let header = [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0; 8]];
            body.behind(&header.concat())
        }
        Layer::Icmp(icmp) => {
            let mut body = body.behind(&icmp_header(icmp));
            let sum = internet_checksum(&[&body.bytes]).to_be_bytes();
            body.bytes[2..4].copy_from_slice(&sum);
            body
        }
        Layer::Icmpv6(icmp) => body.behind_transport(&icmp_header(icmp), 2, 58),
        Layer::Gre(header) => gre(header, next, body),
        Layer::EtherIp => body.behind(&[0x30, 0]),
        Layer::Raw { bytes, .. } => body.behind(bytes),
        Layer::Erspan { .. }
        | Layer::Vxlan { .. }
        | Layer::Geneve(_)
        | Layer::GtpUser { .. }
        | Layer::L2tp { .. } => tunnel(layer, next, body),
    }
}

fn ipv4(header: &Ipv4, next: Option<&Layer>, mut body: Body) -> Body {
    assert!(header.options.len().is_multiple_of(4), "IPv4 options fill words of four bytes");
    body.close(&[header.source, header.destination].concat());
    let words = 5 + header.options.len() / 4;
    let total_bytes = u16::try_from(body.bytes.len() + words * 4).unwrap_or(0);
    let protocol = next.map_or(253, Layer::ip_protocol);
    let mut bytes = vec![0x40 | words as u8, 0];
    bytes.extend(total_bytes.to_be_bytes());
    bytes.extend(header.identification.to_be_bytes());
    bytes.extend(header.fragment.to_be_bytes());
    bytes.extend([header.ttl, protocol, 0, 0]);
    bytes.extend(header.source);
    bytes.extend(header.destination);
    bytes.extend(&header.options);
    let sum = internet_checksum(&[&bytes]).to_be_bytes();
    bytes[10..12].copy_from_slice(&sum);
    body.behind(&bytes)
}

fn ipv6(header: &Ipv6, next: Option<&Layer>, mut body: Body) -> Body {
    body.close(&[header.source, header.destination].concat());
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(body.len16().to_be_bytes());
    bytes.extend([next.map_or(253, Layer::ip_protocol), header.hop_limit]);
    bytes.extend(header.source);
    bytes.extend(header.destination);
    body.behind(&bytes)
}

fn extension(layer: &Layer, next: Option<&Layer>, body: Body) -> Body {
    let next = next.map_or(59, Layer::ip_protocol);
    match layer {
        Layer::Fragment { offset_bytes, more, identification } => {
            let field = (offset_bytes & 0xfff8) | u16::from(*more);
            let fields = [&[next, 0][..], &field.to_be_bytes(), &identification.to_be_bytes()];
            body.behind(&fields.concat())
        }
        Layer::Extension { kind, data } => {
            let bytes = data.len() + 2;
            // AH counts words of four bytes less two; the others count eight, less one.
            let length = if *kind == 51 { bytes / 4 - 2 } else { bytes / 8 - 1 };
            body.behind(&[&[next, length as u8][..], data].concat())
        }
        _ => body,
    }
}

fn tcp(header: &Tcp, body: Body) -> Body {
    assert!(header.options.len().is_multiple_of(4), "TCP options fill words of four bytes");
    let words = 5 + header.options.len() / 4;
    let mut bytes = Vec::with_capacity(words * 4);
    bytes.extend(header.source.to_be_bytes());
    bytes.extend(header.destination.to_be_bytes());
    bytes.extend(header.sequence.to_be_bytes());
    bytes.extend(header.acknowledgment.to_be_bytes());
    bytes.extend([(words as u8) << 4, header.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    bytes.extend(&header.options);
    body.behind_transport(&bytes, 16, 6)
}

fn udp(source: u16, destination: u16, body: Body) -> Body {
    let length = body.len16().checked_add(8).unwrap_or(0);
    let fields = [source, destination, length, 0].map(u16::to_be_bytes);
    body.behind_transport(&fields.concat(), 6, 17)
}

fn icmp_header(icmp: &Icmp) -> [u8; 8] {
    let [a, b, c, d] = icmp.rest;
    [icmp.kind, icmp.code, 0, 0, a, b, c, d]
}

fn gre(header: &Gre, next: Option<&Layer>, body: Body) -> Body {
    let flag = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
    let flags = flag(header.has_checksum, 0x8000)
        | flag(header.key.is_some(), 0x2000)
        | flag(header.sequence.is_some(), 0x1000);
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend(next.map_or(0, Layer::ethertype).to_be_bytes());
    if header.has_checksum {
        bytes.extend([0; 4]);
    }
    for word in [header.key, header.sequence].into_iter().flatten() {
        bytes.extend(word.to_be_bytes());
    }
    let mut body = body.behind(&bytes);
    if header.has_checksum {
        let sum = internet_checksum(&[&body.bytes]).to_be_bytes();
        body.bytes[4..6].copy_from_slice(&sum);
    }
    body
}

fn tunnel(layer: &Layer, next: Option<&Layer>, body: Body) -> Body {
    match layer {
        Layer::Erspan { kind: 1 } => body,
        Layer::Erspan { kind: 2 } => body.behind(&[0x10, 1, 0, 1, 0, 0, 0, 0]),
        Layer::Erspan { .. } => body.behind(&[0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        Layer::Vxlan { vni } => body.behind(&[[0x08, 0, 0, 0], (vni << 8).to_be_bytes()].concat()),
        Layer::Geneve(Geneve { vni, options }) => {
            assert!(options.len().is_multiple_of(4) && options.len() <= 252, "Geneve options fit");
            let ethertype = next.map_or(0, Layer::ethertype).to_be_bytes();
            let first = [(options.len() / 4) as u8, 0];
            let vni = (vni << 8).to_be_bytes();
            body.behind(&[&first[..], &ethertype, &vni, options].concat())
        }
        Layer::GtpUser { teid, extensions } => gtp_user(*teid, extensions, body),
        Layer::L2tp { session } => {
            let ppp = next.map_or(0xc021, Layer::ppp_protocol).to_be_bytes();
            let length = (body.len16() + 12).to_be_bytes();
            let ids = [[0, 1], session.to_be_bytes()].concat();
            body.behind(&[&[0x40, 0x02][..], &length, &ids, &[0xff, 0x03], &ppp].concat())
        }
        _ => body,
    }
}

fn gtp_user(teid: u32, extensions: &[Vec<u8>], body: Body) -> Body {
    let mut optional = Vec::new();
    if !extensions.is_empty() {
        // Sequence number, N-PDU number, and the first extension's type.
        optional.extend([0, 0, 0, 0x85]);
    }
    for (index, contents) in extensions.iter().enumerate() {
        assert!(contents.len() % 4 == 2, "a GTP extension fills words of four bytes");
        let is_last = index + 1 == extensions.len();
        optional.push((contents.len() as u8 + 2) / 4);
        optional.extend(contents);
        optional.push(if is_last { 0 } else { 0x85 });
    }
    let length = u16::try_from(body.bytes.len() + optional.len()).unwrap_or(0);
    let mut bytes = vec![0x30 | if extensions.is_empty() { 0 } else { 0x04 }, 255];
    bytes.extend(length.to_be_bytes());
    bytes.extend(teid.to_be_bytes());
    bytes.extend(optional);
    body.behind(&bytes)
}

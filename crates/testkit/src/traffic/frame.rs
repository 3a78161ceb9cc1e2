//! Building one frame from its headers, with right lengths and checksums.

use super::layer::{Geneve, Gre, Icmp, Ipv4, Ipv6, Layer, Tcp};
use super::wrap::{Body, wrap};

/// The addresses that frames have unless told otherwise; both are locally administered.
const DESTINATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// Builds a frame from its headers, the outermost first.
///
/// ```
/// use weir_testkit::FrameBuilder;
///
/// let frame = FrameBuilder::ethernet()
///     .vlan(7)
///     .ipv4([10, 0, 0, 1], [10, 0, 0, 2])
///     .udp(4000, 53)
///     .payload(b"query")
///     .build();
/// assert_eq!(frame.len(), 14 + 4 + 20 + 8 + 5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FrameBuilder {
    layers: Vec<Layer>,
    payload: Vec<u8>,
}

impl FrameBuilder {
    /// A frame without a link header: whatever layer comes next is the first.
    pub fn raw() -> Self {
        Self::default()
    }

    /// A frame that starts with an Ethernet header between two usual addresses.
    pub fn ethernet() -> Self {
        Self::raw().inner_ethernet()
    }

    /// A frame that starts with an Ethernet header between the given addresses.
    pub fn ethernet_between(source: [u8; 6], destination: [u8; 6]) -> Self {
        Self::raw().layer(Layer::Ethernet { destination, source })
    }

    /// A frame that starts with an IEEE 802.3 header, LLC and SNAP.
    pub fn snap() -> Self {
        Self::raw().layer(Layer::Snap { destination: DESTINATION, source: SOURCE })
    }

    /// Adds any layer.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds an Ethernet header, as it is carried in a tunnel.
    pub fn inner_ethernet(self) -> Self {
        self.layer(Layer::Ethernet { destination: DESTINATION, source: SOURCE })
    }

    /// Adds an 802.1Q tag.
    pub fn vlan(self, id: u16) -> Self {
        self.layer(Layer::Vlan { tpid: 0x8100, tci: id })
    }

    /// Adds an 802.1ad service tag.
    pub fn service_vlan(self, id: u16) -> Self {
        self.layer(Layer::Vlan { tpid: 0x88a8, tci: id })
    }

    /// Adds an MPLS label.
    pub fn mpls(self, label: u32) -> Self {
        self.layer(Layer::Mpls { label })
    }

    /// Adds a PPPoE session header.
    pub fn pppoe(self, session: u16) -> Self {
        self.layer(Layer::Pppoe { session })
    }

    /// Adds an IPv4 header that forbids fragments.
    pub fn ipv4(self, source: [u8; 4], destination: [u8; 4]) -> Self {
        self.layer(Layer::Ipv4(Ipv4 {
            source,
            destination,
            identification: 0,
            fragment: 0x4000,
            ttl: 64,
            options: Vec::new(),
        }))
    }

    /// Adds an IPv6 header.
    pub fn ipv6(self, source: [u8; 16], destination: [u8; 16]) -> Self {
        self.layer(Layer::Ipv6(Ipv6 { source, destination, hop_limit: 64 }))
    }

    /// Adds an IPv6 extension header of 8 bytes, its options all padding.
    pub fn extension(self, kind: u8) -> Self {
        self.layer(Layer::Extension { kind, data: vec![1, 4, 0, 0, 0, 0] })
    }

    /// Adds a TCP header with these flags.
    pub fn tcp(self, source: u16, destination: u16, flags: u8) -> Self {
        self.layer(Layer::Tcp(Tcp { source, destination, flags, ..Tcp::default() }))
    }

    /// Adds a UDP header.
    pub fn udp(self, source: u16, destination: u16) -> Self {
        self.layer(Layer::Udp { source, destination })
    }

    /// Adds the common header of SCTP.
    pub fn sctp(self, source: u16, destination: u16) -> Self {
        self.layer(Layer::Sctp { source, destination })
    }

    /// Adds an ICMP header.
    pub fn icmp(self, kind: u8, code: u8) -> Self {
        self.layer(Layer::Icmp(Icmp { kind, code, ..Icmp::default() }))
    }

    /// Adds an ICMPv6 header.
    pub fn icmpv6(self, kind: u8, code: u8) -> Self {
        self.layer(Layer::Icmpv6(Icmp { kind, code, ..Icmp::default() }))
    }

    /// Adds GRE without options.
    pub fn gre(self) -> Self {
        self.layer(Layer::Gre(Gre::default()))
    }

    /// Adds UDP to VXLAN's port, VXLAN, and an Ethernet header.
    pub fn vxlan(self, vni: u32) -> Self {
        self.udp(49_152, 4789).layer(Layer::Vxlan { vni }).inner_ethernet()
    }

    /// Adds UDP to Geneve's port, Geneve, and an Ethernet header.
    pub fn geneve(self, vni: u32) -> Self {
        let geneve = Geneve { vni, ..Geneve::default() };
        self.udp(49_153, 6081).layer(Layer::Geneve(geneve)).inner_ethernet()
    }

    /// Adds UDP to GTP's user-plane port, and GTP.
    pub fn gtp_user(self, teid: u32) -> Self {
        self.udp(2152, 2152).layer(Layer::GtpUser { teid, extensions: Vec::new() })
    }

    /// Sets what follows the last header.
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Builds the frame.
    pub fn build(&self) -> Vec<u8> {
        let mut body = Body::of(self.payload.clone());
        for (index, layer) in self.layers.iter().enumerate().rev() {
            body = wrap(layer, self.layers.get(index + 1), body);
        }
        body.into_bytes()
    }

    /// Builds the frame, and pads it with zeros to the 60 bytes that Ethernet asks for.
    pub fn build_padded(&self) -> Vec<u8> {
        let mut frame = self.build();
        if frame.len() < 60 {
            frame.resize(60, 0);
        }
        frame
    }
}

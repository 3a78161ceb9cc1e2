//! What decoding a packet yields: small, `Copy`, and only offsets into the packet's bytes.

use crate::flow_key::Flow;
use crate::issue::Issue;

/// What a packet's headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How the link layer announced what it carries.
    pub link: LinkKind,
    /// VLAN tags read, at most [`VLAN_TAGS_MAX`](crate::VLAN_TAGS_MAX).
    pub vlan_count: u8,
    /// MPLS labels read, at most [`MPLS_LABELS_MAX`](crate::MPLS_LABELS_MAX).
    pub mpls_count: u8,
    /// The first two VLAN tags, from the outside; all zero where there is none.
    pub vlans: [VlanTag; 2],
    /// The EtherType behind all VLAN tags (so 0x8847 for MPLS, 0x8864 for PPPoE), and 0 where
    /// there is none: LLC without SNAP, an unknown link type, or a truncated header.
    pub ethertype: u16,
    /// The headers behind the link layer.
    pub outer: Headers,
    /// The outermost tunnel, whether it could be entered or not. Set by
    /// [`decode`](crate::decode) only.
    pub tunnel: Option<TunnelKind>,
    /// How many tunnels were entered, one in the other.
    pub tunnel_count: u8,
    /// The innermost headers that were reached, if a tunnel was entered. Set by
    /// [`decode`](crate::decode) only.
    pub inner: Option<Headers>,
    /// The first thing wrong with the packet.
    pub issue: Option<Issue>,
}

/// One network header and what follows it. Offsets count from the packet's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Which network protocol the header outside announced.
    pub network: Network,
    /// Byte 9 of an IPv4 header, or byte 6 of an IPv6 header, as it stands there. It differs
    /// from the flow key's protocol where extension headers (or AH) come between.
    pub ip_next: u8,
    /// Which part of a fragmented datagram this is.
    pub fragment: Fragment,
    /// The low eight TCP flags (CWR ECE URG ACK PSH RST SYN FIN), and 0 where there are none or
    /// they are not captured.
    pub tcp_flags: u8,
    /// Where the network header starts.
    pub l3_offset: u32,
    /// Where the transport header starts, behind all extension headers; where the payload starts
    /// if there is none.
    pub l4_offset: u32,
    /// Where the payload of the last header read starts.
    pub payload_offset: u32,
    /// Captured bytes of payload, within what the IP header claims: link padding is not payload.
    pub payload_bytes: u32,
    /// The flow, for IPv4 and IPv6 with a whole address pair.
    pub flow: Option<Flow>,
}

impl Headers {
    /// Headers of which nothing is known but where they would start.
    #[inline(always)]
    pub(crate) fn at(offset: usize, network: Network, end: usize) -> Self {
        let start = offset.min(end);
        Self {
            network,
            ip_next: 0,
            fragment: Fragment::None,
            tcp_flags: 0,
            l3_offset: start as u32,
            l4_offset: start as u32,
            payload_offset: start as u32,
            payload_bytes: (end - start) as u32,
            flow: None,
        }
    }

    /// Returns where the payload ends, as an index into the packet's bytes.
    #[inline(always)]
    pub(crate) fn payload_end(&self) -> usize {
        self.payload_offset as usize + self.payload_bytes as usize
    }
}

/// How the link layer announced what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Ethernet II: an EtherType.
    Ethernet,
    /// IEEE 802.3 with a length, then LLC without SNAP (or raw IPX).
    Ieee8023,
    /// IEEE 802.3 with a length, then LLC and SNAP.
    Snap,
    /// No link header: IPv4 or IPv6 at once.
    RawIp,
    /// BSD loopback (`LINKTYPE_NULL`, `LINKTYPE_LOOP`).
    Null,
    /// Linux "cooked" capture.
    LinuxSll,
    /// Linux "cooked" capture, version 2.
    LinuxSll2,
    /// A link type that this crate does not read, or a packet too short to tell.
    Unknown,
}

/// Which network protocol was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// None could be told: the headers end before it.
    None,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP or RARP.
    Arp,
    /// Anything else.
    Other,
}

/// Which part of a fragmented datagram a packet is. Nothing is reassembled: this is what one
/// packet alone can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fragment {
    /// Not a fragment.
    None,
    /// An IPv6 fragment that is the whole datagram (RFC 6946).
    Atomic,
    /// The first fragment, with the whole transport header.
    First,
    /// A first fragment too small for its transport header (RFC 1858, RFC 7112).
    Tiny,
    /// A later fragment: no transport header.
    Later,
    /// A later fragment that starts inside the TCP header: whether it overwrites ports or flags
    /// depends on who reassembles it (RFC 1858, RFC 3128).
    OverlapUnknown,
}

impl Fragment {
    /// Returns whether the packet must be joined with others to make a datagram.
    #[inline]
    pub const fn is_partial(self) -> bool {
        !matches!(self, Self::None | Self::Atomic)
    }

    /// Returns whether the packet does not start with a transport header.
    #[inline]
    pub const fn is_later(self) -> bool {
        matches!(self, Self::Later | Self::OverlapUnknown)
    }
}

/// A VLAN tag as it stands in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// The tag protocol identifier: 0x8100, 0x88a8 or 0x9100.
    pub tpid: u16,
    /// The tag control information: priority, drop eligibility, VLAN identifier.
    pub tci: u16,
}

impl VlanTag {
    /// Returns the VLAN identifier; 0 is a priority tag, which names no VLAN.
    #[inline]
    pub const fn id(self) -> u16 {
        self.tci & 0x0fff
    }

    /// Returns the priority code point, 0 to 7.
    #[inline]
    pub const fn priority(self) -> u8 {
        (self.tci >> 13) as u8
    }
}

/// A tunnel: a header that carries a packet of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, RFC 2473, RFC 4213).
    IpInIp,
    /// GRE with a network protocol or a whole frame (RFC 2784, RFC 2890; NVGRE, PPTP).
    Gre,
    /// ERSPAN of types I, II and III, inside GRE.
    Erspan,
    /// Ethernet within IP (RFC 3378).
    EtherIp,
    /// VXLAN (RFC 7348) and its generic protocol extension.
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// GTP version 1, user plane (3GPP TS 29.281).
    GtpUser,
    /// Teredo (RFC 4380).
    Teredo,
    /// L2TP version 2 with PPP (RFC 2661); version 3 (RFC 3931) is recognised, not entered, since
    /// the length of its cookie is agreed elsewhere.
    L2tp,
    /// MPLS within IP (RFC 4023) or UDP (RFC 7510).
    Mpls,
    /// An Ethernet pseudowire over MPLS (RFC 4448).
    Pseudowire,
    /// A provider backbone bridge (IEEE 802.1ah).
    BackboneBridge,
}

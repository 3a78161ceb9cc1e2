//! The headers that a frame can be built of.

/// One header. What its type, length and checksum fields must say comes from what is inside it.
#[derive(Clone, Debug)]
pub enum Layer {
    /// An Ethernet header; its type field says what follows.
    Ethernet {
        /// The receiver's address.
        destination: [u8; 6],
        /// The sender's address.
        source: [u8; 6],
    },
    /// An IEEE 802.3 header with a length, and LLC with SNAP.
    Snap {
        /// The receiver's address.
        destination: [u8; 6],
        /// The sender's address.
        source: [u8; 6],
    },
    /// A VLAN tag.
    Vlan {
        /// The type field that announces the tag.
        tpid: u16,
        /// Priority, drop eligibility and VLAN identifier.
        tci: u16,
    },
    /// An MPLS label, the bottom of the stack if no label follows.
    Mpls {
        /// The label, 20 bits.
        label: u32,
    },
    /// The control word of an Ethernet pseudowire.
    ControlWord,
    /// A backbone service instance tag (IEEE 802.1ah).
    BackboneTag,
    /// A PPPoE session header and PPP.
    Pppoe {
        /// The session.
        session: u16,
    },
    /// An IPv4 header.
    Ipv4(Ipv4),
    /// An IPv6 header.
    Ipv6(Ipv6),
    /// An IPv6 extension header (or AH), which starts with the next header and its length.
    Extension {
        /// Its own protocol number.
        kind: u8,
        /// Everything behind the two first bytes.
        data: Vec<u8>,
    },
    /// An IPv6 fragment header.
    Fragment {
        /// The offset in bytes, a multiple of 8.
        offset_bytes: u16,
        /// Whether more fragments follow.
        more: bool,
        /// The datagram that the fragment belongs to.
        identification: u32,
    },
    /// A TCP header.
    Tcp(Tcp),
    /// A UDP header.
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// The common header of SCTP.
    Sctp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// An ICMP header.
    Icmp(Icmp),
    /// An ICMPv6 header.
    Icmpv6(Icmp),
    /// GRE.
    Gre(Gre),
    /// ERSPAN type I, II or III, behind GRE with its sequence number (but for type I).
    Erspan {
        /// 1, 2 or 3.
        kind: u8,
    },
    /// VXLAN.
    Vxlan {
        /// The network identifier, 24 bits.
        vni: u32,
    },
    /// Geneve.
    Geneve(Geneve),
    /// GTP version 1, user plane, with the given extension headers (each without its length and
    /// next-type bytes, of a length that is 2 modulo 4).
    GtpUser {
        /// The tunnel.
        teid: u32,
        /// The extension headers' contents.
        extensions: Vec<Vec<u8>>,
    },
    /// An L2TP version 2 data message with a length, and PPP.
    L2tp {
        /// The session.
        session: u16,
    },
    /// Ethernet within IP.
    EtherIp,
    /// Any bytes, with any numbers to be announced by.
    Raw {
        /// The EtherType.
        ethertype: u16,
        /// The IP protocol.
        ip_protocol: u8,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// An IPv4 header.
#[derive(Clone, Debug)]
pub struct Ipv4 {
    /// The sender.
    pub source: [u8; 4],
    /// The receiver.
    pub destination: [u8; 4],
    /// The datagram that a fragment belongs to.
    pub identification: u16,
    /// The flags (0x4000 forbids fragments, 0x2000 says more follow) and the offset in words of
    /// eight bytes.
    pub fragment: u16,
    /// How many hops are left.
    pub ttl: u8,
    /// Options, of a length that is a multiple of 4.
    pub options: Vec<u8>,
}

/// An IPv6 header.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    /// The sender.
    pub source: [u8; 16],
    /// The receiver.
    pub destination: [u8; 16],
    /// How many hops are left.
    pub hop_limit: u8,
}

/// A TCP header.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// The number of the first byte of payload.
    pub sequence: u32,
    /// The number of the next byte expected.
    pub acknowledgment: u32,
    /// The low eight flags.
    pub flags: u8,
    /// Options, of a length that is a multiple of 4.
    pub options: Vec<u8>,
}

impl Tcp {
    /// The last segment of one direction.
    pub const FIN: u8 = 0x01;
    /// The first segment of one direction.
    pub const SYN: u8 = 0x02;
    /// The connection is gone.
    pub const RST: u8 = 0x04;
    /// The payload is for now.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment counts.
    pub const ACK: u8 = 0x10;
}

/// An ICMP or ICMPv6 header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Icmp {
    /// The message's type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The four bytes behind the checksum: for an echo, identifier and sequence number.
    pub rest: [u8; 4],
}

/// A GRE header of version 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gre {
    /// Whether there is a checksum.
    pub has_checksum: bool,
    /// The key, if there is one.
    pub key: Option<u32>,
    /// The sequence number, if there is one.
    pub sequence: Option<u32>,
}

/// A Geneve header.
#[derive(Clone, Debug, Default)]
pub struct Geneve {
    /// The network identifier, 24 bits.
    pub vni: u32,
    /// Options, of a length that is a multiple of 4 and at most 252.
    pub options: Vec<u8>,
}

impl Layer {
    /// Returns the EtherType that announces this layer, and 0 if none does.
    pub(super) fn ethertype(&self) -> u16 {
        match self {
            Self::Ethernet { .. } | Self::Snap { .. } => 0x6558,
            Self::Vlan { tpid, .. } => *tpid,
            Self::Mpls { .. } => 0x8847,
            Self::BackboneTag => 0x88e7,
            Self::Pppoe { .. } => 0x8864,
            Self::Ipv4(_) => 0x0800,
            Self::Ipv6(_) => 0x86dd,
            Self::Erspan { kind: 3 } => 0x22eb,
            Self::Erspan { .. } => 0x88be,
            Self::Raw { ethertype, .. } => *ethertype,
            _ => 0,
        }
    }

    /// Returns the IP protocol number that announces this layer.
    pub(super) fn ip_protocol(&self) -> u8 {
        match self {
            Self::Ipv4(_) => 4,
            Self::Ipv6(_) => 41,
            Self::Extension { kind, .. } => *kind,
            Self::Fragment { .. } => 44,
            Self::Tcp(_) => 6,
            Self::Udp { .. } => 17,
            Self::Sctp { .. } => 132,
            Self::Icmp(_) => 1,
            Self::Icmpv6(_) => 58,
            Self::Gre(_) => 47,
            Self::EtherIp => 97,
            Self::Mpls { .. } => 137,
            Self::Raw { ip_protocol, .. } => *ip_protocol,
            // "No next header": nothing that IP knows.
            _ => 59,
        }
    }

    /// Returns the PPP protocol number that announces this layer.
    pub(super) fn ppp_protocol(&self) -> u16 {
        match self {
            Self::Ipv4(_) => 0x0021,
            Self::Ipv6(_) => 0x0057,
            Self::Mpls { .. } => 0x0281,
            // The link control protocol, as good as any that carries no packets.
            _ => 0xc021,
        }
    }
}

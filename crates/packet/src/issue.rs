//! What is wrong with a packet, as a value that can be counted.

/// The first thing wrong with a packet, in the order of its headers.
///
/// A packet with an issue is still described as far as it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Issue {
    /// What is wrong.
    pub kind: IssueKind,
    /// Where.
    pub layer: Layer,
}

/// What can be wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// The captured bytes end before the header, or the payload, does.
    Truncated,
    /// A length field contradicts what is around it: too small for its own header, or larger
    /// than the header outside allows.
    Length,
    /// The version field is not what the header outside announced.
    Version,
    /// A hop-by-hop header that is not the first, or a second fragment header.
    Order,
    /// A fragment that ends beyond the 65,535 bytes that a datagram can have.
    FragmentOverflow,
    /// A first IPv6 fragment that does not hold the whole header chain (RFC 7112).
    SplitHeaders,
    /// More headers of one kind than this crate's limit.
    TooDeep,
}

/// The coarse classes that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueClass {
    /// Bytes are missing: a small snaplen, or a packet cut short.
    Truncated,
    /// The headers contradict themselves.
    Malformed,
    /// The headers go on beyond a limit of this crate.
    TooDeep,
}

/// The place of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The link header, LLC and SNAP with it.
    Link,
    /// A VLAN tag.
    Vlan,
    /// An MPLS label.
    Mpls,
    /// PPPoE or PPP.
    Ppp,
    /// ARP or RARP.
    Arp,
    /// The IPv4 header.
    Ipv4,
    /// The fixed IPv6 header.
    Ipv6,
    /// An extension header behind an IP header.
    Extension,
    /// TCP, UDP, SCTP, ICMP or ICMPv6.
    Transport,
    /// A tunnel's own header.
    Tunnel,
    /// What follows the headers.
    Payload,
}

impl Issue {
    #[inline(always)]
    pub(crate) const fn new(kind: IssueKind, layer: Layer) -> Self {
        Self { kind, layer }
    }

    /// Returns the class that the issue is counted under.
    pub const fn class(self) -> IssueClass {
        match self.kind {
            IssueKind::Truncated => IssueClass::Truncated,
            IssueKind::TooDeep => IssueClass::TooDeep,
            IssueKind::Length
            | IssueKind::Version
            | IssueKind::Order
            | IssueKind::FragmentOverflow
            | IssueKind::SplitHeaders => IssueClass::Malformed,
        }
    }
}

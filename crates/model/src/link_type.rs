//! Link types, as pcapng's Interface Description Block numbers them.

/// A link-layer header type: a `LINKTYPE_` value of
/// <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// Ethernet, `LINKTYPE_ETHERNET`: what every DPDK port delivers.
    pub const ETHERNET: Self = Self(1);
}

//! Numbers that the IEEE and IANA registries give to protocols.

/// EtherTypes, as <https://www.iana.org/assignments/ieee-802-numbers> lists them.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const RARP: u16 = 0x8035;
    pub(crate) const IPV6: u16 = 0x86dd;
    /// Customer VLAN tag, IEEE 802.1Q.
    pub(crate) const VLAN: u16 = 0x8100;
    /// Service VLAN tag, IEEE 802.1ad.
    pub(crate) const SERVICE_VLAN: u16 = 0x88a8;
    /// What some switches put on outer tags before 802.1ad.
    pub(crate) const OLD_QINQ: u16 = 0x9100;
    pub(crate) const MPLS: u16 = 0x8847;
    /// MPLS with upstream-assigned labels, once called multicast (RFC 5332).
    pub(crate) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    /// Backbone service instance tag, IEEE 802.1ah (MAC-in-MAC).
    pub(crate) const BACKBONE_TAG: u16 = 0x88e7;
    /// Transparent Ethernet bridging: a whole frame inside GRE or Geneve.
    pub(crate) const BRIDGED_ETHERNET: u16 = 0x6558;
    /// ERSPAN types I and II, inside GRE.
    pub(crate) const ERSPAN: u16 = 0x88be;
    /// ERSPAN type III, inside GRE.
    pub(crate) const ERSPAN_3: u16 = 0x22eb;
    /// PPP inside GRE version 1 (RFC 2637).
    pub(crate) const PPP: u16 = 0x880b;
    /// Values up to this one are an IEEE 802.3 length, not a type.
    pub(crate) const LENGTH_MAX: u16 = 1500;

    /// Returns whether a VLAN tag follows a type field of this value.
    #[inline(always)]
    pub(crate) fn is_vlan(ethertype: u16) -> bool {
        matches!(ethertype, VLAN | SERVICE_VLAN | OLD_QINQ)
    }

    /// Returns whether an MPLS label stack follows a type field of this value.
    #[inline(always)]
    pub(crate) fn is_mpls(ethertype: u16) -> bool {
        matches!(ethertype, MPLS | MPLS_UPSTREAM)
    }
}

/// IP protocol numbers, as <https://www.iana.org/assignments/protocol-numbers> lists them.
pub(crate) mod ip_protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const AUTHENTICATION: u8 = 51;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const DESTINATION: u8 = 60;
    /// Ethernet within IP (RFC 3378).
    pub(crate) const ETHERIP: u8 = 97;
    /// L2TP version 3 directly over IP.
    pub(crate) const L2TP: u8 = 115;
    pub(crate) const SCTP: u8 = 132;
    pub(crate) const MOBILITY: u8 = 135;
    /// MPLS within IP (RFC 4023).
    pub(crate) const MPLS: u8 = 137;
    pub(crate) const HIP: u8 = 139;
    pub(crate) const SHIM6: u8 = 140;
}

/// UDP ports of tunnels, as <https://www.iana.org/assignments/service-names-port-numbers> lists
/// them, but for the one that says otherwise.
pub(crate) mod udp_port {
    pub(crate) const L2TP: u16 = 1701;
    pub(crate) const GTP_USER: u16 = 2152;
    pub(crate) const TEREDO: u16 = 3544;
    pub(crate) const VXLAN: u16 = 4789;
    pub(crate) const VXLAN_GPE: u16 = 4790;
    pub(crate) const GENEVE: u16 = 6081;
    pub(crate) const MPLS: u16 = 6635;
    /// The port of VXLAN in Linux before IANA gave it one; still the kernel's default.
    pub(crate) const VXLAN_LINUX: u16 = 8472;

    /// Returns whether packets to or from this port may carry a tunnel.
    #[inline(always)]
    pub(crate) fn is_tunnel(port: u16) -> bool {
        matches!(port, L2TP | GTP_USER | TEREDO | VXLAN | VXLAN_GPE | GENEVE | MPLS | VXLAN_LINUX)
    }
}

//! The walk through a packet's headers.

use weir_model::LinkType;

use crate::TUNNELS_MAX;
use crate::decoded::{Decoded, Fragment, Headers};
use crate::issue::{IssueKind, Layer};
use crate::link::{self, Link};
use crate::network;
use crate::tunnel::{self, Entry};
use crate::walk::Walk;

/// Reads the headers of a packet up to its first transport header.
///
/// `bytes` are the captured bytes from the packet's first on; where the packet was sliced, the
/// lengths in its headers stand against those that are here. This is [`decode`] without the
/// tunnels: [`tunnel`](Decoded::tunnel) and [`inner`](Decoded::inner) are `None`.
#[inline]
pub fn decode_outer(link_type: LinkType, bytes: &[u8]) -> Decoded {
    let mut walk = Walk::new(bytes);
    let link = link::read(&mut walk, link_type);
    let outer = network::read(&mut walk, &link);
    Decoded { issue: walk.into_issue(), ..described(&link, outer) }
}

/// Reads the headers of a packet, through at most [`TUNNELS_MAX`] tunnels, to the innermost
/// transport header.
///
/// The outer part equals what [`decode_outer`] yields, but that the issue may lie in a tunnel.
pub fn decode(link_type: LinkType, bytes: &[u8]) -> Decoded {
    let mut walk = Walk::new(bytes);
    let mut link = link::read(&mut walk, link_type);
    let mut headers = network::read(&mut walk, &link);
    let mut decoded = described(&link, headers);
    while let Some(step) = tunnel::behind(&mut walk, &link, &headers) {
        decoded.tunnel.get_or_insert(step.kind);
        let Some((entry, at)) = step.inside else {
            break;
        };
        if usize::from(decoded.tunnel_count) == TUNNELS_MAX {
            walk.fault(IssueKind::TooDeep, Layer::Tunnel);
            break;
        }
        decoded.tunnel_count += 1;
        if headers.fragment == Fragment::First {
            walk.reopen(headers.payload_end());
        }
        link = read_inner_link(&mut walk, entry, at);
        headers = network::read(&mut walk, &link);
        decoded.inner = Some(headers);
    }
    Decoded { issue: walk.into_issue(), ..decoded }
}

fn read_inner_link(walk: &mut Walk<'_>, entry: Entry, at: usize) -> Link {
    match entry {
        Entry::Ethernet => link::read_ethernet(walk, at),
        Entry::Type(ethertype) => link::read_type(walk, crate::LinkKind::RawIp, ethertype, at),
        Entry::Ip => link::read_ip(walk, at),
        Entry::Ppp => link::read_ppp(walk, at),
    }
}

#[inline(always)]
fn described(link: &Link, outer: Headers) -> Decoded {
    Decoded {
        link: link.kind,
        vlan_count: link.vlan_count,
        mpls_count: link.mpls_count,
        vlans: link.vlans,
        ethertype: link.ethertype,
        outer,
        tunnel: None,
        tunnel_count: 0,
        inner: None,
        issue: None,
    }
}

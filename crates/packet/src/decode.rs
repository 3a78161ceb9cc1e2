//! The walk through a packet's headers.

#[cfg(test)]
mod tests;

use weir_model::LinkType;

use crate::TUNNELS_MAX;
use crate::decoded::{Decoded, Fragment, Headers, LinkKind};
use crate::fast;
use crate::issue::{IssueKind, Layer};
use crate::link::{self, Link};
use crate::network;
use crate::tunnel::{self, Entry, Step};
use crate::walk::Walk;

/// Reads the headers of a packet up to its first transport header.
///
/// `bytes` are the captured bytes from the packet's first on; where the packet was sliced, the
/// lengths in its headers stand against those that are here. This is [`decode`] without the
/// tunnels: [`tunnel`](Decoded::tunnel) and [`inner`](Decoded::inner) are `None`.
#[inline(always)]
pub fn decode_outer(link_type: LinkType, bytes: &[u8]) -> Decoded {
    if link_type == LinkType::ETHERNET {
        if let Some(ordinary) = fast::read(bytes) {
            return ordinary.describe();
        }
        if let Some(unrouted) = fast::read_unrouted(bytes) {
            return unrouted.describe();
        }
    }
    decode_outer_slowly(link_type, bytes)
}

/// [`decode_outer`] for any packet at all.
#[inline(never)]
pub(crate) fn decode_outer_slowly(link_type: LinkType, bytes: &[u8]) -> Decoded {
    let mut walk = Walk::new(bytes);
    let link = link::read(&mut walk, link_type);
    let mut decoded = described(&link);
    network::read(&mut walk, &link, &mut decoded.outer);
    decoded.issue = walk.into_issue();
    decoded
}

/// Reads the headers of a packet, through at most [`TUNNELS_MAX`] tunnels, to the innermost
/// transport header.
///
/// The outer part equals what [`decode_outer`] yields, but that the issue may lie in a tunnel.
#[inline]
pub fn decode(link_type: LinkType, bytes: &[u8]) -> Decoded {
    if link_type == LinkType::ETHERNET
        && let Some(ordinary) = fast::read(bytes)
        && !ordinary.may_tunnel()
    {
        return ordinary.describe();
    }
    decode_slowly(link_type, bytes)
}

/// [`decode`] for any packet at all.
#[inline(never)]
pub(crate) fn decode_slowly(link_type: LinkType, bytes: &[u8]) -> Decoded {
    let mut walk = Walk::new(bytes);
    let link = link::read(&mut walk, link_type);
    let mut decoded = described(&link);
    network::read(&mut walk, &link, &mut decoded.outer);
    if let Some(step) = tunnel::behind(&mut walk, &link, &decoded.outer) {
        enter(&mut walk, &mut decoded, step);
    }
    decoded.issue = walk.into_issue();
    decoded
}

/// Follows `step` and all further ones inwards.
fn enter(walk: &mut Walk<'_>, decoded: &mut Decoded, step: Step) {
    decoded.tunnel = Some(step.kind);
    let mut headers = decoded.outer;
    let mut next = Some(step);
    while let Some(Step { inside: Some((entry, at)), .. }) = next {
        if usize::from(decoded.tunnel_count) == TUNNELS_MAX {
            walk.fault(IssueKind::TooDeep, Layer::Tunnel);
            break;
        }
        decoded.tunnel_count += 1;
        if headers.fragment == Fragment::First {
            walk.reopen(headers.payload_end());
        }
        let link = read_inner_link(walk, entry, at);
        network::read(walk, &link, &mut headers);
        decoded.inner = Some(headers);
        next = tunnel::behind(walk, &link, &headers);
    }
}

fn read_inner_link(walk: &mut Walk<'_>, entry: Entry, at: usize) -> Link {
    match entry {
        Entry::Ethernet => link::read_ethernet(walk, at),
        Entry::Type(ethertype) => link::read_type(walk, LinkKind::RawIp, ethertype, at),
        Entry::Ip => link::read_ip(walk, at),
        Entry::Ppp => link::read_ppp(walk, at),
    }
}

#[inline(always)]
fn described(link: &Link) -> Decoded {
    Decoded {
        link: link.kind,
        vlan_count: link.vlan_count,
        mpls_count: link.mpls_count,
        vlans: link.vlans,
        ethertype: link.ethertype,
        outer: Headers::at(0, link.network, 0),
        tunnel: None,
        tunnel_count: 0,
        inner: None,
        issue: None,
    }
}

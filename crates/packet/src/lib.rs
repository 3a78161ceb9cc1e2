//! Header decoding, flow keys and flow hashes; no I/O, no allocation.
//!
//! Every function here takes a packet's bytes as they came and answers for any bytes at all: it
//! never panics, never reads past the end, and does work that is bounded by the limits below and
//! linear in the packet's length. What is wrong with a packet is part of the answer
//! ([`Decoded::issue`]), never an error: a recorder keeps what it cannot read.
//!
//! - [`decode_outer`] reads one stack of headers, as the data path needs it for each packet;
//!   [`decode`] also follows tunnels to the innermost headers.
//! - [`FlowKey`] names a flow, both directions alike.
//! - [`flow_hash`] spreads packets over lcores; [`community_id`] names a flow for other tools.
//!
//! Runs on: any lcore. Allocates: never.

#![no_std]

#[cfg(test)]
extern crate std;

mod arp;
mod community_id;
mod decode;
mod decoded;
mod fast;
mod flow_hash;
mod flow_key;
mod issue;
mod link;
mod network;
mod numbers;
mod transport;
mod tunnel;
mod walk;

pub use arp::{Arp, arp};
pub use community_id::{CommunityId, community_id};
pub use decode::{decode, decode_outer};
pub use decoded::{Decoded, Fragment, Headers, LinkKind, Network, TunnelKind, VlanTag};
pub use flow_hash::{address_hash, flow_hash};
pub use flow_key::{Direction, Flow, FlowKey, PortKind};
pub use issue::{Issue, IssueClass, IssueKind, Layer};

/// The most VLAN tags that are read in one stack; a longer stack is [`IssueKind::TooDeep`].
pub const VLAN_TAGS_MAX: usize = 8;

/// The most MPLS labels that are read in one stack; a longer stack is [`IssueKind::TooDeep`].
pub const MPLS_LABELS_MAX: usize = 16;

/// The most extension headers that are read behind one IP header; a longer chain is
/// [`IssueKind::TooDeep`].
pub const IP_EXTENSIONS_MAX: usize = 16;

/// The most tunnels that [`decode`] enters, one in the other; one more is
/// [`IssueKind::TooDeep`].
pub const TUNNELS_MAX: usize = 8;

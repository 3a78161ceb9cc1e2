//! Synthetic traffic: single frames, whole mixes, and frames meant to hurt.

mod checksum;
mod flow;
mod fragment;
mod frame;
mod hostile;
mod layer;
mod mix;
mod pcap;
mod wrap;

pub use checksum::internet_checksum;
pub use fragment::{fragment_ipv4, fragment_ipv6};
pub use frame::FrameBuilder;
pub use hostile::Hostile;
pub use layer::{Geneve, Gre, Icmp, Ipv4, Ipv6, Layer, Tcp};
pub use mix::{TrafficMix, TrafficMixConfig};
pub use pcap::pcap_bytes;

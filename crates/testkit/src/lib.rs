//! Simulated port, disk and clock, and synthetic traffic, for tests only.
//!
//! The seams of [`weir_model`] have two implementations: the world, and this crate. Everything
//! random here comes from a seed that the test gives, so a failure happens again; see [`seed`].
//! The simulated parts know exactly what happened to each packet and byte, so that a test can
//! hold the code under test to it.

mod burst;
mod clock;
mod disk;
mod packet;
mod port;
mod ring;
pub mod seed;
mod traffic;

pub use burst::SimBurst;
pub use clock::ManualClock;
pub use disk::{CrashModel, DiskOp, Fault, Latency, SimDisk, SimFile};
pub use packet::{Layout, SimPacket, SimPool, WirePacket};
pub use port::{Nombuf, SimPort, SimPortConfig, SimPortLedger, Tally};
pub use ring::{RingFaults, RingGate, SimRingReceiver, SimRingSender, sim_ring, sim_ring_with};
pub use traffic::{
    FrameBuilder, Geneve, Gre, Hostile, Icmp, Ipv4, Ipv6, Layer, Tcp, TrafficMix, TrafficMixConfig,
    fragment_ipv4, fragment_ipv6, internet_checksum, pcap_bytes,
};

//! Safe, owning types over DPDK: a packet source for the data path.
//!
//! [`Eal`] starts DPDK, once in a process. [`Mempool`] holds mbufs. A [`Port`] is found by name and
//! started: that gives a [`StartedPort`] for the control core, and an [`RxQueue`] for each data
//! lcore, which is a [`weir_model::PacketSource`] of [`Burst`]s. [`ring::channel`] carries bursts
//! from lcore to lcore.
//!
//! Every handle owns what it stands for. None of DPDK's own types is needed to use this crate, and
//! no mbuf leaves it.

mod affinity;
mod burst;
mod counters;
mod device_clock;
mod eal;
mod errno;
mod lcore;
mod mempool;
mod port;
pub mod ring;
mod rx_queue;
mod stream;
mod timestamps;
mod vlan;
mod xstats;

pub use affinity::AffinityMask;
pub use burst::Burst;
pub use counters::{Counter, NicCounters};
pub use device_clock::{ClockError, DeviceClock};
pub use eal::{Eal, EalError, RegisteredThread};
pub use errno::Errno;
pub use lcore::{LaunchError, Lcore, LcoreJoin, LcorePanic};
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{
    DriverKind, KernelInterface, LinkState, MacAddress, PciAddress, PciAddressError, Port,
    PortConfig, PortError, PortInfo, RssState, StartError, StartedPort, StopError,
};
pub use ring::{RingError, RingGauge, RingReceiver, RingSender};
pub use rx_queue::RxQueue;
pub use stream::stream;
/// The version of the DPDK that this was built with, such as `22.11.11`.
pub use weir_dpdk_sys::DPDK_VERSION;

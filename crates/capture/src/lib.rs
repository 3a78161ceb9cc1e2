//! The data path: input, buffers, processing, output and their topology.
//!
//! Generic over where packets come from, how time is read and where segments go, so that the same
//! stages run on DPDK and in a seeded simulation. Stages are polled by lcores and never wait;
//! everything is allocated before the first packet. The way of a packet:
//!
//! ```text
//! PacketSource -> Intake -> (Input -> lane -> Processing | Fused) -> Processor -> block -> Output
//! ```

mod assembly;
mod batch;
mod block;
mod description;
mod fused;
mod huge;
mod input;
mod intake;
mod lane;
mod lcore;
mod losses;
mod output;
mod processing;
mod processor;
mod stage;
mod staging;
mod stamp;
mod stop;
mod topology;
mod tsc_clock;

pub use assembly::{
    AssembleError, Assembly, BlockConfig, OutputStorage, Parts, QueueSource, Views, assemble,
};
pub use block::{Block, BlockPool, BlockTally, PortTally};
pub use description::{Description, InterfaceText};
pub use fused::Fused;
pub use huge::HugeBuffer;
pub use input::{Input, LANES_MAX, Spread};
pub use intake::Intake;
pub use lane::{
    BlockReceiver, BlockSender, LaneLosses, Origin, PacketLaneReceiver, PacketLaneSender, WhenFull,
    block_lane, packet_lane,
};
pub use lcore::{Idle, Lcore, LcoreView};
pub use losses::{Drops, PendingDrops};
pub use output::{Output, OutputConfig, OutputPorts, RotateOrder};
pub use processing::Processing;
pub use processor::{BLOCK_OVERHEAD_BYTES, ProcessingConfig, Processor};
pub use stage::{Poll, Stage};
pub use staging::CopyBytes;
pub use stamp::Stamper;
pub use stop::Stop;
pub use topology::{
    Plan, PlanError, PlannedLcore, PlannedPort, PlannedStage, Shape, ShapeReason, Wanted,
};
pub use tsc_clock::{TimeKeeper, TscClock};

//! Counters that lcores publish, the law of accounting over them, and the stats JSON.
//!
//! Each stage counts in plain integers of its own and publishes them once per burst into cache
//! lines that only it writes ([`Published`]). The control core reads them from sink to source,
//! holds them against each other ([`Accounting`]) and speaks JSON ([`Stats`]).

mod accounting;
mod counters;
mod error_chain;
mod published;
mod stats;

pub use accounting::{Accounting, Tally};
pub use counters::{CounterSet, InputCounters, LcoreCounters, OutputCounters, ProcessingCounters};
pub use error_chain::ErrorChain;
pub use published::{Published, Publisher, published};
pub use stats::{
    AccountingStats, BufferStats, HeaderStats, LcoreStats, LinkStats, LostStats, NicCounter,
    NicStats, OutputStats, PortStats, RingStats, STATS_VERSION, ShedStats, StageStats, State,
    Stats, TimestampStats, stats_schema,
};

//! Counters, snapshots and the stats JSON

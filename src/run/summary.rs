//! What a capture came to: the exit code.

use weir_telemetry::Stats;

use crate::exit::Exit;

/// Returns the exit code of a capture that ended with these numbers.
pub(crate) fn exit(stats: &Stats) -> Exit {
    let accounting = &stats.accounting;
    let is_explained = accounting.unexplained_packets == 0 && accounting.unexplained_bytes == 0;
    let is_whole = stats.buffers.mbufs_available == stats.buffers.mbufs_at_start
        && stats.buffers.blocks_available == stats.buffers.blocks;
    if !is_explained || !is_whole {
        Exit::Unexplained
    } else if stats.output.unsealed_segments > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

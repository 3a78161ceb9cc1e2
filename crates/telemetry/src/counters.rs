//! What each stage counts. All counters are totals since the start of the run, except those whose
//! documentation calls them a gauge or a maximum; none is ever reset.

/// A fixed set of `u64` counters that can be published as one.
pub trait CounterSet: Copy + Default {
    /// How many counters the set has.
    const LEN: usize;

    /// Calls `f` with the index and value of each counter.
    fn each(&self, f: impl FnMut(usize, u64));

    /// Makes a set of the value that `f` gives for each index.
    fn from_cells(f: impl FnMut(usize) -> u64) -> Self;
}

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: u64,)+
        }

        impl CounterSet for $name {
            const LEN: usize = [$(stringify!($field)),+].len();

            #[inline]
            fn each(&self, mut f: impl FnMut(usize, u64)) {
                let mut index = 0;
                $(
                    f(index, self.$field);
                    #[allow(unused_assignments, reason = "the last counter has no next index")]
                    { index += 1; }
                )+
            }

            fn from_cells(mut f: impl FnMut(usize) -> u64) -> Self {
                let mut index = 0;
                Self {
                    $($field: {
                        let value = f(index);
                        #[allow(unused_assignments, reason = "the last counter has no next index")]
                        { index += 1; }
                        value
                    },)+
                }
            }
        }
    };
}

counters! {
    /// What one Input counts: one receive queue.
    ///
    /// At each publication `received = handed + lost_ring_full + held`, in packets and bytes.
    InputCounters {
        /// Packets that polls returned.
        received_packets,
        /// Their bytes on the wire.
        received_bytes,
        /// Packets given to a Processing.
        handed_packets,
        /// Their bytes on the wire.
        handed_bytes,
        /// Packets given up because the ring to their Processing was full.
        lost_ring_full_packets,
        /// Their bytes on the wire.
        lost_ring_full_bytes,
        /// Packets kept back until the ring has room; a gauge.
        held_packets,
        /// Their bytes on the wire; a gauge.
        held_bytes,
        /// Polls that returned packets.
        bursts,
        /// Polls that returned as many packets as were asked for: the queue may have held more.
        full_bursts,
        /// Packets stamped by the NIC's clock.
        stamped_hardware_packets,
        /// Packets stamped by the PMD.
        stamped_pmd_packets,
        /// Packets stamped from the TSC.
        stamped_tsc_packets,
        /// The longest time between two polls that bound a TSC-stamped burst; a maximum.
        stamp_spread_ns_max,
        /// Times when the time of day went back by more than a burst's spread.
        clock_steps,
    }
}

counters! {
    /// What one Processing counts.
    ///
    /// At each publication `taken = filtered + lost_malformed_mbuf + lost_pool_exhausted +
    /// accepted + held`, in packets and bytes, where accepted bytes are those captured and those
    /// sliced away.
    ProcessingCounters {
        /// Packets taken from the Inputs.
        taken_packets,
        /// Their bytes on the wire.
        taken_bytes,
        /// Packets that the filter does not want.
        filtered_packets,
        /// Their bytes on the wire.
        filtered_bytes,
        /// Packets whose mbuf contradicts itself.
        lost_malformed_mbuf_packets,
        /// Their bytes, as the mbuf claimed.
        lost_malformed_mbuf_bytes,
        /// Packets given up because there was no free block to copy them into.
        lost_pool_exhausted_packets,
        /// Their bytes on the wire.
        lost_pool_exhausted_bytes,
        /// Packets copied into a block.
        accepted_packets,
        /// Bytes of those packets that were copied.
        accepted_captured_bytes,
        /// Bytes of those packets that were not: sliced by the snaplen, or cut before us.
        accepted_sliced_bytes,
        /// Packets kept back until there is a block; a gauge.
        held_packets,
        /// Their bytes on the wire; a gauge.
        held_bytes,
        /// Blocks given to an Output.
        blocks,
        /// Blocks given to an Output because of their age and not because they were full.
        aged_blocks,
        /// Times when there was no free block.
        block_denials,
        /// Accepted or filtered packets that carry IPv4 outermost.
        ipv4_packets,
        /// Likewise IPv6.
        ipv6_packets,
        /// Likewise what is neither.
        non_ip_packets,
        /// IP fragments.
        fragment_packets,
        /// Packets with a VLAN tag.
        vlan_packets,
        /// Packets whose headers are truncated, contradict themselves or are stacked too deep.
        undecodable_packets,
    }
}

counters! {
    /// What one Output counts.
    ///
    /// At each publication `taken = stored + lost_io_error + lost_disk_full`.
    OutputCounters {
        /// Packets in blocks taken from the Processings.
        taken_packets,
        /// Their bytes on the wire.
        taken_bytes,
        /// Packets written to a segment.
        stored_packets,
        /// Captured bytes of those packets.
        stored_bytes,
        /// Bytes of those packets that were sliced away before.
        sliced_bytes,
        /// Packets given up because the disk was full.
        lost_disk_full_packets,
        /// Their bytes on the wire.
        lost_disk_full_bytes,
        /// Packets given up because of another error of the storage.
        lost_io_error_packets,
        /// Their bytes on the wire.
        lost_io_error_bytes,
        /// Packets whose segment has been synced since they were written.
        durable_packets,
        /// Blocks written.
        blocks,
        /// Bytes of pcapng blocks given to compression.
        encoded_bytes,
        /// Bytes written to segments, headers and trailers included.
        file_bytes,
        /// Segments sealed.
        sealed_segments,
        /// Segments that could not be sealed and were left as `.part`.
        unsealed_segments,
        /// Errors of the storage.
        storage_errors,
        /// The longest sync; a maximum.
        sync_ns_max,
        /// Time spent compressing and writing.
        append_ns,
        /// The zstd level of the last block, plus 128; 0 where blocks are not compressed; a gauge.
        compression_level_plus_128,
    }
}

counters! {
    /// What one lcore counts about itself.
    LcoreCounters {
        /// Nanoseconds in rounds in which a stage did work.
        busy_ns,
        /// Nanoseconds in all.
        elapsed_ns,
        /// Rounds over all its stages.
        rounds,
        /// Times when it gave the CPU away or slept, having nothing to do.
        yields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_survives_its_cells() {
        let set = LcoreCounters { busy_ns: 1, elapsed_ns: 2, rounds: 3, yields: 4 };
        let mut cells = [0; LcoreCounters::LEN];
        set.each(|index, value| cells[index] = value);
        assert_eq!(cells, [1, 2, 3, 4]);
        assert_eq!(LcoreCounters::from_cells(|index| cells[index]), set);
    }
}

//! What a chunk of packets holds, packet by packet.

use crate::pcapng::{BLOCK_TYPE_EPB, BLOCK_TYPE_SHB, BlockReader};
use crate::tally::BlockTally;

/// The most interfaces that are told apart where the head is lost: as many as a head can describe.
pub(super) const INTERFACES_MAX: u32 = 4000;

/// The packets of a chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) tally: BlockTally,
    /// How many packets each interface has, up to the last one that has any.
    pub(super) interface_packets: Vec<u64>,
}

impl Contents {
    /// Counts the packets of a chunk. `None` if anything in it is not a sound pcapng block, or names
    /// an interface that is not among the `interfaces` first.
    pub(super) fn of(raw: &[u8], interfaces: u32) -> Option<Self> {
        let mut contents = Self::default();
        for block in BlockReader::new(raw) {
            let block = block.ok()?;
            match block.block_type {
                // A second section would give the interfaces other numbers.
                BLOCK_TYPE_SHB => return None,
                BLOCK_TYPE_EPB => {
                    let fields = block.enhanced_packet()?.ok()?.fields;
                    if fields.interface_id >= interfaces {
                        return None;
                    }
                    contents.count_interface(fields.interface_id as usize);
                    let (captured, wire) = (fields.captured_bytes, fields.wire_bytes);
                    contents.tally.count(captured, wire, fields.timestamp);
                }
                _ => {}
            }
        }
        Some(contents)
    }

    fn count_interface(&mut self, interface: usize) {
        if self.interface_packets.len() <= interface {
            self.interface_packets.resize(interface + 1, 0);
        }
        self.interface_packets[interface] += 1;
    }
}

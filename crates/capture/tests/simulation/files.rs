//! What a simulated appliance left on its disk, read back and held against its counters.

use std::collections::{HashMap, HashSet};

use weir_segment::pcapng::{BLOCK_TYPE_ISB, BlockReader};
use weir_telemetry::Accounting;

use crate::world::World;

/// Option codes of an Interface Statistics Block (draft-ietf-opsawg-pcapng, section 4.6).
/// Bytes before the options: the interface and the time.
const ISB_FIXED_BYTES: usize = 12;
const ISB_IFRECV: u16 = 4;
const ISB_OSDROP: u16 = 7;
const ISB_USRDELIV: u16 = 8;

/// Everything that is in the files.
#[derive(Default)]
pub(crate) struct Files {
    packets: u64,
    captured_bytes: u64,
    wire_bytes: u64,
    /// Losses told beside packets.
    dropcounts: u64,
    /// Sums over the statistics of sealed segments.
    ifrecv: u64,
    osdrop: u64,
    usrdeliv: u64,
    /// Every packet's interface and bytes, in the order of each file.
    stored: Vec<Vec<(u32, Vec<u8>)>>,
    unsealed: usize,
}

impl Files {
    pub(crate) fn read(world: &World) -> Self {
        let mut files = Self::default();
        let mut names = world.disk.names();
        names.sort();
        for name in names {
            let contents = world.disk.contents(&name).expect("a listed file can be read");
            files.unsealed += usize::from(name.ends_with(".part"));
            files.read_file(&pcapng_of(&contents, world.is_compressed), world.seed);
        }
        files
    }

    fn read_file(&mut self, pcapng: &[u8], seed: u64) {
        let mut stored = Vec::new();
        for block in BlockReader::new(pcapng) {
            let block = block.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            if let Some(packet) = block.enhanced_packet() {
                let packet = packet.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                self.packets += 1;
                self.captured_bytes += u64::from(packet.fields.captured_bytes);
                self.wire_bytes += u64::from(packet.fields.wire_bytes);
                self.dropcounts += packet.fields.dropcount;
                stored.push((packet.fields.interface_id, packet.data.to_vec()));
            } else if block.block_type == BLOCK_TYPE_ISB {
                for option in block.options(ISB_FIXED_BYTES) {
                    let option = option.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                    let number =
                        || u64::from_le_bytes(option.value.try_into().expect("a 64-bit option"));
                    match option.code {
                        ISB_IFRECV => self.ifrecv += number(),
                        ISB_OSDROP => self.osdrop += number(),
                        ISB_USRDELIV => self.usrdeliv += number(),
                        _ => {}
                    }
                }
            }
        }
        self.stored.push(stored);
    }

    /// Holds the files to the counters, and every stored packet to those that the ports delivered.
    pub(crate) fn check(&self, world: &World, accounting: &Accounting) {
        let seed = world.seed;
        assert_eq!(self.packets, accounting.stored.packets, "seed {seed}: packets in files");
        assert_eq!(self.captured_bytes, accounting.stored.bytes, "seed {seed}: captured bytes");
        let sliced = self.wire_bytes - self.captured_bytes;
        assert_eq!(sliced, accounting.sliced_bytes, "seed {seed}: sliced bytes");
        self.check_origin(world);
        // Without space for another segment at the end there is no file to tell the last losses in.
        let can_tell = world.disk.free_bytes().is_none();
        if can_tell && self.unsealed == 0 && world.unsealed_segments() == 0 {
            let lost = accounting.lost().packets;
            assert_eq!(self.usrdeliv, accounting.stored.packets, "seed {seed}: isb_usrdeliv");
            assert_eq!(self.osdrop, lost, "seed {seed}: isb_osdrop");
            assert_eq!(self.ifrecv, accounting.received.packets, "seed {seed}: isb_ifrecv");
            assert!(self.dropcounts <= lost, "seed {seed}: told {} of {lost}", self.dropcounts);
        }
    }

    /// Every stored packet was delivered, none is stored twice, and the packets of a flow that are
    /// in one file are in the order in which the port delivered them.
    fn check_origin(&self, world: &World) {
        let seed = world.seed;
        let mut place = HashMap::new();
        for (port, ledger) in world.ledgers.iter().enumerate() {
            for (number, packet) in ledger.delivered_packets().into_iter().enumerate() {
                let mut bytes = packet.bytes;
                bytes.truncate(world.snaplen_bytes as usize);
                place.entry((port as u32, bytes)).or_insert_with(Vec::new).push(number);
            }
        }
        let alike: HashSet<_> = place
            .iter()
            .filter(|(_, numbers)| numbers.len() > 1)
            .map(|(key, _)| key.clone())
            .collect();
        for file in &self.stored {
            let mut last_of_flow = HashMap::new();
            for key in file {
                let numbers = place.get_mut(key);
                // Packets that were cut before their number look alike.
                let is_unique = !alike.contains(key);
                let number = numbers.and_then(Vec::pop);
                let number = number.unwrap_or_else(|| {
                    panic!("seed {seed}: a stored packet was never delivered, or is there twice")
                });
                // Source address and ports: one flow. Packets cut before them are one flow, too.
                let flow = (key.0, key.1.get(26..38).map(<[u8]>::to_vec));
                if is_unique
                    && flow.1.is_some()
                    && let Some(before) = last_of_flow.insert(flow, number)
                {
                    assert!(before < number, "seed {seed}: a flow is out of order");
                }
            }
        }
    }
}

/// Returns a segment's pcapng bytes; of one that was not ended, as many as there are.
fn pcapng_of(contents: &[u8], is_compressed: bool) -> Vec<u8> {
    if !is_compressed {
        return contents.to_vec();
    }
    let mut pcapng = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(contents).expect("a zstd frame");
    // A `.part` has no end: everything before it is there all the same.
    let _ = std::io::copy(&mut decoder, &mut pcapng);
    pcapng
}

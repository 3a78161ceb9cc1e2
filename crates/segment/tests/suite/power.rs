//! Power loss on a simulated disk that loses, tears, reorders and garbles what was not durable.

use std::io;

use rand::{RngExt, SeedableRng};
use weir_model::{ReadableStorage, Storage, StorageReader};
use weir_segment::{
    ChunkDecoder, ChunkKind, Part, Position, Recovered, SegmentName, Walk, recover_all, verify,
};
use weir_testkit::{CrashModel, SimDisk, SimFile};

use crate::support::{Block, LEVEL_1, create, fill_blocks, statistics, synthetic_packets};

/// The simulated disk, readable.
struct Disk(SimDisk);

impl Storage for Disk {
    type File = SimFile;

    fn create(&mut self, name: &str) -> io::Result<SimFile> {
        self.0.create(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
}

impl ReadableStorage for Disk {
    type Reader = Contents;

    fn open(&self, name: &str) -> io::Result<Contents> {
        self.0.contents(name).map(Contents).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn reopen(&mut self, name: &str) -> io::Result<SimFile> {
        self.0.open(name)
    }
}

struct Contents(Vec<u8>);

impl StorageReader for Contents {
    fn length_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.0.as_slice().read_at(offset, out)
    }
}

/// Writes blocks, syncing after every second one, and seals, until the power goes. Returns what was
/// acknowledged as durable.
fn write(disk: &SimDisk, blocks: &[Block]) -> (SegmentName, Position) {
    let mut storage = Disk(disk.clone());
    let mut writer = create(&mut storage, LEVEL_1);
    let name = writer.name().clone();
    for (index, block) in blocks.iter().enumerate() {
        let failed = writer.append_block(&block.raw, &block.tally).is_err()
            || (index % 2 == 1 && writer.sync(&mut storage).is_err());
        if failed {
            return (name, writer.durable());
        }
    }
    let (durable, written) = (writer.durable(), writer.written());
    let sealed = writer.seal(&mut storage, &statistics(written.packets));
    (name, if sealed.is_ok() { written } else { durable })
}

/// Returns the blocks of a segment's chunks of packets.
fn blocks_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut walk = Walk::new(bytes).unwrap();
    let mut decoder = ChunkDecoder::new().unwrap();
    let mut blocks = Vec::new();
    while let Some(part) = walk.next_part().unwrap() {
        if let Part::Chunk(chunk) = part
            && chunk.header.kind == ChunkKind::Packets
        {
            blocks.push(decoder.decode(&chunk, walk.payload(), true).unwrap().to_vec());
        }
    }
    blocks
}

/// B2 and B3: whatever a power loss does to what was not durable, and whatever another one does in
/// the middle of the recovery, every packet that was acknowledged is there.
#[test]
fn b2_acknowledged_packets_outlive_power_losses() {
    let blocks = fill_blocks(&synthetic_packets(60, 8), 9_000);
    let operations = {
        let disk = SimDisk::new(0);
        write(&disk, &blocks);
        disk.ops()
    };
    let mut acknowledged = 0;
    for seed in 0..400 {
        let mut rng = rand_pcg::Pcg64::seed_from_u64(seed);
        let disk = SimDisk::new(seed);
        // Not before the head is there, which the test itself needs.
        disk.power_off_at(rng.random_range(4..=operations));
        let (name, durable) = write(&disk, &blocks);
        let mut after = disk.crash(CrashModel::WORST);
        for _ in 0..rng.random_range(0..3) {
            after.power_off_at(after.ops() + rng.random_range(0..8));
            let _ = recover_all(&mut Disk(after.clone()));
            after = after.crash(CrashModel::WORST);
        }
        let mut storage = Disk(after.clone());
        for file in recover_all(&mut storage).unwrap() {
            let outcome = file.outcome.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            if let Recovered::Nothing { .. } = outcome {
                assert_eq!(durable.packets, 0, "seed {seed}");
            }
        }
        acknowledged += durable.packets;
        let Some(bytes) = after.contents(&name.to_string()) else {
            assert_eq!(durable.packets, 0, "seed {seed}: the segment is gone");
            continue;
        };
        let verified = verify(bytes.as_slice()).unwrap();
        assert!(verified.is_clean() && verified.is_sealed, "seed {seed}: {verified:?}");
        let kept = blocks_of(&bytes);
        assert!(kept.len() as u64 >= durable.blocks, "seed {seed}: {durable:?}");
        assert!(kept.iter().zip(&blocks).all(|(kept, block)| *kept == block.raw), "seed {seed}");
    }
    assert!(acknowledged > 0);
}

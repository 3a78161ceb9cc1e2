//! Torn and damaged segments, verified and recovered: the numbers are those of the list of faults
//! that the project is tested against (B: crash and recovery).

use std::collections::BTreeMap;

use weir_segment::{
    BlockTally, ChunkKind, Compression, DamageKind, FileState, HeadSource, Part, RecoverError,
    Recovered, RecoveredSegment, SegmentName, Verified, Walk, recover, recover_all, verify,
};

use crate::disk::{Faults, MemoryDisk};
use crate::support::{
    Block, LEVEL_1, create, fill_blocks, statistics, synthetic_packets, tshark_packets,
    write_segment,
};

const FORMS: [Compression; 2] = [LEVEL_1, Compression::None];

/// A small sealed segment, and where its chunks of packets end.
struct Small {
    name: SegmentName,
    bytes: Vec<u8>,
    blocks: Vec<Block>,
    head_end: u64,
    chunk_ends: Vec<u64>,
    end_chunk_end: u64,
}

impl Small {
    fn new(compression: Compression) -> Self {
        let mut packets = synthetic_packets(9, 11);
        for (at, packet) in packets.iter_mut().enumerate() {
            packet.fields.interface_id = at as u32 % 2;
            packet.data.truncate(200);
            packet.fields.captured_bytes = packet.data.len() as u32;
        }
        let blocks = fill_blocks(&packets, 800);
        assert_eq!(blocks.len(), 3);
        let mut disk = MemoryDisk::default();
        let sealed = write_segment(&mut disk, compression, &blocks);
        let bytes = disk.bytes(&sealed.name.to_string()).unwrap();
        let (mut head_end, mut chunk_ends, mut end_chunk_end) = (0, Vec::new(), 0);
        let mut walk = Walk::new(bytes.as_slice()).unwrap();
        while let Some(part) = walk.next_part().unwrap() {
            match part {
                Part::Chunk(chunk) if chunk.header.kind == ChunkKind::Packets => {
                    head_end = if chunk_ends.is_empty() { chunk.range.start } else { head_end };
                    chunk_ends.push(chunk.range.end);
                }
                Part::Chunk(chunk) => end_chunk_end = chunk.range.end,
                Part::Damage(damage) => panic!("{damage:?}"),
                _ => {}
            }
        }
        Self { name: sealed.name, bytes, blocks, head_end, chunk_ends, end_chunk_end }
    }

    fn tally(&self, keep: impl Fn(usize) -> bool) -> BlockTally {
        let mut tally = BlockTally::default();
        let kept = self.blocks.iter().enumerate().filter(|(index, _)| keep(*index));
        kept.for_each(|(_, block)| tally.add(&block.tally));
        tally
    }

    /// Returns how many chunks of packets are whole in the first `length` bytes.
    fn whole_chunks(&self, length: usize) -> usize {
        self.chunk_ends.iter().filter(|&&end| end <= length as u64).count()
    }

    /// Returns which chunk of packets has the byte at `at`, if any has.
    fn chunk_of(&self, at: usize) -> Option<usize> {
        let at = at as u64;
        (at >= self.head_end).then(|| self.chunk_ends.iter().position(|&end| at < end)).flatten()
    }

    fn disk_with(&self, state: FileState, bytes: &[u8]) -> MemoryDisk {
        let disk = MemoryDisk::default();
        disk.put(&self.name.file_name(state), bytes);
        disk
    }
}

fn verified(bytes: &[u8]) -> Verified {
    verify(bytes).unwrap()
}

fn recover_segment(disk: &mut MemoryDisk, name: &SegmentName) -> RecoveredSegment {
    match recover(disk, name).unwrap() {
        Recovered::Sealed(segment) => segment,
        other => panic!("{other:?}"),
    }
}

/// Recovers `disk` with a crash before every operation in turn, and then to the end: the files must
/// always be the same (B3). Returns them.
fn recover_with_crashes(disk: &MemoryDisk, name: &SegmentName) -> BTreeMap<String, Vec<u8>> {
    let before = disk.files();
    let fresh = || {
        let disk = MemoryDisk::default();
        before.iter().for_each(|(name, bytes)| disk.put(name, bytes));
        disk
    };
    let mut undisturbed = fresh();
    recover(&mut undisturbed, name).unwrap();
    let after = undisturbed.files();
    for crash_at in 0..undisturbed.operations() {
        let mut disk = fresh();
        disk.set_faults(Faults { crash_at: Some(crash_at), ..Faults::default() });
        recover(&mut disk, name).unwrap_err();
        disk.set_faults(Faults::default());
        recover(&mut disk, name).unwrap();
        assert!(disk.files() == after, "after a crash before operation {crash_at}");
    }
    after
}

#[test]
fn a_sealed_segment_verifies_and_needs_no_recovery() {
    for form in FORMS {
        let small = Small::new(form);
        let found = verified(&small.bytes);
        assert!(found.is_clean() && found.is_sealed, "{found:?}");
        assert_eq!((found.chunks, found.tally), (3, small.tally(|_| true)));
        assert_eq!(found.head.unwrap().interfaces, 2);
        let mut disk = small.disk_with(FileState::Sealed, &small.bytes);
        assert_eq!(recover(&mut disk, &small.name).unwrap(), Recovered::Whole);
        assert!(disk.bytes(&small.name.to_string()).unwrap() == small.bytes);
    }
}

/// B5: a segment cut at every byte keeps every whole chunk.
#[test]
fn b5_a_cut_at_every_byte_keeps_every_whole_chunk() {
    for form in FORMS {
        let small = Small::new(form);
        for length in 0..small.bytes.len() {
            let torn = &small.bytes[..length];
            let mut disk = small.disk_with(FileState::Part, torn);
            let recovered = recover(&mut disk, &small.name).unwrap();
            if (length as u64) < small.head_end {
                let set_aside = (length != 0).then(|| small.name.file_name(FileState::Damaged));
                assert_eq!(recovered, Recovered::Nothing { set_aside }, "{length}");
                continue;
            }
            let Recovered::Sealed(recovered) = recovered else { panic!("{length}: {recovered:?}") };
            let whole = small.whole_chunks(length);
            assert_eq!(recovered.chunks as usize, whole, "{length}");
            assert_eq!(recovered.tally, small.tally(|index| index < whole), "{length}");
            assert_eq!(recovered.found_bytes, length as u64);
            assert_eq!((recovered.head, recovered.set_aside), (HeadSource::Kept, None));
            let files = disk.files();
            assert_eq!(files.len(), 1, "{length}");
            let found = verified(&files[&small.name.to_string()]);
            assert!(found.is_clean() && found.is_sealed, "{length}: {found:?}");
            assert_eq!(found.tally, recovered.tally, "{length}");
        }
    }
}

/// B5, before recovery: the walk finds every whole chunk of a torn file and says that it is torn.
#[test]
fn b5_a_torn_segment_is_walked_to_its_last_whole_chunk() {
    for form in FORMS {
        let small = Small::new(form);
        for length in 1..small.bytes.len() {
            let found = verified(&small.bytes[..length]);
            assert_eq!(found.chunks as usize, small.whole_chunks(length), "{length}");
            let is_edge =
                length as u64 == small.head_end || small.chunk_ends.contains(&(length as u64));
            if is_edge {
                assert!(found.is_clean() && !found.is_sealed, "{length}: {found:?}");
            }
            assert!(!found.is_sealed, "{length}: {found:?}");
        }
    }
}

/// B5, with the ordinary reader: tshark reads what is whole of a torn file.
#[test]
fn b5_tshark_reads_a_torn_segment_to_its_last_whole_chunk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torn.pcapng.zst");
    let packets = synthetic_packets(4_000, 5);
    let mut disk = MemoryDisk::default();
    let sealed = write_segment(&mut disk, LEVEL_1, &fill_blocks(&packets, 400_000));
    let bytes = disk.bytes(&sealed.name.to_string()).unwrap();
    for part in 1..8 {
        let torn = &bytes[..bytes.len() * part / 8];
        let whole = verified(torn).tally.packets as usize;
        std::fs::write(&path, torn).unwrap();
        let Some((read, _)) = tshark_packets(&path) else { return };
        // It may read on into the half chunk.
        assert!(whole != 0 && read >= whole && read < packets.len(), "{read} of {whole}");
    }
}

/// B6: one bit flipped at every byte is found, and recovery keeps all other chunks.
#[test]
fn b6_a_flip_at_every_byte_is_found_and_costs_one_chunk() {
    for form in FORMS {
        let small = Small::new(form);
        for at in 0..small.bytes.len() {
            let mut bytes = small.bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            let found = verified(&bytes);
            let damage = found.first_damage.clone().unwrap_or_else(|| panic!("{at} is not found"));
            let hit = small.chunk_of(at);
            assert!(damage.range.contains(&(at as u64)), "{at}: {damage:?}");
            assert_eq!(found.chunks, 3 - u64::from(hit.is_some()), "{at}: {found:?}");

            let mut disk = small.disk_with(FileState::Sealed, &bytes);
            let recovered = recover_segment(&mut disk, &small.name);
            assert_eq!(recovered.tally, small.tally(|index| hit != Some(index)), "{at}");
            let is_head = (at as u64) < small.head_end;
            let expected = if is_head { HeadSource::Copied } else { HeadSource::Kept };
            assert_eq!(recovered.head, expected, "{at}");
            let mended = disk.bytes(&small.name.to_string()).unwrap();
            let found = verified(&mended);
            assert!(found.is_clean() && found.is_sealed, "{at}: {found:?}");
            assert_eq!(found.tally, recovered.tally, "{at}");
            // Where nothing that is not elsewhere was lost, nothing is.
            if is_head || at as u64 >= small.end_chunk_end {
                assert!(mended == small.bytes, "{at}");
            }
            if let Some(set_aside) = recovered.set_aside {
                assert!(disk.bytes(&set_aside).unwrap() == bytes, "{at}: the evidence changed");
            }
        }
    }
}

/// B6 for a segment that was never sealed: there is no copy of the head.
#[test]
fn b6_packets_outlive_the_head() {
    for form in FORMS {
        let small = Small::new(form);
        let open = &small.bytes[..small.chunk_ends[2] as usize];
        for at in 0..small.head_end as usize {
            let mut bytes = open.to_vec();
            bytes[at] ^= 0x10;
            let mut disk = small.disk_with(FileState::Part, &bytes);
            let recovered = recover_segment(&mut disk, &small.name);
            assert_eq!(recovered.head, HeadSource::Rebuilt, "{at}");
            assert_eq!(recovered.tally, small.tally(|_| true), "{at}");
            let found = verified(&disk.bytes(&small.name.to_string()).unwrap());
            assert!(found.is_clean() && found.is_sealed, "{at}: {found:?}");
            assert_eq!(found.head.unwrap().interfaces, 2, "{at}");
        }
    }
}

/// B7: chunks swapped, doubled, taken out or put in from another segment.
#[test]
fn b7_chunks_out_of_their_place_are_named() {
    for form in FORMS {
        let small = Small::new(form);
        let head = &small.bytes[..small.head_end as usize];
        let edges = [small.head_end, small.chunk_ends[0], small.chunk_ends[1], small.chunk_ends[2]];
        let chunk = |index: usize| &small.bytes[edges[index] as usize..edges[index + 1] as usize];
        let end = &small.bytes[edges[3] as usize..];
        let first_damage = |bytes: &[u8]| verified(bytes).first_damage.unwrap();
        let all = small.tally(|_| true);

        let swapped = [head, chunk(1), chunk(0), chunk(2), end].concat();
        let damage = first_damage(&swapped);
        assert_eq!((damage.kind, damage.range.start), (DamageKind::Misplaced, edges[0]));
        let mut disk = small.disk_with(FileState::Sealed, &swapped);
        assert_eq!(recover_segment(&mut disk, &small.name).tally, all);
        assert!(disk.bytes(&small.name.to_string()).unwrap() == small.bytes);

        let doubled = [head, chunk(0), chunk(1), chunk(1), chunk(2), end].concat();
        let damage = first_damage(&doubled);
        assert_eq!((damage.kind, damage.range.start), (DamageKind::Misplaced, edges[2]));
        let mut disk = small.disk_with(FileState::Sealed, &doubled);
        assert_eq!(recover_segment(&mut disk, &small.name).tally, all);
        assert!(disk.bytes(&small.name.to_string()).unwrap() == small.bytes);

        let without = [head, chunk(0), chunk(2), end].concat();
        let damage = first_damage(&without);
        assert_eq!((damage.kind, damage.range.start), (DamageKind::Misplaced, edges[1]));
        let mut disk = small.disk_with(FileState::Sealed, &without);
        let recovered = recover_segment(&mut disk, &small.name);
        assert_eq!(recovered.tally, small.tally(|index| index != 1));

        let other = {
            let mut disk = MemoryDisk::default();
            // A later segment of the same output.
            disk.put("weir-0000000007-20240501T000000Z.pcapng", &[]);
            let name = write_segment(&mut disk, form, &small.blocks).name;
            disk.bytes(&name.to_string()).unwrap()
        };
        let foreign = [head, chunk(0), &other[edges[1] as usize..]].concat();
        let damage = first_damage(&foreign);
        assert_eq!((damage.kind, damage.range.start), (DamageKind::Foreign, edges[1]));
        let mut disk = small.disk_with(FileState::Part, &foreign);
        let recovered = recover_segment(&mut disk, &small.name);
        assert_eq!(recovered.tally, small.tally(|index| index == 0));
    }
}

/// B10: sizes that a sound checksum covers and no sound writer wrote allocate nothing.
#[test]
fn b10_hostile_sizes_are_refused() {
    use weir_segment::CHUNK_HEADER_BYTES;
    let small = Small::new(Compression::None);
    for (stored_bytes, raw_bytes) in [(u32::MAX, 100), (100, u32::MAX), (u32::MAX, u32::MAX)] {
        let mut walk = Walk::new(small.bytes.as_slice()).unwrap();
        let header = loop {
            if let Part::Chunk(chunk) = walk.next_part().unwrap().unwrap() {
                break chunk.header;
            }
        };
        let hostile = weir_segment::ChunkHeader { stored_bytes, raw_bytes, ..header };
        let mut bytes = small.bytes.clone();
        let at = small.head_end as usize;
        bytes[at..at + CHUNK_HEADER_BYTES].copy_from_slice(&hostile.to_block());
        let found = verified(&bytes);
        let damage = found.first_damage.unwrap();
        assert_eq!((damage.kind, damage.range.start), (DamageKind::ChunkHeader, small.head_end));
        assert_eq!(found.chunks, 2);
    }
}

/// B3: a crash before any operation of a recovery, and another recovery, come to the same bytes.
#[test]
fn b3_recovery_may_be_interrupted_anywhere() {
    for form in FORMS {
        let small = Small::new(form);
        let in_second_chunk = small.chunk_ends[1] as usize - 50;
        let mut damaged = small.bytes.clone();
        damaged[in_second_chunk] ^= 1;
        let torn = &small.bytes[..in_second_chunk];
        for (state, bytes) in [
            (FileState::Part, torn),
            (FileState::Part, &damaged[..]),
            (FileState::Sealed, &damaged[..]),
            (FileState::Sealed, torn),
        ] {
            let disk = small.disk_with(state, bytes);
            let files = recover_with_crashes(&disk, &small.name);
            let found = verified(&files[&small.name.to_string()]);
            assert!(found.is_clean() && found.is_sealed, "{state:?}: {found:?}");
        }
    }
}

/// B3, inside the writes of a recovery: it is cut short after every byte that it writes.
#[test]
fn b3_recovery_may_be_cut_short_at_every_byte() {
    for form in FORMS {
        let small = Small::new(form);
        let torn = &small.bytes[..small.chunk_ends[1] as usize + 60];
        let mut undisturbed = small.disk_with(FileState::Part, torn);
        recover_segment(&mut undisturbed, &small.name);
        let whole = undisturbed.bytes(&small.name.to_string()).unwrap();
        for length in small.chunk_ends[1] as usize..whole.len() {
            let mut disk = small.disk_with(FileState::Part, &whole[..length]);
            recover(&mut disk, &small.name).unwrap();
            assert!(disk.bytes(&small.name.to_string()).unwrap() == whole, "{length}");
        }
    }
}

/// A full disk keeps recovery from ending, not from being tried again.
#[test]
fn recovery_on_a_full_disk_loses_nothing() {
    let small = Small::new(LEVEL_1);
    let torn = &small.bytes[..small.chunk_ends[2] as usize];
    let mut disk = small.disk_with(FileState::Part, torn);
    disk.set_faults(Faults { bytes_max: Some(torn.len() as u64 + 10), ..Faults::default() });
    let refused = recover(&mut disk, &small.name);
    assert!(matches!(refused, Err(RecoverError::Write { .. })), "{refused:?}");
    disk.set_faults(Faults::default());
    assert_eq!(recover_segment(&mut disk, &small.name).tally, small.tally(|_| true));
}

/// A rename that was a link and an unlink leaves two names of one file.
#[test]
fn two_names_of_one_sealed_file_become_one() {
    let small = Small::new(LEVEL_1);
    let mut disk = small.disk_with(FileState::Sealed, &small.bytes);
    disk.put(&small.name.part(), &small.bytes);
    assert_eq!(recover(&mut disk, &small.name).unwrap(), Recovered::Whole);
    assert_eq!(disk.files().into_keys().collect::<Vec<_>>(), [small.name.to_string()]);

    disk.put(&small.name.part(), &small.bytes[..small.chunk_ends[0] as usize]);
    let refused = recover(&mut disk, &small.name);
    assert!(matches!(refused, Err(RecoverError::TwoFiles { .. })), "{refused:?}");
    assert_eq!(disk.files().len(), 2);
}

#[test]
fn every_open_segment_of_a_directory_is_recovered() {
    let mut disk = MemoryDisk::default();
    let blocks = fill_blocks(&synthetic_packets(60, 3), 16_000);
    let sealed = write_segment(&mut disk, LEVEL_1, &blocks);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut writer = create(&mut disk, LEVEL_1);
        writer.append_block(&blocks[0].raw, &blocks[0].tally).unwrap();
        open.push(writer.name().clone());
    }
    disk.put("someone-elses.part", b"not ours");
    let recovered = recover_all(&mut disk).unwrap();
    let names: Vec<_> = recovered.iter().map(|file| file.name.clone()).collect();
    assert_eq!(names, open);
    for file in recovered {
        let Ok(Recovered::Sealed(segment)) = file.outcome else { panic!("{file:?}") };
        assert_eq!(segment.tally, blocks[0].tally);
    }
    assert_eq!(recover_all(&mut disk).unwrap().len(), 0);
    assert!(verified(&disk.bytes(&sealed.name.to_string()).unwrap()).is_sealed);
    assert!(disk.bytes("someone-elses.part").is_some());
}

/// Statistics that the writer knew survive a rewrite; those that recovery makes say only what the
/// file itself says.
#[test]
fn recovered_statistics_say_what_is_known() {
    use weir_segment::pcapng::{BLOCK_TYPE_ISB, BlockReader};
    let small = Small::new(Compression::None);
    let isbs = |bytes: &[u8]| -> Vec<Vec<u8>> {
        BlockReader::new(bytes)
            .map(Result::unwrap)
            .filter(|block| block.block_type == BLOCK_TYPE_ISB)
            .map(|block| block.body.to_vec())
            .collect()
    };
    let written = isbs(&small.bytes);
    assert_eq!(written.len(), statistics(0).len());

    let mut damaged = small.bytes.clone();
    damaged[small.chunk_ends[0] as usize - 9] ^= 1;
    let mut disk = small.disk_with(FileState::Sealed, &damaged);
    recover_segment(&mut disk, &small.name);
    assert_eq!(isbs(&disk.bytes(&small.name.to_string()).unwrap()), written);

    let open = &small.bytes[..small.chunk_ends[2] as usize];
    let mut disk = small.disk_with(FileState::Part, open);
    recover_segment(&mut disk, &small.name);
    let rebuilt = isbs(&disk.bytes(&small.name.to_string()).unwrap());
    let usrdeliv = |body: &[u8]| {
        let at = body.windows(4).position(|bytes| bytes == [8, 0, 8, 0]).unwrap();
        u64::from_le_bytes(body[at + 4..at + 12].try_into().unwrap())
    };
    assert_eq!(rebuilt.iter().map(|body| usrdeliv(body)).collect::<Vec<_>>(), [5, 4]);
    // ifrecv, ifdrop and osdrop are not known, and are left out.
    for code in [4_u8, 5, 7] {
        assert!(!rebuilt[0].windows(4).any(|bytes| bytes == [code, 0, 8, 0]), "{code}");
    }
}

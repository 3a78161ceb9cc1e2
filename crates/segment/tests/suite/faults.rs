//! Storage that fails while a segment is written: the numbers are those of the list of faults that
//! the project is tested against (A: storage).

use std::io::ErrorKind;

use weir_segment::{
    AppendError, CreateError, NamePrefix, SealError, SegmentHeader, SegmentNamer, SegmentOptions,
    SegmentWriter, StorageCause, SyncError, Verified, verify,
};

use crate::disk::{Faults, MemoryDisk};
use crate::support::{
    Block, LEVEL_1, NOON, SECTION, create, fill_blocks, interfaces, statistics, synthetic_packets,
    write_segment,
};

fn blocks() -> Vec<Block> {
    let mut packets = synthetic_packets(9, 7);
    for packet in &mut packets {
        packet.data.truncate(200);
        packet.fields.captured_bytes = packet.data.len() as u32;
    }
    fill_blocks(&packets, 800)
}

fn verify_file(disk: &MemoryDisk, name: &str) -> Verified {
    verify(disk.bytes(name).unwrap().as_slice()).unwrap()
}

/// Writes `blocks`, giving up on each one that fails, and returns what was acknowledged and whether
/// the segment was sealed.
fn write_what_fits(
    disk: &mut MemoryDisk,
    blocks: &[Block],
) -> Option<(u64, Result<(), SealError>)> {
    let prefix = NamePrefix::new("weir").unwrap();
    let mut namer = SegmentNamer::scan(disk, prefix).unwrap();
    let interfaces = interfaces();
    let header = SegmentHeader { section: SECTION, interfaces: &interfaces };
    let options = SegmentOptions { compression: LEVEL_1 };
    let mut writer = SegmentWriter::create(disk, &mut namer, NOON, &options, &header).ok()?;
    let mut packets = 0;
    for block in blocks {
        match writer.append_block(&block.raw, &block.tally) {
            Ok(_) => packets += block.tally.packets,
            Err(error) => {
                assert_eq!(error.storage_cause(), Some(StorageCause::DiskFull), "{error}");
                assert!(writer.is_sound());
            }
        }
    }
    assert_eq!(writer.written().packets, packets);
    Some((packets, writer.seal(disk, &statistics(packets)).map(drop)))
}

/// A3: the disk is full exactly at each byte of a segment of three chunks.
#[test]
fn a3_disk_full_at_every_byte_leaves_whole_chunks() {
    let blocks = blocks();
    let whole = {
        let mut disk = MemoryDisk::default();
        write_segment(&mut disk, LEVEL_1, &blocks).stored_bytes
    };
    for bytes_max in 0..=whole {
        let mut disk = MemoryDisk::new(Faults { bytes_max: Some(bytes_max), ..Faults::default() });
        let Some((packets, sealed)) = write_what_fits(&mut disk, &blocks) else {
            assert!(disk.files().is_empty(), "a file without a head stays at {bytes_max}");
            continue;
        };
        let (name, _) = disk.files().into_iter().next().unwrap();
        let verified = verify_file(&disk, &name);
        assert!(verified.is_clean(), "{bytes_max}: {verified:?}");
        assert_eq!(verified.tally.packets, packets, "{bytes_max}");
        assert_eq!(verified.is_sealed, sealed.is_ok(), "{bytes_max}");
        assert_eq!(name.ends_with(".part"), sealed.is_err(), "{bytes_max}");
    }
}

/// A6: every operation that writes fails once, in turn.
#[test]
fn a6_an_error_at_every_operation_loses_only_what_it_says() {
    let blocks = blocks();
    let operations = {
        let mut disk = MemoryDisk::default();
        write_segment(&mut disk, LEVEL_1, &blocks);
        disk.operations()
    };
    for operation in 0..operations {
        let faults =
            Faults { fail_at: Some((operation, ErrorKind::StorageFull)), ..Faults::default() };
        let mut disk = MemoryDisk::new(faults);
        let Some((packets, _)) = write_what_fits(&mut disk, &blocks) else { continue };
        let files = disk.files();
        assert_eq!(files.len(), 1, "{operation}");
        let verified = verify_file(&disk, files.keys().next().unwrap());
        assert!(verified.is_clean(), "{operation}: {verified:?}");
        assert_eq!(verified.tally.packets, packets, "{operation}");
    }
}

/// A7 and A8: short writes and interrupted ones make no difference.
#[test]
fn a7_a8_short_and_interrupted_writes_change_nothing() {
    let blocks = blocks();
    let mut sound = MemoryDisk::default();
    write_segment(&mut sound, LEVEL_1, &blocks);
    for write_bytes_max in [1, 2, 1000, 5000] {
        let mut disk = MemoryDisk::new(Faults {
            write_bytes_max: Some(write_bytes_max),
            interrupt_writes: true,
            ..Faults::default()
        });
        write_segment(&mut disk, LEVEL_1, &blocks);
        assert!(disk.files() == sound.files(), "{write_bytes_max}");
    }
}

/// A9: after a failed sync, the segment is neither written nor synced nor sealed again.
#[test]
fn a9_a_failed_sync_poisons_the_segment() {
    let blocks = blocks();
    let faults =
        Faults { fail_at: Some((1, ErrorKind::Other)), only: Some("sync"), ..Faults::default() };
    let mut disk = MemoryDisk::new(faults);
    let mut writer = create(&mut disk, LEVEL_1);
    writer.append_block(&blocks[0].raw, &blocks[0].tally).unwrap();
    let durable = writer.sync(&mut disk).unwrap();
    assert_eq!(durable, writer.written());
    writer.append_block(&blocks[1].raw, &blocks[1].tally).unwrap();
    assert!(matches!(writer.sync(&mut disk), Err(SyncError::File(_))));
    assert_eq!(writer.durable(), durable);
    assert!(!writer.is_sound());
    let operations = disk.operations();
    assert!(matches!(writer.sync(&mut disk), Err(SyncError::Poisoned)));
    let refused = writer.append_block(&blocks[1].raw, &blocks[1].tally);
    assert!(matches!(refused, Err(AppendError::Poisoned)));
    let part = writer.name().part();
    assert!(matches!(writer.seal(&mut disk, &[]), Err(SealError::Append { .. })));
    assert_eq!(disk.operations(), operations, "the file was touched again");
    assert!(disk.bytes(&part).is_some());
}

/// A11: a rename or directory sync that fails at the seal is reported with the name that holds.
#[test]
fn a11_a_failed_rename_or_directory_sync_is_reported() {
    let fail = |only| Faults {
        fail_at: Some((0, ErrorKind::Other)),
        only: Some(only),
        ..Faults::default()
    };
    let mut disk = MemoryDisk::new(fail("rename"));
    let writer = create(&mut disk, LEVEL_1);
    let part = writer.name().part();
    let error = writer.seal(&mut disk, &[]).unwrap_err();
    assert!(matches!(error, SealError::Rename { .. }), "{error}");
    assert_eq!(error.file_name(), part);
    assert!(verify_file(&disk, &part).is_sealed);

    let mut disk = MemoryDisk::new(fail("sync_directory"));
    let writer = create(&mut disk, LEVEL_1);
    let name = writer.name().to_string();
    let error = writer.seal(&mut disk, &[]).unwrap_err();
    assert!(matches!(error, SealError::Directory { .. }), "{error}");
    assert_eq!(error.file_name(), name);
    assert!(verify_file(&disk, &name).is_sealed);
}

/// A11: a directory that does not sync keeps the segment from being durable, and is asked again.
#[test]
fn a11_durable_needs_the_name_too() {
    let faults = Faults {
        fail_at: Some((0, ErrorKind::Other)),
        only: Some("sync_directory"),
        ..Faults::default()
    };
    let mut disk = MemoryDisk::new(faults);
    let mut writer = create(&mut disk, LEVEL_1);
    assert!(matches!(writer.sync(&mut disk), Err(SyncError::Directory(_))));
    assert_eq!(writer.durable().stored_bytes, 0);
    assert!(writer.is_sound());
    assert_eq!(writer.sync(&mut disk).unwrap(), writer.written());
}

/// A half-written chunk that cannot be cut off breaks the segment, and nothing is added to it.
#[test]
fn a_failed_truncate_breaks_the_segment() {
    let blocks = blocks();
    let mut disk = MemoryDisk::default();
    let mut writer = create(&mut disk, LEVEL_1);
    let written = writer.append_block(&blocks[0].raw, &blocks[0].tally).unwrap();
    let edge = writer.written();
    let bytes_max = edge.stored_bytes + written.stored_bytes as u64 / 2;
    disk.set_faults(Faults {
        bytes_max: Some(bytes_max),
        fail_truncate: true,
        ..Faults::default()
    });
    let broke = writer.append_block(&blocks[1].raw, &blocks[1].tally).unwrap_err();
    assert!(matches!(broke, AppendError::Break { .. }), "{broke}");
    assert_eq!(broke.storage_cause(), Some(StorageCause::DiskFull));
    disk.set_faults(Faults::default());
    let refused = writer.append_block(&blocks[1].raw, &blocks[1].tally);
    assert!(matches!(refused, Err(AppendError::Broken)));
    assert!(matches!(writer.sync(&mut disk), Err(SyncError::Broken)));
    assert_eq!(writer.written(), edge);
    let part = writer.name().part();
    assert!(matches!(writer.seal(&mut disk, &[]), Err(SealError::Append { .. })));
    assert_eq!(disk.bytes(&part).unwrap().len() as u64, bytes_max);
}

/// A13: a name that is taken is never overwritten; the next one is.
#[test]
fn a13_a_taken_name_is_passed_over() {
    let mut disk = MemoryDisk::default();
    let prefix = NamePrefix::new("weir").unwrap();
    let mut namer = SegmentNamer::scan(&disk, prefix).unwrap();
    let other = create(&mut disk, LEVEL_1);
    let options = SegmentOptions { compression: LEVEL_1 };
    let header = SegmentHeader { section: SECTION, interfaces: &[] };
    let writer = SegmentWriter::create(&mut disk, &mut namer, NOON, &options, &header).unwrap();
    assert_eq!((other.name().sequence, writer.name().sequence), (0, 1));
}

#[test]
fn a_segment_that_is_dropped_stays_open() {
    let mut disk = MemoryDisk::default();
    let blocks = blocks();
    let mut writer = create(&mut disk, LEVEL_1);
    writer.append_block(&blocks[0].raw, &blocks[0].tally).unwrap();
    let part = writer.name().part();
    drop(writer);
    let verified = verify_file(&disk, &part);
    assert!(verified.is_clean() && !verified.is_sealed);
    assert_eq!(verified.tally, blocks[0].tally);
}

#[test]
fn interfaces_that_libpcap_would_refuse_are_refused() {
    let mut disk = MemoryDisk::default();
    let mut namer = SegmentNamer::scan(&disk, NamePrefix::new("weir").unwrap()).unwrap();
    let mut interfaces = interfaces();
    interfaces[1].snaplen_bytes = 96;
    let header = SegmentHeader { section: SECTION, interfaces: &interfaces };
    let options = SegmentOptions { compression: LEVEL_1 };
    let refused = SegmentWriter::create(&mut disk, &mut namer, NOON, &options, &header);
    assert!(matches!(refused, Err(CreateError::InterfacesDiffer { index: 1 })));
    assert!(disk.files().is_empty());
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let mut disk = MemoryDisk::default();
    let mut namer = SegmentNamer::scan(&disk, NamePrefix::new("weir").unwrap()).unwrap();
    let text = "x".repeat(65_535);
    let section = weir_segment::pcapng::SectionHeader {
        hardware: Some(&text),
        os: Some(&text),
        ..Default::default()
    };
    let header = SegmentHeader { section, interfaces: &[] };
    let options = SegmentOptions { compression: LEVEL_1 };
    let refused = SegmentWriter::create(&mut disk, &mut namer, NOON, &options, &header);
    assert!(matches!(refused, Err(CreateError::HeadTooLarge { .. })));
    assert!(disk.files().is_empty());
}

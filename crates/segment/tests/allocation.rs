//! No allocation for a packet ever, and none for a block after the first of its size.
//!
//! A binary of its own, for the counting allocator is the whole process's.
#![allow(unsafe_code)] // A global allocator is an unsafe trait; it only counts and passes on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_model::{LinkType, Storage, StorageFile, Timestamp};
use weir_segment::pcapng::{
    EPB_OVERHEAD_BYTES_MAX, EpbFields, InterfaceDescription, SectionHeader, write_epb,
};
use weir_segment::{
    BlockTally, Compression, NamePrefix, SegmentHeader, SegmentNamer, SegmentOptions, SegmentWriter,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller upholds `GlobalAlloc::alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, through `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes everything and keeps nothing.
struct Nowhere;

impl Storage for Nowhere {
    type File = Nowhere;

    fn create(&mut self, _: &str) -> io::Result<Nowhere> {
        Ok(Nowhere)
    }

    fn rename(&mut self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

impl StorageFile for Nowhere {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fill(block: &mut [u8]) -> (usize, BlockTally) {
    let (mut at, mut tally) = (0, BlockTally::default());
    while block.len() - at >= 1000 + EPB_OVERHEAD_BYTES_MAX {
        let fields = EpbFields {
            timestamp: Timestamp::from_ns(at as u64),
            captured_bytes: 1000,
            wire_bytes: 1000,
            dropcount: 1,
            queue: Some(1),
            hash: Some(1),
            ..EpbFields::default()
        };
        at += write_epb(&mut block[at..], &fields, |area| area.fill(at as u8));
        tally.count(1000, 1000, fields.timestamp);
    }
    (at, tally)
}

#[test]
fn blocks_after_the_first_allocate_nothing() {
    for compression in [Compression::Zstd { level: 1 }, Compression::None] {
        let mut namer = SegmentNamer::scan(&Nowhere, NamePrefix::new("weir").unwrap()).unwrap();
        let interfaces = [InterfaceDescription::new(LinkType::ETHERNET, 262_144)];
        let section = SectionHeader::default();
        let header = SegmentHeader { section, interfaces: &interfaces };
        let options = SegmentOptions { compression };
        let now = Timestamp::from_ns(1);
        let mut writer =
            SegmentWriter::create(&mut Nowhere, &mut namer, now, &options, &header).unwrap();
        let mut block = vec![0; 1 << 20];
        let (bytes, tally) = fill(&mut block);
        writer.append_block(&block[..bytes], &tally).unwrap();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..5 {
            let (bytes, tally) = fill(&mut block);
            writer.append_block(&block[..bytes], &tally).unwrap();
            writer.sync(&mut Nowhere).unwrap();
        }
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before, "{compression:?}");
    }
}

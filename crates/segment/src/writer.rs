//! The writer of one segment: blocks appended as whole chunks, made durable, sealed.
//!
//! Runs on: Output lcores. Allocates: in `create` and `seal`; in `append_block` only while the
//! encoder's buffer grows to the largest block.
//!
//! The file is whole at every return: a chunk that could not be written to its end is cut off
//! again. Where that fails as well, the segment is broken and takes nothing more. A segment whose
//! sync failed is poisoned: what it wrote since the last good sync is unknown for good, so it is
//! neither written nor synced nor sealed again. Both stay behind as `.part` for recovery.

use std::io;

use weir_model::{Storage, Timestamp};

use crate::chunk::ChunkKind;
use crate::encoder::{BlockEncoder, Compression, END_LEVEL, EncodeError, EncodedBlock};
use crate::error::{AppendError, CreateError, SealError, SyncError};
use crate::head::{HEAD_BLOCK_BYTES, HEAD_BYTES_MAX, SegmentHead, append_head_copy};
use crate::naming::{Extension, SegmentName, SegmentNamer};
use crate::pcapng::{InterfaceDescription, InterfaceStatistics, SectionHeader};
use crate::segment_file::{SegmentFile, retry_interrupted};
use crate::tally::{BlockTally, Position};

/// How often another name is tried where the one that was next is taken.
const NAME_TRIES_MAX: u32 = 1000;

/// How a segment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentOptions {
    /// How its bytes are kept.
    pub compression: Compression,
}

/// What a segment's head says of where its packets come from.
#[derive(Clone, Copy, Debug)]
pub struct SegmentHeader<'a> {
    /// The machine and the program.
    pub section: SectionHeader<'a>,
    /// The interfaces; a packet names one by its place here. All have one link type and one
    /// snaplen.
    pub interfaces: &'a [InterfaceDescription<'a>],
}

impl SegmentHeader<'_> {
    /// Appends the section header and the interface descriptions to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.section.append_to(out);
        for interface in self.interfaces {
            interface.append_to(out);
        }
    }
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Bytes that it takes in the file.
    pub stored_bytes: usize,
}

/// A segment that is whole, durable and named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// Its name.
    pub name: SegmentName,
    /// Bytes of the file.
    pub stored_bytes: u64,
    /// Bytes of pcapng in it.
    pub raw_bytes: u64,
    /// Blocks of packets.
    pub blocks: u64,
    /// What it holds.
    pub tally: BlockTally,
}

/// The writer of one segment.
///
/// Dropped without [`seal`](Self::seal), it leaves its `.part` file as it is, for recovery.
pub struct SegmentWriter<S: Storage> {
    file: SegmentFile<S::File>,
    encoder: BlockEncoder,
    head: Vec<u8>,
    name: SegmentName,
    opened_at: Timestamp,
    tally: BlockTally,
    blocks: u64,
    durable: Position,
    name_is_durable: bool,
}

impl<S: Storage> SegmentWriter<S> {
    /// Creates the next segment's `.part` file and writes its head. `now` goes into the name.
    ///
    /// # Errors
    ///
    /// [`CreateError`]. A file whose head could not be written is removed again if it can be.
    pub fn create(
        storage: &mut S,
        namer: &mut SegmentNamer,
        now: Timestamp,
        options: &SegmentOptions,
        header: &SegmentHeader<'_>,
    ) -> Result<Self, CreateError> {
        let encoder = BlockEncoder::new(options.compression).map_err(CreateError::Encode)?;
        check_header(header)?;
        let (file, name) = create_part(storage, namer, now, options.compression)?;
        let head = SegmentHead::new(&name, now, header.interfaces.len());
        let mut writer = Self {
            file: SegmentFile::new(file, encoder.is_compressed(), head.segment_id),
            encoder,
            head: head.encode(header),
            name,
            opened_at: now,
            tally: BlockTally::default(),
            blocks: 0,
            durable: Position::default(),
            name_is_durable: false,
        };
        match writer.file.append_head(&writer.head) {
            Ok(()) => Ok(writer),
            Err(cause) => Err(writer.uncreate(storage, cause)),
        }
    }

    /// Compresses a block of whole pcapng blocks into one chunk and writes it.
    ///
    /// # Errors
    ///
    /// [`AppendError`]. Nothing of the block is in the file then, and while the segment
    /// [is sound](Self::is_sound) the same block can be tried again.
    pub fn append_block(
        &mut self,
        raw: &[u8],
        tally: &BlockTally,
    ) -> Result<Appended, AppendError> {
        let appended = self.append_raw(raw, ChunkKind::Packets, tally)?;
        self.count_block(tally);
        Ok(appended)
    }

    /// Writes a block that another [`BlockEncoder`] made ready, as
    /// [`append_block`](Self::append_block) would have: so several lcores can compress for one
    /// segment.
    ///
    /// # Errors
    ///
    /// [`AppendError`], as `append_block`.
    pub fn append_encoded(
        &mut self,
        encoded: &mut EncodedBlock<'_>,
        tally: &BlockTally,
    ) -> Result<Appended, AppendError> {
        let stored_bytes = self.file.append_chunk(encoded, ChunkKind::Packets, tally)?;
        self.count_block(tally);
        Ok(Appended { stored_bytes })
    }

    /// Sets the compression level of the blocks to come. Does nothing without compression.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Level`] if zstd does not have it; the level is then what it was.
    pub fn set_level(&mut self, level: i32) -> Result<(), EncodeError> {
        self.encoder.set_level(level)
    }

    /// Makes everything written so far durable, and the file's name, and returns how far that is.
    ///
    /// # Errors
    ///
    /// [`SyncError`]. The durable position stays where it was. If the file's own sync failed, the
    /// segment is poisoned.
    pub fn sync(&mut self, storage: &mut S) -> Result<Position, SyncError> {
        self.file.sync()?;
        if !self.name_is_durable {
            retry_interrupted(|| storage.sync_directory()).map_err(SyncError::Directory)?;
            self.name_is_durable = true;
        }
        self.durable = self.written();
        Ok(self.durable)
    }

    /// Ends the segment: interface statistics, sync, final name, directory sync.
    ///
    /// # Errors
    ///
    /// [`SealError`], which says under which name the file is left. It is whole, with what was
    /// written before.
    pub fn seal(
        mut self,
        storage: &mut S,
        statistics: &[InterfaceStatistics<'_>],
    ) -> Result<SealedSegment, SealError> {
        let part = self.name.part();
        if let Err(cause) = self.append_end(statistics) {
            return Err(SealError::Append { part, cause });
        }
        if let Err(cause) = self.file.sync() {
            return Err(SealError::Sync { part, cause });
        }
        let name = self.name.to_string();
        if let Err(cause) = retry_interrupted(|| storage.rename(&part, &name)) {
            return Err(SealError::Rename { part, cause });
        }
        if let Err(cause) = retry_interrupted(|| storage.sync_directory()) {
            return Err(SealError::Directory { name, cause });
        }
        Ok(SealedSegment {
            name: self.name,
            stored_bytes: self.file.stored_bytes(),
            raw_bytes: self.file.raw_bytes(),
            blocks: self.blocks,
            tally: self.tally,
        })
    }

    /// Returns the segment's name, as it will be when sealed.
    pub fn name(&self) -> &SegmentName {
        &self.name
    }

    /// Returns when the segment was created, as `create` was told.
    pub fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Returns how far the segment is written.
    pub fn written(&self) -> Position {
        Position {
            packets: self.tally.packets,
            blocks: self.blocks,
            stored_bytes: self.file.stored_bytes(),
        }
    }

    /// Returns how far the segment is durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// Returns whether the segment takes more blocks.
    pub fn is_sound(&self) -> bool {
        self.file.is_sound()
    }

    fn append_raw(
        &mut self,
        raw: &[u8],
        kind: ChunkKind,
        tally: &BlockTally,
    ) -> Result<Appended, AppendError> {
        // Before the work of compressing what cannot be written.
        self.file.refuse_unless_sound()?;
        let mut encoded = self.encoder.encode(raw).map_err(AppendError::Encode)?;
        let stored_bytes = self.file.append_chunk(&mut encoded, kind, tally)?;
        Ok(Appended { stored_bytes })
    }

    fn append_end(&mut self, statistics: &[InterfaceStatistics<'_>]) -> Result<(), AppendError> {
        let mut raw = Vec::new();
        for statistics in statistics {
            statistics.append_to(&mut raw);
        }
        append_head_copy(&mut raw, &self.head);
        let tally = self.tally;
        self.encoder.set_level(END_LEVEL).map_err(AppendError::Encode)?;
        self.append_raw(&raw, ChunkKind::End, &tally)?;
        // Reserved: the aggregate index stands here, as a chunk of its own.
        self.file.append_end()
    }

    fn count_block(&mut self, tally: &BlockTally) {
        self.tally.add(tally);
        self.blocks += 1;
    }

    fn uncreate(self, storage: &mut S, cause: AppendError) -> CreateError {
        let part = self.name.part();
        drop(self);
        let removed = storage.remove(&part).is_ok();
        CreateError::Head { part, removed, cause }
    }
}

fn check_header(header: &SegmentHeader<'_>) -> Result<(), CreateError> {
    let mut pcapng = Vec::new();
    header.append_to(&mut pcapng);
    let bytes = pcapng.len() + HEAD_BLOCK_BYTES;
    if bytes > HEAD_BYTES_MAX {
        return Err(CreateError::HeadTooLarge { bytes });
    }
    let kind =
        |interface: &InterfaceDescription<'_>| (interface.link_type, interface.snaplen_bytes);
    let mut kinds = header.interfaces.iter().map(kind);
    let Some(first) = kinds.next() else { return Ok(()) };
    match kinds.position(|kind| kind != first) {
        Some(behind) => Err(CreateError::InterfacesDiffer { index: behind + 1 }),
        None => Ok(()),
    }
}

fn create_part<S: Storage>(
    storage: &mut S,
    namer: &mut SegmentNamer,
    now: Timestamp,
    compression: Compression,
) -> Result<(S::File, SegmentName), CreateError> {
    let extension = match compression {
        Compression::None => Extension::Pcapng,
        Compression::Zstd { .. } => Extension::PcapngZst,
    };
    let mut last = String::new();
    for _ in 0..NAME_TRIES_MAX {
        let name = namer.next(now, extension).ok_or(CreateError::NamesUsedUp)?;
        let part = name.part();
        match retry_interrupted(|| storage.create(&part)) {
            Ok(file) => return Ok((file, name)),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => last = part,
            Err(cause) => return Err(CreateError::File { part, cause }),
        }
    }
    Err(CreateError::NamesTaken { last })
}

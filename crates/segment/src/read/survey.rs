//! What recovery has to know of a file before it touches it.

use std::io;

use weir_model::{ReadableStorage, StorageReader};

use super::contents::{Contents, INTERFACES_MAX};
use super::decode::ChunkDecoder;
use super::walk::{FoundChunk, FoundHead, Part, Walk};
use crate::bytes::RunningHash;
use crate::chunk::ChunkKind;
use crate::head::{BLOCK_TYPE_HEAD_COPY, SegmentHead};
use crate::pcapng::{BLOCK_TYPE_ISB, BlockReader};
use crate::segment_file::Progress;
use crate::tally::BlockTally;

/// What is in a file.
pub(super) struct Survey {
    pub(super) length: u64,
    pub(super) is_compressed: bool,
    pub(super) head: Option<FoundHead>,
    /// The copy of the head in the end chunk.
    pub(super) head_copy: Option<FoundHead>,
    /// Chunks of packets that are whole, by their index, each once.
    pub(super) chunks: Vec<FoundChunk>,
    pub(super) tally: BlockTally,
    /// Packets by interface.
    pub(super) interface_packets: Vec<u64>,
    /// The end chunk's interface statistics, if there is a whole one.
    pub(super) statistics: Option<Vec<u8>>,
    /// Whether the end of the zstd frame is there and right.
    pub(super) has_end: bool,
    /// The file up to the first damage.
    pub(super) intact: Intact,
    /// Whether anything that is whole comes after damage, so that cutting it off is not enough.
    pub(super) is_whole_behind_damage: bool,
    /// How many stretches are not kept.
    pub(super) damages: u64,
}

/// The part of a file before its first damage.
pub(super) struct Intact {
    pub(super) progress: Progress,
    /// Whether the end chunk is in it.
    pub(super) has_end_chunk: bool,
}

impl Survey {
    /// Reads a whole file, decompressing everything.
    pub(super) fn of<S: ReadableStorage>(storage: &S, name: &str) -> io::Result<Self> {
        let mut walk = Walk::new(storage.open(name)?)?;
        let mut survey = Self::empty(walk.length_bytes());
        let mut decoder = ChunkDecoder::new()?;
        while let Some(part) = walk.next_part()? {
            match part {
                Part::Head(found) => survey.head(found),
                Part::Chunk(chunk) => survey.chunk(chunk, &walk, &mut decoder),
                Part::End { checksum } => survey.end(checksum, walk.length_bytes()),
                Part::Damage(_) => survey.damages += 1,
            }
        }
        survey.is_compressed = walk.is_compressed().unwrap_or(false);
        survey.chunks.sort_by_key(|chunk| chunk.header.index);
        Ok(survey)
    }

    fn empty(length: u64) -> Self {
        let progress =
            Progress { chunks: 0, stored_bytes: 0, raw_bytes: 0, content_hash: RunningHash::new() };
        Self {
            length,
            is_compressed: false,
            head: None,
            head_copy: None,
            chunks: Vec::new(),
            tally: BlockTally::default(),
            interface_packets: Vec::new(),
            statistics: None,
            has_end: false,
            intact: Intact { progress, has_end_chunk: false },
            is_whole_behind_damage: false,
            damages: 0,
        }
    }

    /// Returns whether every byte is kept.
    pub(super) fn is_clean(&self) -> bool {
        self.damages == 0
    }

    /// Returns whether the segment is whole and sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.is_clean() && self.intact.has_end_chunk && (self.has_end || !self.is_compressed)
    }

    /// Returns whether there is nothing in the file that could be kept.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none() && self.head_copy.is_none() && self.chunks.is_empty()
    }

    /// Returns the identity that the chunks to be kept have.
    pub(super) fn segment_id(&self) -> Option<u64> {
        let found = self.head.as_ref().or(self.head_copy.as_ref());
        let chunk = self.chunks.first().map(|chunk| chunk.header.segment_id);
        found.map(|found| found.head.segment_id).or(chunk)
    }

    fn head(&mut self, found: FoundHead) {
        self.intact.progress.content_hash.add(&found.raw);
        self.intact.progress.raw_bytes = found.raw.len() as u64;
        self.intact.progress.stored_bytes = found.end;
        self.head = Some(found);
    }

    fn chunk<R: StorageReader>(
        &mut self,
        chunk: FoundChunk,
        walk: &Walk<R>,
        decoder: &mut ChunkDecoder,
    ) {
        let is_compressed = walk.is_compressed() == Some(true);
        let is_ours = self.segment_id().is_none_or(|id| id == chunk.header.segment_id);
        let raw = decoder.decode(&chunk, walk.payload(), is_compressed).ok().filter(|_| is_ours);
        let is_kept = raw.is_some_and(|raw| match chunk.header.kind {
            ChunkKind::Packets => self.packets(&chunk, raw),
            ChunkKind::End => self.end_chunk(raw),
        });
        let Some(raw) = raw.filter(|_| is_kept) else {
            self.damages += 1;
            return;
        };
        if chunk.misplaced.is_some() {
            self.damages += 1;
        }
        if self.is_clean() && self.head.is_some() {
            self.intact.extend(&chunk, raw);
        } else {
            self.is_whole_behind_damage = true;
        }
        if chunk.header.kind == ChunkKind::Packets {
            self.chunks.push(chunk);
        }
    }

    /// Counts a chunk of packets in, and returns whether it is one that is not there yet.
    fn packets(&mut self, chunk: &FoundChunk, raw: &[u8]) -> bool {
        // Nearly always in order, so the last one is the one to look at.
        let index = chunk.header.index;
        let is_new = match self.chunks.last() {
            Some(last) if last.header.index < index => true,
            _ => self.chunks.iter().all(|other| other.header.index != index),
        };
        let interfaces = self.head.as_ref().map_or(INTERFACES_MAX, |found| found.head.interfaces);
        let Some(contents) = Contents::of(raw, interfaces).filter(|_| is_new) else {
            return false;
        };
        self.tally.add(&contents.tally);
        let by_interface = contents.interface_packets;
        if self.interface_packets.len() < by_interface.len() {
            self.interface_packets.resize(by_interface.len(), 0);
        }
        for (sum, packets) in self.interface_packets.iter_mut().zip(by_interface) {
            *sum += packets;
        }
        true
    }

    /// Takes what an end chunk has, and returns whether it is sound.
    fn end_chunk(&mut self, raw: &[u8]) -> bool {
        let Ok(blocks) = BlockReader::new(raw).collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let mut statistics = Vec::new();
        for block in blocks {
            match block.block_type {
                BLOCK_TYPE_HEAD_COPY => {
                    let copy = SegmentHead::read(block.body);
                    self.head_copy = copy
                        .filter(|(_, bytes)| *bytes == block.body.len())
                        .map(|(head, _)| FoundHead { head, raw: block.body.to_vec(), end: 0 });
                }
                BLOCK_TYPE_ISB => {
                    crate::pcapng::append_block(&mut statistics, BLOCK_TYPE_ISB, |out| {
                        out.extend_from_slice(block.body);
                    });
                }
                _ => {}
            }
        }
        self.statistics = Some(statistics);
        true
    }

    fn end(&mut self, checksum: u32, length: u64) {
        let is_right =
            self.is_clean() && checksum == self.intact.progress.content_hash.value() as u32;
        if is_right {
            self.has_end = true;
            self.intact.progress.stored_bytes =
                length.min(self.intact.progress.stored_bytes + super::walk::END_BYTES as u64);
        } else {
            self.damages += 1;
        }
    }
}

impl Intact {
    fn extend(&mut self, chunk: &FoundChunk, raw: &[u8]) {
        let progress = &mut self.progress;
        progress.chunks += 1;
        progress.stored_bytes = chunk.range.end;
        progress.raw_bytes += (chunk.header_block.len() + raw.len()) as u64;
        progress.content_hash.add(&chunk.header_block);
        progress.content_hash.add(raw);
        self.has_end_chunk = chunk.header.kind == ChunkKind::End;
    }
}

//! The walk over a segment's file: head, chunks, end, and the damage between them.
//!
//! A chunk's header says where the next one begins. Where there is no sound header, the walk looks
//! for the next one by its type and checksum, so that whatever is whole behind damage is found.
//! What lies between is damage, named by where it begins and ends. Together the parts cover the
//! file from its first byte to its last.

use std::io;
use std::ops::Range;

use weir_model::StorageReader;

use super::window::{read_exact_at, read_up_to};
use crate::bytes::{hash, u32_at};
use crate::chunk::{
    BLOCK_TYPE_CHUNK, CHUNK_HEADER_BYTES, CHUNK_HEADER_STORED_BYTES, ChunkHeader, ChunkKind,
    read_stored_header,
};
use crate::encoder::BLOCK_BYTES_MAX;
use crate::head::{HEAD_BYTES_MAX, SegmentHead};
use crate::zstd_frame::{FRAME_HEADER, LAST_BLOCK, ZSTD_BLOCK_HEADER_BYTES, raw_block_header};

/// The most stored bytes of a block: zstd adds at most a header to each of its blocks.
const PAYLOAD_BYTES_MAX: usize = BLOCK_BYTES_MAX + BLOCK_BYTES_MAX / 128;

/// The end of a compressed segment: an empty last block and the checksum.
pub(super) const END_BYTES: usize = LAST_BLOCK.len() + 4;

/// How much is read at once while looking for the next header.
const SEARCH_BYTES: usize = 256 << 10;

/// What is wrong with a stretch of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DamageKind {
    /// The head is not sound.
    Head,
    /// There is no sound chunk header where one should be.
    ChunkHeader,
    /// A chunk's stored bytes are not those that its header has the checksum of, or they do not
    /// decompress to what it says.
    Payload,
    /// A chunk is whole, but not where it says that it is, or not in its place among the others:
    /// chunks before it were taken out, put in or swapped.
    Misplaced,
    /// A chunk is whole, but another segment's.
    Foreign,
    /// The file ends in the middle of something.
    Torn,
    /// The end's checksum is not that of the contents.
    Checksum,
    /// Something follows the end.
    Trailing,
    /// A chunk's contents contradict its header, or are not pcapng.
    Contents,
}

impl DamageKind {
    /// Returns the name that stands in reports and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::ChunkHeader => "chunk_header",
            Self::Payload => "payload",
            Self::Misplaced => "misplaced",
            Self::Foreign => "foreign",
            Self::Torn => "torn",
            Self::Checksum => "checksum",
            Self::Trailing => "trailing",
            Self::Contents => "contents",
        }
    }
}

/// A stretch of the file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it is, in bytes from the start of the file.
    pub range: Range<u64>,
    /// What is wrong.
    pub kind: DamageKind,
}

/// A sound head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundHead {
    /// What it says.
    pub head: SegmentHead,
    /// Its bytes of pcapng, all of them.
    pub raw: Vec<u8>,
    /// Where it ends in the file, in bytes from the start.
    pub end: u64,
}

/// A chunk whose header is sound and whose stored bytes are those that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundChunk {
    /// What the header says.
    pub header: ChunkHeader,
    /// The header as a pcapng block.
    pub header_block: [u8; CHUNK_HEADER_BYTES],
    /// Where the chunk is, header included.
    pub range: Range<u64>,
    /// Where its stored bytes begin.
    pub payload_at: u64,
    /// What is wrong with its place, if anything is: [`DamageKind::Misplaced`] or
    /// [`DamageKind::Foreign`].
    pub misplaced: Option<DamageKind>,
}

/// A part of a segment's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The head.
    Head(FoundHead),
    /// A chunk. Its stored bytes are in [`Walk::payload`] until the next part is asked for.
    Chunk(FoundChunk),
    /// The end of a compressed segment's zstd frame, with the checksum that it has.
    End {
        /// The low half of the XXH64 of everything before, decompressed.
        checksum: u32,
    },
    /// Bytes that are none of these.
    Damage(Damage),
}

/// The walk over one file.
#[derive(Debug)]
pub struct Walk<R> {
    reader: R,
    length: u64,
    at: u64,
    form: Option<Form>,
    segment_id: Option<u64>,
    next_index: u64,
    saw_end_chunk: bool,
    saw_end: bool,
    payload: Vec<u8>,
    scratch: Vec<u8>,
}

/// How the file is kept, as its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Compressed,
}

impl Form {
    /// Returns how many bytes a chunk's header has in the file.
    const fn header_bytes(self) -> usize {
        match self {
            Self::Plain => CHUNK_HEADER_BYTES,
            Self::Compressed => CHUNK_HEADER_STORED_BYTES,
        }
    }

    /// Reads the header that `bytes` begins with.
    fn read_header(self, bytes: &[u8]) -> Option<ChunkHeader> {
        match self {
            Self::Plain => ChunkHeader::read_block(bytes.first_chunk()?),
            Self::Compressed => read_stored_header(bytes.first_chunk()?),
        }
    }
}

impl<R: StorageReader> Walk<R> {
    /// Begins a walk over the bytes that the file has now.
    ///
    /// # Errors
    ///
    /// What the file system said.
    pub fn new(reader: R) -> io::Result<Self> {
        Ok(Self {
            length: reader.length_bytes()?,
            reader,
            at: 0,
            form: None,
            segment_id: None,
            next_index: 0,
            saw_end_chunk: false,
            saw_end: false,
            payload: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Returns the file's length when the walk began, in bytes.
    pub fn length_bytes(&self) -> u64 {
        self.length
    }

    /// Returns whether the segment is compressed: `None` as long as nothing sound was found.
    pub fn is_compressed(&self) -> Option<bool> {
        self.form.map(|form| form == Form::Compressed)
    }

    /// Returns the stored bytes of the chunk that was found last.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the next part; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// What the file system said.
    pub fn next_part(&mut self) -> io::Result<Option<Part>> {
        if self.at == self.length {
            return Ok(None);
        }
        if self.at == 0 {
            return self.head().map(Some);
        }
        if self.saw_end {
            return Ok(Some(self.damage_to(self.length, DamageKind::Trailing)));
        }
        if let Some((form, header)) = self.header_at(self.at)? {
            self.form = Some(form);
            return self.chunk(form, header).map(Some);
        }
        if let Some(end) = self.end()? {
            return Ok(Some(end));
        }
        self.damage(DamageKind::ChunkHeader).map(Some)
    }

    fn head(&mut self) -> io::Result<Part> {
        const START_BYTES: usize = FRAME_HEADER.len() + ZSTD_BLOCK_HEADER_BYTES;
        let mut start = std::mem::take(&mut self.scratch);
        read_exact_at(&mut self.reader, 0, START_BYTES + HEAD_BYTES_MAX, &mut start)?;
        let found = read_head(&start);
        self.scratch = start;
        match found {
            Some((form, found)) => {
                self.form = Some(form);
                self.segment_id = Some(found.head.segment_id);
                self.at = found.end;
                Ok(Part::Head(found))
            }
            None => self.damage(DamageKind::Head),
        }
    }

    fn chunk(&mut self, form: Form, header: ChunkHeader) -> io::Result<Part> {
        let payload_at = self.at + form.header_bytes() as u64;
        let payload_bytes = header.stored_bytes as usize;
        let end = payload_at + payload_bytes as u64;
        if !are_sizes_bounded(&header) {
            return self.damage(DamageKind::ChunkHeader);
        }
        if end > self.length {
            return self.damage(DamageKind::Torn);
        }
        let is_whole =
            read_exact_at(&mut self.reader, payload_at, payload_bytes, &mut self.payload)?
                && hash(&self.payload) == header.payload_hash;
        if !is_whole {
            self.next_index = header.index.saturating_add(1);
            return Ok(self.damage_to(end, DamageKind::Payload));
        }
        let misplaced = self.misplaced(&header);
        if misplaced != Some(DamageKind::Foreign) {
            self.segment_id = Some(header.segment_id);
            self.next_index = header.index.saturating_add(1);
            self.saw_end_chunk = header.kind == ChunkKind::End;
        }
        let range = self.at..end;
        self.at = end;
        let header_block = header.to_block();
        Ok(Part::Chunk(FoundChunk { header, header_block, range, payload_at, misplaced }))
    }

    fn misplaced(&self, header: &ChunkHeader) -> Option<DamageKind> {
        if self.segment_id.is_some_and(|id| id != header.segment_id) {
            return Some(DamageKind::Foreign);
        }
        let is_in_place =
            header.offset == self.at && header.index == self.next_index && !self.saw_end_chunk;
        (!is_in_place).then_some(DamageKind::Misplaced)
    }

    fn end(&mut self) -> io::Result<Option<Part>> {
        if self.form != Some(Form::Compressed) || !self.saw_end_chunk {
            return Ok(None);
        }
        let mut end = [0; END_BYTES];
        let bytes = read_up_to(&mut self.reader, self.at, &mut end)?;
        if bytes < END_BYTES || end[..LAST_BLOCK.len()] != LAST_BLOCK {
            return Ok(None);
        }
        let checksum = u32_at(&end, LAST_BLOCK.len()).unwrap_or_default();
        self.at += END_BYTES as u64;
        self.saw_end = true;
        Ok(Some(Part::End { checksum }))
    }

    /// Names what lies between here and the next chunk that can be found.
    fn damage(&mut self, kind: DamageKind) -> io::Result<Part> {
        match self.search()? {
            Some(next) => {
                // How many chunks were lost in between is not known.
                if let Some((_, header)) = self.header_at(next)? {
                    self.next_index = header.index;
                }
                Ok(self.damage_to(next, kind))
            }
            None if kind == DamageKind::Head => Ok(self.damage_to(self.length, kind)),
            None => Ok(self.damage_to(self.length, DamageKind::Torn)),
        }
    }

    fn damage_to(&mut self, end: u64, kind: DamageKind) -> Part {
        let range = self.at..end;
        self.at = end;
        Part::Damage(Damage { range, kind })
    }

    /// Returns where the next sound header behind here begins.
    fn search(&mut self) -> io::Result<Option<u64>> {
        let pattern = BLOCK_TYPE_CHUNK.to_le_bytes();
        let mut window = vec![0; SEARCH_BYTES];
        let mut from = self.at + 1;
        loop {
            let filled = read_up_to(&mut self.reader, from, &mut window)?;
            let places = window[..filled].windows(pattern.len()).enumerate();
            for (place, _) in places.filter(|(_, bytes)| *bytes == pattern) {
                if let Some(next) = self.header_around(from + place as u64)? {
                    return Ok(Some(next));
                }
            }
            if filled < window.len() {
                return Ok(None);
            }
            // The pattern may lie across the edge of two windows.
            from += (filled - (pattern.len() - 1)) as u64;
        }
    }

    /// Returns where the chunk begins whose header's pcapng block is at `block_at`, if it is sound.
    fn header_around(&mut self, block_at: u64) -> io::Result<Option<u64>> {
        let compressed_at = block_at.checked_sub(ZSTD_BLOCK_HEADER_BYTES as u64);
        for chunk_at in [compressed_at, Some(block_at)].into_iter().flatten() {
            if chunk_at > self.at && self.header_at(chunk_at)?.is_some() {
                return Ok(Some(chunk_at));
            }
        }
        Ok(None)
    }

    /// Reads the header of a chunk that begins at `at`, and how it is kept. The first one that is
    /// found says that for the whole file, if the head could not.
    fn header_at(&mut self, at: u64) -> io::Result<Option<(Form, ChunkHeader)>> {
        let mut bytes = [0; CHUNK_HEADER_STORED_BYTES];
        let filled = read_up_to(&mut self.reader, at, &mut bytes)?;
        let read = |form: Form| Some((form, form.read_header(&bytes[..filled])?));
        Ok(match self.form {
            Some(form) => read(form),
            None => read(Form::Compressed).or_else(|| read(Form::Plain)),
        })
    }
}

fn are_sizes_bounded(header: &ChunkHeader) -> bool {
    header.stored_bytes as usize <= PAYLOAD_BYTES_MAX
        && header.raw_bytes as usize <= BLOCK_BYTES_MAX
}

fn read_head(start: &[u8]) -> Option<(Form, FoundHead)> {
    if let Some(block) = start.strip_prefix(&FRAME_HEADER) {
        let content = block.get(ZSTD_BLOCK_HEADER_BYTES..)?;
        let (head, bytes) = SegmentHead::read(content)?;
        let is_alone = block[..ZSTD_BLOCK_HEADER_BYTES] == raw_block_header(bytes);
        let end = (FRAME_HEADER.len() + ZSTD_BLOCK_HEADER_BYTES + bytes) as u64;
        let found = FoundHead { head, raw: content[..bytes].to_vec(), end };
        return is_alone.then_some((Form::Compressed, found));
    }
    let (head, bytes) = SegmentHead::read(start)?;
    let found = FoundHead { head, raw: start[..bytes].to_vec(), end: bytes as u64 };
    Some((Form::Plain, found))
}

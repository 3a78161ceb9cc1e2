//! Verification: is every byte of a segment what was written, and what does it hold.

use std::io;

use weir_model::StorageReader;

use super::contents::{Contents, INTERFACES_MAX};
use super::decode::ChunkDecoder;
use super::walk::{Damage, DamageKind, FoundChunk, Part, Walk};
use crate::bytes::RunningHash;
use crate::chunk::ChunkKind;
use crate::head::SegmentHead;
use crate::pcapng::BlockReader;
use crate::tally::BlockTally;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The head, if it is sound.
    pub head: Option<SegmentHead>,
    /// Whether the segment was sealed and its end is as it was written.
    pub is_sealed: bool,
    /// Chunks of packets that are whole and in their place.
    pub chunks: u64,
    /// What they hold, counted packet by packet.
    pub tally: BlockTally,
    /// Where the first damage is, and what it is.
    pub first_damage: Option<Damage>,
    /// How many stretches are damaged.
    pub damages: u64,
    /// How many bytes of the file they are.
    pub damaged_bytes: u64,
}

impl Verified {
    /// Returns whether every byte is what was written. An open segment is clean too, if it ends at
    /// a chunk's edge.
    pub fn is_clean(&self) -> bool {
        self.damages == 0
    }

    fn damage(&mut self, damage: Damage) {
        self.damages += 1;
        self.damaged_bytes += damage.range.end - damage.range.start;
        self.first_damage.get_or_insert(damage);
    }
}

/// Verifies a segment: every checksum, every chunk decompressed, every pcapng block read, every
/// count compared.
///
/// # Errors
///
/// What the file system said, or that there is no memory to decompress with. Damage is not an
/// error.
pub fn verify(reader: impl StorageReader) -> io::Result<Verified> {
    let mut walk = Walk::new(reader)?;
    let mut verifier = Verifier {
        verified: Verified::default(),
        decoder: ChunkDecoder::new()?,
        contents: RunningHash::new(),
        end_chunk: None,
    };
    while let Some(part) = walk.next_part()? {
        verifier.part(part, &walk);
    }
    let mut verified = verifier.verified;
    if walk.is_compressed() == Some(false) {
        verified.is_sealed = verifier.end_chunk.is_some_and(|end| end == walk.length_bytes());
    }
    Ok(verified)
}

struct Verifier {
    verified: Verified,
    decoder: ChunkDecoder,
    /// Over everything so far, decompressed.
    contents: RunningHash,
    /// Where the end chunk ends, if there is one.
    end_chunk: Option<u64>,
}

impl Verifier {
    fn part<R: StorageReader>(&mut self, part: Part, walk: &Walk<R>) {
        match part {
            Part::Head(found) => {
                self.contents.add(&found.raw);
                self.verified.head = Some(found.head);
            }
            Part::Chunk(chunk) => self.chunk(&chunk, walk),
            Part::End { checksum } => self.end(checksum, walk.length_bytes()),
            Part::Damage(damage) => self.verified.damage(damage),
        }
    }

    fn chunk<R: StorageReader>(&mut self, chunk: &FoundChunk, walk: &Walk<R>) {
        if let Some(kind) = chunk.misplaced {
            return self.verified.damage(Damage { range: chunk.range.clone(), kind });
        }
        let is_compressed = walk.is_compressed() == Some(true);
        let interfaces = self.verified.head.map_or(INTERFACES_MAX, |head| head.interfaces);
        let kind = match self.decoder.decode(chunk, walk.payload(), is_compressed) {
            Err(_) => DamageKind::Payload,
            Ok(raw) => {
                self.contents.add(&chunk.header_block);
                self.contents.add(raw);
                let is_right = match chunk.header.kind {
                    ChunkKind::Packets => Contents::of(raw, interfaces)
                        .is_some_and(|contents| contents.tally == chunk.header.tally),

                    ChunkKind::End => BlockReader::new(raw).all(|block| block.is_ok()),
                };
                if is_right {
                    return self.count(chunk);
                }
                DamageKind::Contents
            }
        };
        self.verified.damage(Damage { range: chunk.range.clone(), kind });
    }

    fn count(&mut self, chunk: &FoundChunk) {
        match chunk.header.kind {
            ChunkKind::Packets => {
                self.verified.chunks += 1;
                self.verified.tally.add(&chunk.header.tally);
            }
            // With damage before it, the end may well know of more packets than are left.
            ChunkKind::End
                if self.verified.is_clean() && chunk.header.tally != self.verified.tally =>
            {
                let range = chunk.range.clone();
                self.verified.damage(Damage { range, kind: DamageKind::Contents });
            }
            ChunkKind::End => self.end_chunk = Some(chunk.range.end),
        }
    }

    fn end(&mut self, checksum: u32, length: u64) {
        // With damage before it, the checksum cannot be right, and says nothing new.
        if self.verified.is_clean() && checksum != self.contents.value() as u32 {
            let range = length - super::walk::END_BYTES as u64..length;
            self.verified.damage(Damage { range, kind: DamageKind::Checksum });
        } else {
            self.verified.is_sealed = true;
        }
    }
}

//! Recovery: what was left by a crash or by bad storage becomes a sealed segment again.
//!
//! Two ways. Where nothing whole lies behind the damage (a torn tail, by far the most common), the
//! file is cut at the last whole chunk, given its end, and renamed. Otherwise the file is set aside
//! as `.damaged`, untouched, and what is whole in it is written anew.
//!
//! Both ways may be interrupted anywhere and begun again, and come to the same bytes: what they
//! write depends only on what is kept, and each step that destroys what an earlier one needs comes
//! after that step's result is durable.

use std::io;

use weir_model::{LinkType, ReadableStorage, SNAPLEN_BYTES_MAX};

use super::decode::ChunkDecoder;
use super::read_exact_at;
use super::survey::Survey;
use super::walk::FoundChunk;
use crate::chunk::{CHUNK_HEADER_BYTES, CHUNK_HEADER_STORED_BYTES, ChunkKind};
use crate::encoder::{BlockEncoder, Compression, END_LEVEL, EncodeError, EncodedBlock};
use crate::error::{AppendError, SyncError};
use crate::head::{SegmentHead, append_head_copy};
use crate::naming::{FileState, SegmentName};
use crate::pcapng::{InterfaceDescription, InterfaceStatistics, SectionHeader};
use crate::segment_file::{SegmentFile, retry_interrupted};
use crate::tally::BlockTally;
use crate::writer::SegmentHeader;

const STATISTICS_COMMENT: &str = "Rebuilt by recovery: what was lost on the way is not known.";
const HEAD_COMMENT: &str = "Rebuilt by recovery: the head was lost.";

/// Where a recovered segment's head came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeadSource {
    /// It was whole.
    Kept,
    /// It was lost, and the end chunk had its copy.
    Copied,
    /// It was lost. The interfaces are as many as the packets name, and have no names.
    Rebuilt,
}

/// What recovery made of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// The segment was whole and sealed already.
    Whole,
    /// The segment is sealed now.
    Sealed(RecoveredSegment),
    /// There was nothing to keep. The file is removed if it was empty, and else set aside under
    /// this name.
    Nothing {
        /// The file's name now.
        set_aside: Option<String>,
    },
}

/// A segment that recovery sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredSegment {
    /// Where its head came from.
    pub head: HeadSource,
    /// Chunks of packets that it keeps.
    pub chunks: u64,
    /// What they hold.
    pub tally: BlockTally,
    /// Bytes of the file now.
    pub stored_bytes: u64,
    /// Bytes that the file had before.
    pub found_bytes: u64,
    /// How many stretches of the file were not kept.
    pub damages: u64,
    /// The name of the file that was read from, where the segment was written anew.
    pub set_aside: Option<String>,
}

/// What recovery made of one of many segments.
#[derive(Debug)]
pub struct RecoveredFile {
    /// The segment.
    pub name: SegmentName,
    /// What became of it.
    pub outcome: Result<Recovered, RecoverError>,
}

/// A file could not be recovered. It can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// There is no file of the segment.
    #[error("there is no {name}")]
    NotFound {
        /// The segment's name.
        name: String,
    },
    /// There are an open and a sealed file of the segment, and they are not the same.
    #[error("there are two files of {name}")]
    TwoFiles {
        /// The segment's name.
        name: String,
    },
    /// The directory could not be read.
    #[error("could not list the directory")]
    List(#[source] io::Error),
    /// The file could not be read.
    #[error("could not read {name}")]
    Read {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The file could not be opened for writing, or not be cut.
    #[error("could not open {name} for writing")]
    Open {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The file could not be written.
    #[error("could not write {name}")]
    Write {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        cause: AppendError,
    },
    /// The file could not be made durable.
    #[error("could not sync {name}")]
    Sync {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        cause: SyncError,
    },
    /// The file could not be renamed or removed.
    #[error("could not rename or remove {name}")]
    Rename {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The directory could not be made durable.
    #[error("could not sync the directory")]
    Directory(#[source] io::Error),
    /// zstd could not work.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Recovers every segment in the directory that is not sealed, in the order of their names.
///
/// # Errors
///
/// [`RecoverError::List`]. A segment that cannot be recovered does not keep the others from it.
pub fn recover_all<S: ReadableStorage>(
    storage: &mut S,
) -> Result<Vec<RecoveredFile>, RecoverError> {
    let mut files: Vec<String> =
        retry_interrupted(|| storage.list()).map_err(RecoverError::List)?;
    files.sort();
    let mut names: Vec<SegmentName> = Vec::new();
    for (name, state) in files.iter().filter_map(|file| SegmentName::parse(file)) {
        let is_done = match state {
            FileState::Sealed | FileState::Rewrite => true,
            FileState::Part => false,
            // Set aside: done if what was in it was written anew to its end.
            FileState::Damaged => files.binary_search(&name.to_string()).is_ok(),
        };
        if !is_done && names.last() != Some(&name) {
            names.push(name);
        }
    }
    let mut recovered = Vec::with_capacity(names.len());
    for name in names {
        let outcome = recover(storage, &name);
        recovered.push(RecoveredFile { name, outcome });
    }
    Ok(recovered)
}

/// Makes a sealed segment of what there is of `name`.
///
/// Cuts a torn tail, keeps every whole chunk before and after damage, rebuilds what is missing of
/// head, statistics and end, and gives the file its final name. May be called again after a crash
/// or an error, and on a segment that is whole.
///
/// # Errors
///
/// [`RecoverError`].
pub fn recover<S: ReadableStorage>(
    storage: &mut S,
    name: &SegmentName,
) -> Result<Recovered, RecoverError> {
    let sealed = survey_if_there(storage, name, FileState::Sealed)?;
    let part = survey_if_there(storage, name, FileState::Part)?;
    let mut recovery = Recovery { storage, name };
    match (sealed, part) {
        (Some(sealed), None) if sealed.is_sealed() => Ok(Recovered::Whole),
        (Some(sealed), None) => recovery.run(FileState::Sealed, &sealed),
        (None, Some(part)) => recovery.run(FileState::Part, &part),
        // A rename that was a link and an unlink, with a crash between them.
        (Some(sealed), Some(part)) if is_same(&sealed, &part) => {
            recovery.remove(FileState::Part)?;
            recovery.sync_directory()?;
            Ok(Recovered::Whole)
        }
        (Some(_), Some(_)) => Err(RecoverError::TwoFiles { name: name.to_string() }),
        (None, None) => match survey_if_there(recovery.storage, name, FileState::Damaged)? {
            Some(damaged) if !damaged.is_empty() => recovery.rewrite(&damaged),
            Some(_) => {
                Ok(Recovered::Nothing { set_aside: Some(name.file_name(FileState::Damaged)) })
            }
            None => Err(RecoverError::NotFound { name: name.to_string() }),
        },
    }
}

fn survey_if_there<S: ReadableStorage>(
    storage: &S,
    name: &SegmentName,
    state: FileState,
) -> Result<Option<Survey>, RecoverError> {
    let name = name.file_name(state);
    match Survey::of(storage, &name) {
        Ok(survey) => Ok(Some(survey)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(RecoverError::Read { name, cause }),
    }
}

fn is_same(sealed: &Survey, part: &Survey) -> bool {
    sealed.is_sealed()
        && part.is_sealed()
        && sealed.segment_id() == part.segment_id()
        && sealed.length == part.length
}

struct Recovery<'a, S: ReadableStorage> {
    storage: &'a mut S,
    name: &'a SegmentName,
}

impl<S: ReadableStorage> Recovery<'_, S> {
    fn run(&mut self, state: FileState, survey: &Survey) -> Result<Recovered, RecoverError> {
        if survey.is_empty() {
            return self.discard(state, survey);
        }
        if survey.head.is_some() && !survey.is_whole_behind_damage {
            return self.mend(state, survey);
        }
        self.rename(state, FileState::Damaged)?;
        self.sync_directory()?;
        self.rewrite(survey)
    }

    fn discard(&mut self, state: FileState, survey: &Survey) -> Result<Recovered, RecoverError> {
        let set_aside = if survey.length == 0 {
            self.remove(state)?;
            None
        } else {
            self.rename(state, FileState::Damaged)?;
            Some(self.name.file_name(FileState::Damaged))
        };
        self.sync_directory()?;
        Ok(Recovered::Nothing { set_aside })
    }

    /// Cuts the file behind its last whole part and finishes it where it is.
    fn mend(&mut self, state: FileState, survey: &Survey) -> Result<Recovered, RecoverError> {
        let file_name = self.name.file_name(state);
        let opened = |cause| RecoverError::Open { name: file_name.clone(), cause };
        let mut file = self.storage.reopen(&file_name).map_err(opened)?;
        let progress = survey.intact.progress.clone();
        if progress.stored_bytes < survey.length {
            let edge = progress.stored_bytes;
            retry_interrupted(|| weir_model::StorageFile::truncate(&mut file, edge))
                .map_err(opened)?;
        }
        let segment_id = survey.segment_id().unwrap_or_default();
        let mut file = SegmentFile::resume(file, survey.is_compressed, segment_id, progress);
        let head = survey.head.as_ref().map(|found| found.raw.as_slice()).unwrap_or_default();
        if !survey.intact.has_end_chunk {
            self.append_end_chunk(&mut file, &file_name, survey, head)?;
        }
        if !survey.has_end {
            let written = |cause| RecoverError::Write { name: file_name.clone(), cause };
            file.append_end().map_err(written)?;
        }
        self.finish(&mut file, state)?;
        Ok(self.sealed(&file, survey, HeadSource::Kept, None))
    }

    /// Writes what is whole in the file that is set aside to a new one.
    fn rewrite(&mut self, survey: &Survey) -> Result<Recovered, RecoverError> {
        let file_name = self.name.file_name(FileState::Rewrite);
        let set_aside = self.name.file_name(FileState::Damaged);
        let written = |cause| RecoverError::Write { name: file_name.clone(), cause };
        match self.storage.remove(&file_name) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(RecoverError::Rename { name: file_name, cause });
            }
            _ => {}
        }
        let file = self
            .storage
            .create(&file_name)
            .map_err(|cause| RecoverError::Open { name: file_name.clone(), cause })?;
        let (source, head) = self.head(survey);
        let segment_id = survey.segment_id().unwrap_or_default();
        let mut file = SegmentFile::new(file, survey.is_compressed, segment_id);
        file.append_head(&head).map_err(written)?;
        self.copy_chunks(&mut file, &file_name, survey)?;
        self.append_end_chunk(&mut file, &file_name, survey, &head)?;
        file.append_end().map_err(written)?;
        self.finish(&mut file, FileState::Rewrite)?;
        Ok(self.sealed(&file, survey, source, Some(set_aside)))
    }

    fn copy_chunks(
        &self,
        file: &mut SegmentFile<S::File>,
        file_name: &str,
        survey: &Survey,
    ) -> Result<(), RecoverError> {
        let from = self.name.file_name(FileState::Damaged);
        let read = |cause| RecoverError::Read { name: from.clone(), cause };
        let mut reader = self.storage.open(&from).map_err(read)?;
        let mut decoder = ChunkDecoder::new().map_err(read)?;
        let mut copier = Copier::new(survey.is_compressed);
        for chunk in &survey.chunks {
            copier
                .copy(chunk, &mut reader, &mut decoder, file)
                .map_err(read)?
                .map_err(|cause| RecoverError::Write { name: file_name.to_owned(), cause })?;
        }
        Ok(())
    }

    fn head(&self, survey: &Survey) -> (HeadSource, Vec<u8>) {
        if let Some(found) = &survey.head {
            return (HeadSource::Kept, found.raw.clone());
        }
        if let Some(found) = &survey.head_copy {
            return (HeadSource::Copied, found.raw.clone());
        }
        let interface = InterfaceDescription::new(LinkType::ETHERNET, SNAPLEN_BYTES_MAX);
        let interfaces = vec![interface; survey.interface_packets.len()];
        let section = SectionHeader { comment: Some(HEAD_COMMENT), ..SectionHeader::default() };
        let head = SegmentHead {
            segment_id: survey.segment_id().unwrap_or_default(),
            sequence: self.name.sequence,
            opened_at: self.name.opened_at.timestamp(),
            interfaces: interfaces.len() as u32,
        };
        (HeadSource::Rebuilt, head.encode(&SegmentHeader { section, interfaces: &interfaces }))
    }

    fn append_end_chunk(
        &self,
        file: &mut SegmentFile<S::File>,
        file_name: &str,
        survey: &Survey,
        head: &[u8],
    ) -> Result<(), RecoverError> {
        let compression = match survey.is_compressed {
            true => Compression::Zstd { level: END_LEVEL },
            false => Compression::None,
        };
        let mut raw = match &survey.statistics {
            Some(statistics) => statistics.clone(),
            None => self.rebuilt_statistics(survey),
        };
        append_head_copy(&mut raw, head);
        let mut encoder = BlockEncoder::new(compression)?;
        let mut encoded = encoder.encode(&raw)?;
        file.append_chunk(&mut encoded, ChunkKind::End, &survey.tally)
            .map_err(|cause| RecoverError::Write { name: file_name.to_owned(), cause })?;
        Ok(())
    }

    /// Says of each interface what the file itself says: how many of its packets are there.
    fn rebuilt_statistics(&self, survey: &Survey) -> Vec<u8> {
        let opened_at = match &survey.head {
            Some(found) => found.head.opened_at,
            None => self.name.opened_at.timestamp(),
        };
        let last = if survey.tally.packets == 0 { opened_at } else { survey.tally.last };
        let interfaces = survey.head.as_ref().map_or(0, |found| found.head.interfaces as usize);
        let mut raw = Vec::new();
        for interface in 0..interfaces.max(survey.interface_packets.len()) {
            InterfaceStatistics {
                interface_id: interface as u32,
                timestamp: last,
                starttime: Some(opened_at),
                endtime: Some(last),
                usrdeliv: Some(survey.interface_packets.get(interface).copied().unwrap_or(0)),
                comment: Some(STATISTICS_COMMENT),
                ..InterfaceStatistics::default()
            }
            .append_to(&mut raw);
        }
        raw
    }

    fn finish(
        &mut self,
        file: &mut SegmentFile<S::File>,
        state: FileState,
    ) -> Result<(), RecoverError> {
        file.sync()
            .map_err(|cause| RecoverError::Sync { name: self.name.file_name(state), cause })?;
        if state != FileState::Sealed {
            self.rename(state, FileState::Sealed)?;
        }
        self.sync_directory()
    }

    fn sealed(
        &self,
        file: &SegmentFile<S::File>,
        survey: &Survey,
        head: HeadSource,
        set_aside: Option<String>,
    ) -> Recovered {
        Recovered::Sealed(RecoveredSegment {
            head,
            chunks: survey.chunks.len() as u64,
            tally: survey.tally,
            stored_bytes: file.stored_bytes(),
            found_bytes: survey.length,
            damages: survey.damages,
            set_aside,
        })
    }

    fn rename(&mut self, from: FileState, to: FileState) -> Result<(), RecoverError> {
        let (from, to) = (self.name.file_name(from), self.name.file_name(to));
        retry_interrupted(|| self.storage.rename(&from, &to))
            .map_err(|cause| RecoverError::Rename { name: from.clone(), cause })
    }

    fn remove(&mut self, state: FileState) -> Result<(), RecoverError> {
        let name = self.name.file_name(state);
        retry_interrupted(|| self.storage.remove(&name))
            .map_err(|cause| RecoverError::Rename { name: name.clone(), cause })
    }

    fn sync_directory(&mut self) -> Result<(), RecoverError> {
        retry_interrupted(|| self.storage.sync_directory()).map_err(RecoverError::Directory)
    }
}

/// Copies chunks from one file to another as they are, but for the place that their headers say.
struct Copier {
    is_compressed: bool,
    header_bytes: usize,
    payload: Vec<u8>,
    stored: Vec<u8>,
}

impl Copier {
    fn new(is_compressed: bool) -> Self {
        let header_bytes =
            if is_compressed { CHUNK_HEADER_STORED_BYTES } else { CHUNK_HEADER_BYTES };
        Self { is_compressed, header_bytes, payload: Vec::new(), stored: Vec::new() }
    }

    fn copy<F: weir_model::StorageFile>(
        &mut self,
        chunk: &FoundChunk,
        reader: &mut impl weir_model::StorageReader,
        decoder: &mut ChunkDecoder,
        file: &mut SegmentFile<F>,
    ) -> io::Result<Result<usize, AppendError>> {
        let bytes = chunk.header.stored_bytes as usize;
        // It was whole when it was surveyed; if it is not now, the storage is failing.
        let changed = || io::Error::from(io::ErrorKind::InvalidData);
        if !read_exact_at(reader, chunk.payload_at, bytes, &mut self.payload)? {
            return Err(changed());
        }
        let raw =
            decoder.decode(chunk, &self.payload, self.is_compressed).map_err(|_| changed())?;
        self.stored.clear();
        self.stored.resize(self.header_bytes, 0);
        if self.is_compressed {
            self.stored.extend_from_slice(&self.payload);
        }
        let mut encoded = EncodedBlock {
            is_compressed: self.is_compressed,
            stored: &mut self.stored,
            raw,
            payload_hash: chunk.header.payload_hash,
        };
        Ok(file.append_chunk(&mut encoded, ChunkKind::Packets, &chunk.header.tally))
    }
}

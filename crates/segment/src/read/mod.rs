//! Segments read back: walked chunk by chunk, verified, and mended.
//!
//! Everything here treats the file as hostile. Sizes are bounded before anything is allocated for
//! them, work is bounded by the file's length, and nothing panics.

mod contents;
mod decode;
mod recover;
mod survey;
mod verify;
mod walk;
mod window;

pub use decode::{ChunkDecoder, DecodeError};
pub use recover::{
    HeadSource, RecoverError, Recovered, RecoveredFile, RecoveredSegment, recover, recover_all,
};
pub use verify::{Verified, verify};
pub use walk::{Damage, DamageKind, FoundChunk, FoundHead, Part, Walk};

pub(crate) use window::read_exact_at;

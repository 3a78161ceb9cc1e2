//! Reads at an offset, whole or up to the file's end.

use std::io;

use weir_model::StorageReader;

use crate::segment_file::retry_interrupted;

/// Reads the bytes from `offset` on until `out` is full or the file ends, and returns how many.
pub(crate) fn read_up_to(
    reader: &mut impl StorageReader,
    offset: u64,
    out: &mut [u8],
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        let rest = &mut out[filled..];
        match retry_interrupted(|| reader.read_at(offset + filled as u64, rest))? {
            0 => break,
            some => filled += some.min(rest.len()),
        }
    }
    Ok(filled)
}

/// Replaces the contents of `out` by the `bytes` bytes from `offset` on, and returns whether the
/// file has them all.
pub(crate) fn read_exact_at(
    reader: &mut impl StorageReader,
    offset: u64,
    bytes: usize,
    out: &mut Vec<u8>,
) -> io::Result<bool> {
    out.resize(bytes, 0);
    let filled = read_up_to(reader, offset, out)?;
    out.truncate(filled);
    Ok(filled == bytes)
}

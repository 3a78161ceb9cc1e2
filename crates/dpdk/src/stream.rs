//! Copying to memory that another CPU will read next.
//!
//! What is written by ordinary stores lies in the writer's cache, from where the reader has to fetch
//! it, and when the writer comes round to the same memory it has to fetch it back, line by line. On
//! CPUs that do not share a cache both cost more than the way through memory does.

#![allow(unsafe_code, reason = "calls C, for stores that Rust has only as intrinsics")]

use weir_dpdk_sys as sys;

/// Bytes of a cache line.
const LINE_BYTES: usize = sys::SHIM_LINE_BYTES as usize;

/// Copies `from` to `to` by stores that go past the caches, where both lie at the edge of a cache
/// line; what does not fill a line is copied as usual. Others see the bytes by the time they see
/// anything that is done after this.
///
/// # Panics
///
/// If the two have not the same length.
pub fn stream(to: &mut [u8], from: &[u8]) {
    assert!(to.len() == from.len(), "as many bytes are written as are read");
    let is_at_edge = |bytes: &[u8]| bytes.as_ptr().addr().is_multiple_of(LINE_BYTES);
    if !is_at_edge(to) || !is_at_edge(from) {
        to.copy_from_slice(from);
        return;
    }
    let lines_bytes = to.len() / LINE_BYTES * LINE_BYTES;
    let (lines, rest) = to.split_at_mut(lines_bytes);
    // SAFETY: both are valid for `lines_bytes` bytes, which is a multiple of a line; both begin at
    // the edge of one, as was seen above; and a `&mut` overlaps with nothing.
    unsafe { sys::shim_stream(lines.as_mut_ptr(), from.as_ptr(), lines_bytes) };
    rest.copy_from_slice(&from[lines_bytes..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(64))]
    struct Aligned([u8; 512]);

    #[test]
    fn every_byte_arrives_and_none_beside() {
        let from = Aligned(std::array::from_fn(|index| index as u8 | 1));
        for start in [0, 1, 16, 63, 64] {
            for bytes in [0, 1, 63, 64, 65, 128, 200, 256] {
                for to_start in [0, 8, 64] {
                    let mut to = Aligned([0; 512]);
                    stream(&mut to.0[to_start..][..bytes], &from.0[start..][..bytes]);
                    let end = to_start + bytes;
                    assert_eq!(to.0[to_start..end], from.0[start..start + bytes]);
                    assert!(to.0[..to_start].iter().chain(&to.0[end..]).all(|&byte| byte == 0));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "as many bytes")]
    fn lengths_that_differ_are_refused() {
        stream(&mut [0; 64], &[0; 128]);
    }
}

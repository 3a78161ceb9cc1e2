use proptest::collection::vec;
use proptest::prelude::*;
use zstd::zstd_safe::CParameter;

use super::*;

/// Compresses as the encoder does: into a lone frame, without its size and without a checksum.
fn lone_frame(raw: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(level).unwrap();
    compressor.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    compressor.compress(raw).unwrap()
}

/// Puts pieces into one frame, with a reset block before each or without.
fn join(pieces: &[Vec<u8>], level: i32, reset: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut frame, mut raw) = (LONE_FRAME_HEADER.to_vec(), Vec::new());
    for piece in pieces {
        if reset {
            append_raw_blocks(&mut frame, &[0; 8]);
            frame.extend_from_slice(&reset_block(*b"last"));
            raw.extend_from_slice(&[0; 20]);
            raw.extend_from_slice(b"last");
        }
        let mut lone = lone_frame(piece, level);
        let blocks = unwrap_lone_frame(&mut lone).unwrap();
        assert!(are_inner_blocks(&lone[blocks.clone()]));
        frame.extend_from_slice(&lone[blocks]);
        raw.extend_from_slice(piece);
    }
    frame.extend_from_slice(&LAST_BLOCK);
    (frame, raw)
}

fn decompress(frame: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(frame, raw_bytes + 1).ok()
}

/// Records of equal length with a field that counts: they make zstd use repeated offsets at once.
fn records(seed: u8, bytes: usize, record_bytes: usize) -> Vec<u8> {
    let record: Vec<u8> = (0..record_bytes).map(|at| (at * 37 + usize::from(seed)) as u8).collect();
    (0..bytes)
        .map(|at| {
            record[at % record_bytes]
                ^ (u8::from(at % record_bytes == 5) * (at / record_bytes) as u8)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pieces_compressed_apart_decompress_together(
        pieces in vec((any::<u8>(), 0_usize..40_000, 4_usize..200), 1..6),
        noise in vec(any::<u8>(), 0..3000),
        level in prop::sample::select(vec![-7, -5, -1, 1, 3, 9, 16, 19]),
    ) {
        let mut pieces: Vec<_> =
            pieces.into_iter().map(|(seed, bytes, record)| records(seed, bytes, record)).collect();
        pieces.push(noise);
        let (frame, raw) = join(&pieces, level, true);
        prop_assert!(decompress(&frame, raw.len()).unwrap() == raw);
    }

    /// Hostile bytes are refused or accepted, never read past.
    #[test]
    fn any_bytes_may_be_unwrapped(bytes in vec(any::<u8>(), 0..100)) {
        let mut frame = [&LONE_FRAME_HEADER[..], &bytes].concat();
        are_inner_blocks(&bytes);
        unwrap_lone_frame(&mut frame);
        unwrap_lone_frame(&mut bytes.clone());
    }
}

/// That the reset block is needed at all: real pieces do decompress wrongly without it.
#[test]
fn without_the_reset_block_pieces_do_not_decompress() {
    let mut wrong = 0;
    for record_bytes in 4..60 {
        let pieces = [records(1, 5000, record_bytes), records(2, 5000, 64 - record_bytes)];
        for level in [1, 3, 9, 19] {
            let (frame, raw) = join(&pieces, level, false);
            wrong += u32::from(decompress(&frame, raw.len()) != Some(raw));
        }
    }
    assert!(wrong != 0);
}

/// The three repeated offsets are 1, 4 and 8 after the reset block. A block that uses each of them
/// in turn, made by hand, shows it.
#[test]
fn the_reset_block_sets_every_repeated_offset() {
    // Before the reset, a piece that leaves other offsets.
    let mut frame = LONE_FRAME_HEADER.to_vec();
    let other = records(3, 5000, 23);
    let mut lone = lone_frame(&other, 3);
    let blocks = unwrap_lone_frame(&mut lone).unwrap();
    frame.extend_from_slice(&lone[blocks]);
    append_raw_blocks(&mut frame, &[0; 8]);
    frame.extend_from_slice(&reset_block(*b"last"));
    // Eight literals and one sequence each: literal length 8, match length 3, offset codes by RLE.
    // With literals, offset values 1, 2, 3 mean the repeated offsets themselves.
    for (value, expected) in [(1, *b"hhh"), (2, *b"efg"), (3, *b"abc")] {
        let (code, extra_bits, extra) = if value == 1 { (0, 0, 0) } else { (1, 1, value - 2) };
        let bits = (1_u8 << extra_bits) | extra;
        let mut block = vec![8 << 3];
        block.extend_from_slice(b"abcdefgh");
        block.extend_from_slice(&[1, 0b0101_0100, 8, code, 0, bits]);
        let mut alone = frame.clone();
        alone.extend_from_slice(&block_header(BLOCK_COMPRESSED, block.len()));
        alone.extend_from_slice(&block);
        alone.extend_from_slice(&LAST_BLOCK);
        let raw = decompress(&alone, 10_000).unwrap();
        assert_eq!(
            &raw[other.len() + 24..],
            &[&b"abcdefgh"[..], &expected].concat()[..],
            "{value}"
        );
    }
}

#[test]
fn frames_of_another_kind_are_not_unwrapped() {
    let mut sized = zstd::bulk::compress(b"some text", 3).unwrap();
    assert_eq!(unwrap_lone_frame(&mut sized), None);
    let mut cut = lone_frame(b"some text", 3);
    cut.pop();
    assert_eq!(unwrap_lone_frame(&mut cut), None);
    let mut longer = lone_frame(b"some text", 3);
    longer.push(0);
    assert_eq!(unwrap_lone_frame(&mut longer), None);
}

#[test]
fn raw_blocks_hold_what_is_larger_than_one() {
    let content = records(9, 300_000, 91);
    let mut frame = LONE_FRAME_HEADER.to_vec();
    append_raw_blocks(&mut frame, &content);
    frame.extend_from_slice(&LAST_BLOCK);
    assert_eq!(frame.len(), 300_000 + LONE_FRAME_HEADER.len() + 3 * 3 + LAST_BLOCK.len());
    assert!(decompress(&frame, content.len()).unwrap() == content);
}

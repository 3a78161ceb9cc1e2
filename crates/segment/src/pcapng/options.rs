//! Options of a block: written bounded, read back without trust.

use super::padding_bytes;

/// The most bytes that one option's value holds: what its 16-bit length can say.
pub const OPTION_BYTES_MAX: usize = u16::MAX as usize;

pub(super) const OPTION_END: u16 = 0;
pub(super) const OPTION_COMMENT: u16 = 1;

/// One option as it stands in a block: its code, and its value without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// What it is, by the block it stands in.
    pub code: u16,
    /// The value.
    pub value: &'a [u8],
}

/// Appends a whole block to `out`: type and length, what `body` appends, and the length again.
pub(crate) fn append_block(out: &mut Vec<u8>, block_type: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&block_type.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let total = (out.len() + 4 - start) as u32;
    out[start + 4..start + 8].copy_from_slice(&total.to_le_bytes());
    out.extend_from_slice(&total.to_le_bytes());
}

/// Appends options to `out`, and their end if there was one.
pub(super) struct OptionWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> OptionWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Appends a text, if there is one, cut at a character boundary to what an option holds.
    pub(super) fn text(&mut self, code: u16, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            let end = text.floor_char_boundary(OPTION_BYTES_MAX);
            self.bytes(code, &text.as_bytes()[..end]);
        }
        self
    }

    /// Appends a 64-bit number, if there is one.
    pub(super) fn number(&mut self, code: u16, number: Option<u64>) -> &mut Self {
        if let Some(number) = number {
            self.bytes(code, &number.to_le_bytes());
        }
        self
    }

    /// Appends a value of at most [`OPTION_BYTES_MAX`] bytes.
    pub(super) fn bytes(&mut self, code: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len()).expect("callers bound values");
        self.out.extend_from_slice(&code.to_le_bytes());
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(&[0; 3][..padding_bytes(value.len())]);
        self
    }

    /// Ends the options.
    pub(super) fn end(&mut self) {
        if self.out.len() != self.start {
            self.bytes(OPTION_END, &[]);
        }
    }
}

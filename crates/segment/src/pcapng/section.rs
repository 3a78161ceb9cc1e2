//! Section Header Blocks: the first block of every segment.

use super::options::{OPTION_COMMENT, OptionWriter, append_block};
use super::{BLOCK_TYPE_SHB, BYTE_ORDER_MAGIC};

const OPTION_SHB_HARDWARE: u16 = 2;
const OPTION_SHB_OS: u16 = 3;
const OPTION_SHB_USERAPPL: u16 = 4;

const VERSION_MAJOR: u16 = 1;
const VERSION_MINOR: u16 = 0;
/// "Not said": the section ends with the file, and a file that is being written has no length.
const SECTION_LENGTH_UNKNOWN: u64 = u64::MAX;

/// What a section says about the machine and the program that wrote it.
///
/// A text longer than an option holds (65,535 bytes) is cut at a character boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionHeader<'a> {
    /// `shb_hardware`: the machine.
    pub hardware: Option<&'a str>,
    /// `shb_os`: the operating system.
    pub os: Option<&'a str>,
    /// `shb_userappl`: the program and its version.
    pub userappl: Option<&'a str>,
    /// `opt_comment`.
    pub comment: Option<&'a str>,
}

impl SectionHeader<'_> {
    /// Appends the block to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_block(out, BLOCK_TYPE_SHB, |out| {
            out.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
            out.extend_from_slice(&VERSION_MAJOR.to_le_bytes());
            out.extend_from_slice(&VERSION_MINOR.to_le_bytes());
            out.extend_from_slice(&SECTION_LENGTH_UNKNOWN.to_le_bytes());
            OptionWriter::new(out)
                .text(OPTION_SHB_HARDWARE, self.hardware)
                .text(OPTION_SHB_OS, self.os)
                .text(OPTION_SHB_USERAPPL, self.userappl)
                .text(OPTION_COMMENT, self.comment)
                .end();
        });
    }
}

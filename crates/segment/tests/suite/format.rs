//! The example in `docs/format.md` is what the code writes, and means what the page says.
//!
//! The sizes here are written out again, from the page and not from the code. Run with
//! `WEIR_UPDATE_DOCS=1` to write the example anew after a change that is meant.

use std::fmt::Write as _;
use std::path::Path;

use weir_model::{LinkType, Timestamp};
use weir_segment::pcapng::{
    EpbFields, InterfaceDescription, InterfaceStatistics, SectionHeader, epb_bytes, write_epb,
};
use weir_segment::{
    BlockTally, NamePrefix, SegmentHeader, SegmentNamer, SegmentOptions, SegmentWriter, verify,
};

use crate::disk::MemoryDisk;
use crate::support::{LEVEL_1, NOON};

const BEGIN: &str = "<!-- example: begin -->\n```\n";
const END: &str = "```\n<!-- example: end -->";

fn example() -> Vec<u8> {
    let mut disk = MemoryDisk::default();
    let mut namer = SegmentNamer::scan(&disk, NamePrefix::new("weir").unwrap()).unwrap();
    let section = SectionHeader { userappl: Some("weir 0.1.0"), ..SectionHeader::default() };
    let tap = InterfaceDescription {
        name: Some("tap0"),
        ..InterfaceDescription::new(LinkType::ETHERNET, 262_144)
    };
    let header = SegmentHeader { section, interfaces: &[tap] };
    let options = SegmentOptions { compression: LEVEL_1 };
    let mut writer = SegmentWriter::create(&mut disk, &mut namer, NOON, &options, &header).unwrap();

    let fields = EpbFields {
        interface_id: 0,
        timestamp: Timestamp::from_ns(NOON.as_ns() + 1_000),
        captured_bytes: 20,
        wire_bytes: 64,
        dropcount: 2,
        queue: Some(1),
        hash: Some(0x51CC_C178),
    };
    let packet = *b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xB5packet";
    let mut block = vec![0; epb_bytes(&fields)];
    write_epb(&mut block, &fields, |area| area.copy_from_slice(&packet));
    let mut tally = BlockTally::default();
    tally.count(20, 64, fields.timestamp);
    writer.append_block(&block, &tally).unwrap();

    let statistics = InterfaceStatistics {
        timestamp: Timestamp::from_ns(NOON.as_ns() + 2_000),
        ifrecv: Some(3),
        osdrop: Some(2),
        usrdeliv: Some(1),
        ..InterfaceStatistics::default()
    };
    let sealed = writer.seal(&mut disk, &[statistics]).unwrap();
    assert_eq!(sealed.name.to_string(), "weir-0000000000-20240501T123456Z.pcapng.zst");
    disk.bytes(&sealed.name.to_string()).unwrap()
}

/// Prints a file piece by piece, each with what it is.
struct Printer<'a> {
    bytes: &'a [u8],
    at: usize,
    out: String,
}

impl Printer<'_> {
    /// Prints the next `bytes` bytes, and returns them as a number, if they are one.
    fn field(&mut self, bytes: usize, what: &str) -> u64 {
        let value = &self.bytes[self.at..self.at + bytes];
        for (line, piece) in value.chunks(16).enumerate() {
            let hex: Vec<String> = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            let what = if line == 0 { what } else { "" };
            let text = format!("{:04x}  {:<47}  {what}", self.at + line * 16, hex.join(" "));
            writeln!(self.out, "{}", text.trim_end()).unwrap();
        }
        self.at += bytes;
        value.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn expect(&mut self, bytes: usize, expected: u64, what: &str) {
        assert_eq!(self.field(bytes, what), expected, "{what}");
    }

    fn title(&mut self, title: &str) {
        writeln!(self.out, "{}{title}", if self.out.is_empty() { "" } else { "\n" }).unwrap();
    }

    /// Prints a pcapng block as a whole.
    fn block(&mut self, block_type: u64, what: &str) {
        let length = &self.bytes[self.at + 4..self.at + 8];
        let length = u32::from_le_bytes(length.try_into().unwrap());
        let read = self.field(length as usize, what);
        assert_eq!(read & 0xFFFF_FFFF, block_type, "{what}");
    }

    fn head(&mut self) {
        self.title("zstd frame header");
        self.expect(4, 0xFD2F_B528, "magic");
        self.expect(1, 0x04, "descriptor");
        self.expect(1, 0x68, "window: 8 MiB");
        self.title("head");
        let bytes = self.field(3, "raw zstd block") >> 3;
        let start = self.at;
        self.block(0x0A0D_0D0A, "Section Header Block");
        self.block(1, "Interface Description Block");
        let before = self.at - start;
        self.expect(4, 0x8048_5357, "block type");
        self.expect(4, 60, "block length");
        self.expect(2, 1, "format version");
        self.expect(6, 0, "0");
        self.field(8, "segment id");
        self.expect(8, 0, "sequence number");
        self.expect(8, NOON.as_ns(), "opened");
        self.expect(4, before as u64, "bytes of the head before this block");
        self.expect(4, 1, "interfaces");
        let hash = hash(&self.bytes[start..self.at]);
        self.expect(8, hash, "hash");
        self.expect(4, 60, "block length");
        assert_eq!(self.at - start, bytes as usize);
    }

    fn chunk(&mut self, title: &str, kind: u64, index: u64) {
        self.title(title);
        let offset = self.at;
        self.expect(3, 0x00_0380, "raw zstd block of 112 bytes");
        let start = self.at;
        self.expect(4, 0x8048_4357, "block type");
        self.expect(4, 128, "block length");
        self.expect(2, 1, "format version");
        self.expect(2, kind, "kind");
        self.expect(4, 0, "0");
        self.field(8, "segment id");
        self.expect(8, index, "index");
        self.expect(8, offset as u64, "offset");
        let stored_bytes = self.field(4, "stored bytes") as usize;
        self.field(4, "raw bytes");
        self.expect(8, 1, "packets");
        self.expect(8, 20, "captured bytes");
        self.expect(8, 64, "bytes on the wire");
        self.expect(8, NOON.as_ns() + 1_000, "earliest timestamp");
        self.expect(8, NOON.as_ns() + 1_000, "latest timestamp");
        let payload = start + 112 + 18;
        let payload_hash = hash(&self.bytes[payload..payload + stored_bytes]);
        self.expect(8, payload_hash, "hash of the payload");
        let header_hash = hash(&self.bytes[start..self.at]);
        self.expect(8, header_hash, "hash of the header");
        self.expect(8, 0, "0");
        self.expect(3, 0x7C, "compressed zstd block of 15 bytes: the reset block");
        self.expect(4, 0x38, "seven literals; three zeros");
        self.expect(4, 128, "block length");
        self.expect(7, 0x4A_DDB8_0000_4403, "three sequences");
        assert_eq!(self.at, payload);
        self.field(stored_bytes, "payload");
    }

    fn end(&mut self) {
        self.title("end");
        self.expect(3, 0x01, "last zstd block, empty");
        let raw = zstd::stream::decode_all(self.bytes).unwrap();
        self.expect(4, hash(&raw) & 0xFFFF_FFFF, "checksum");
        assert_eq!(self.at, self.bytes.len());
    }
}

fn hash(bytes: &[u8]) -> u64 {
    twox_hash::XxHash64::oneshot(0, bytes)
}

#[test]
fn the_example_in_the_page_is_what_is_written() {
    let bytes = example();
    let verified = verify(bytes.as_slice()).unwrap();
    assert!(verified.is_clean() && verified.is_sealed);
    let mut printer = Printer { bytes: &bytes, at: 0, out: String::new() };
    printer.head();
    printer.chunk("chunk 0", 1, 0);
    printer.chunk("end chunk", 2, 1);
    printer.end();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let begin = page.find(BEGIN).expect("the page has an example") + BEGIN.len();
    let end = begin + page[begin..].find(END).expect("the example ends");
    if std::env::var_os("WEIR_UPDATE_DOCS").is_some() {
        let updated = [&page[..begin], &printer.out, &page[end..]].concat();
        std::fs::write(&path, updated).unwrap();
        return;
    }
    assert!(page[begin..end] == printer.out, "the page has another example than:\n{}", printer.out);
}

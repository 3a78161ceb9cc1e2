//! A reader of capture files that shares no code with the writer: pcap-parser over zstd.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use pcap_parser::pcapng::{Block, PcapNGOption};
use pcap_parser::{PcapBlockOwned, PcapNGSlice};

/// `if_name`, in an Interface Description Block.
pub(crate) const IF_NAME: u16 = 2;
/// `if_description`.
pub(crate) const IF_DESCRIPTION: u16 = 3;
/// `if_tsresol`.
pub(crate) const IF_TSRESOL: u16 = 9;
/// `if_filter`.
pub(crate) const IF_FILTER: u16 = 11;
/// `if_os`.
pub(crate) const IF_OS: u16 = 12;
/// `if_hardware`.
pub(crate) const IF_HARDWARE: u16 = 15;
/// `opt_comment`, in any block.
pub(crate) const COMMENT: u16 = 1;

const EPB_DROPCOUNT: u16 = 4;
const EPB_QUEUE: u16 = 6;

/// A packet as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) interface: u32,
    pub(crate) ns: u64,
    pub(crate) wire_bytes: u32,
    pub(crate) data: Vec<u8>,
    /// Packets lost between the one before and this one.
    pub(crate) dropped: u64,
    pub(crate) queue: Option<u32>,
}

/// An interface as a file describes it.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) link_type: i32,
    pub(crate) snaplen_bytes: u32,
    options: BTreeMap<u16, Vec<u8>>,
}

impl Interface {
    /// Returns an option as text.
    pub(crate) fn text(&self, code: u16) -> Option<&str> {
        self.options.get(&code).map(|value| std::str::from_utf8(value).unwrap())
    }

    /// Returns an option as bytes.
    pub(crate) fn bytes(&self, code: u16) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }
}

/// An Interface Statistics Block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) interface: u32,
    pub(crate) ifrecv: Option<u64>,
    pub(crate) ifdrop: Option<u64>,
    pub(crate) filteraccept: Option<u64>,
    pub(crate) osdrop: Option<u64>,
    pub(crate) usrdeliv: Option<u64>,
    pub(crate) start_ns: Option<u64>,
    pub(crate) end_ns: Option<u64>,
}

/// A capture file.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) packets: Vec<Packet>,
    pub(crate) statistics: Vec<Statistics>,
}

/// All files of a directory, in the order of their names.
pub(crate) struct Capture {
    pub(crate) segments: Vec<Segment>,
}

impl Capture {
    /// Returns every packet, file after file.
    pub(crate) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.segments.iter().flat_map(|segment| &segment.packets)
    }

    /// Returns the statistics of every file.
    pub(crate) fn statistics(&self) -> impl Iterator<Item = &Statistics> {
        self.segments.iter().flat_map(|segment| &segment.statistics)
    }

    /// Returns the packets of one interface.
    pub(crate) fn of_interface(&self, interface: usize) -> Vec<&Packet> {
        self.packets().filter(|packet| packet.interface as usize == interface).collect()
    }
}

/// Returns the sealed capture files in a directory, in order. Nothing else may be there but the
/// lock and files that are named as open.
pub(crate) fn sealed(directory: &Path) -> Vec<PathBuf> {
    names_with(directory, |name| name.ends_with(".pcapng") || name.ends_with(".pcapng.zst"))
}

/// Returns the capture files in a directory that were not sealed, in order.
pub(crate) fn unsealed(directory: &Path) -> Vec<PathBuf> {
    names_with(directory, |name| name.ends_with(".part"))
}

fn names_with(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_wanted(path.file_name().unwrap().to_str().unwrap()))
        .collect();
    paths.sort();
    paths
}

/// Reads every sealed file of a directory.
pub(crate) fn read_capture(directory: &Path) -> Capture {
    Capture { segments: sealed(directory).iter().map(|path| read_segment(path)).collect() }
}

/// Reads a whole file.
///
/// # Panics
///
/// If anything in it is not as it should be.
pub(crate) fn read_segment(path: &Path) -> Segment {
    let bytes = std::fs::read(path).unwrap();
    let raw = match path.extension().unwrap().to_str().unwrap() {
        "zst" => zstd::decode_all(&bytes[..]).unwrap(),
        _ => bytes,
    };
    let (segment, rest) = parse(path, &raw);
    assert_eq!(rest, 0, "{}: {rest} bytes that are no block", path.display());
    segment
}

/// Reads a file that was cut off: all whole blocks of what can be decompressed.
pub(crate) fn read_torn(path: &Path) -> Segment {
    let bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    if !name.contains(".zst") {
        return parse(path, &bytes).0;
    }
    let mut decoder = zstd::Decoder::new(&bytes[..]).unwrap();
    let mut raw = Vec::new();
    let mut part = vec![0; 1 << 16];
    while let Ok(some @ 1..) = decoder.read(&mut part) {
        raw.extend_from_slice(&part[..some]);
    }
    parse(path, &raw).0
}

/// Reads whole blocks, and returns how many bytes are left.
fn parse(path: &Path, raw: &[u8]) -> (Segment, usize) {
    let mut segment = Segment {
        path: path.to_owned(),
        interfaces: Vec::new(),
        packets: Vec::new(),
        statistics: Vec::new(),
    };
    let mut sections = 0;
    let mut read_bytes = 0;
    for block in PcapNGSlice::from_slice(raw).unwrap() {
        let Ok(PcapBlockOwned::NG(block)) = block else { break };
        read_bytes += length_of(&raw[read_bytes..]);
        match block {
            Block::SectionHeader(_) => sections += 1,
            Block::InterfaceDescription(block) => segment.interfaces.push(Interface {
                link_type: block.linktype.0,
                snaplen_bytes: block.snaplen,
                options: options(&block.options),
            }),
            Block::EnhancedPacket(block) => segment.packets.push(Packet {
                interface: block.if_id,
                ns: u64::from(block.ts_high) << 32 | u64::from(block.ts_low),
                wire_bytes: block.origlen,
                data: block.data[..block.caplen as usize].to_vec(),
                dropped: number(&block.options, EPB_DROPCOUNT).unwrap_or(0),
                queue: number(&block.options, EPB_QUEUE).map(|queue| queue as u32),
            }),
            Block::InterfaceStatistics(block) => segment.statistics.push(Statistics {
                interface: block.if_id,
                ifrecv: number(&block.options, 4),
                ifdrop: number(&block.options, 5),
                filteraccept: number(&block.options, 6),
                osdrop: number(&block.options, 7),
                usrdeliv: number(&block.options, 8),
                start_ns: time(&block.options, 2),
                end_ns: time(&block.options, 3),
            }),
            // For local use: other readers pass over it as well.
            Block::Unknown(block) => assert!(block.block_type & 1 << 31 != 0, "{block:?}"),
            other => panic!("a block that is not written here: {other:?}"),
        }
    }
    assert_eq!(sections, 1, "{}", path.display());
    (segment, raw.len() - read_bytes)
}

fn length_of(block: &[u8]) -> usize {
    u32::from_le_bytes(block[4..8].try_into().unwrap()) as usize
}

fn options(options: &[PcapNGOption<'_>]) -> BTreeMap<u16, Vec<u8>> {
    // The parser leaves the padding on.
    let value = |option: &PcapNGOption<'_>| option.value()[..usize::from(option.len)].to_vec();
    options.iter().map(|option| (option.code.0, value(option))).collect()
}

/// Returns an option that is a time: two halves, the upper first.
fn time(options: &[PcapNGOption<'_>], code: u16) -> Option<u64> {
    number(options, code).map(|halves| halves.rotate_right(32))
}

/// Returns an option that is a number of 4 or 8 bytes.
fn number(options: &[PcapNGOption<'_>], code: u16) -> Option<u64> {
    let option = options.iter().find(|option| option.code.0 == code)?;
    match option.value() {
        value @ [_, _, _, _] => Some(u64::from(u32::from_le_bytes(value.try_into().unwrap()))),
        value => Some(u64::from_le_bytes(value.try_into().unwrap())),
    }
}

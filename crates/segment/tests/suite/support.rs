//! What the tests share: packets, captures, segments of them, and the tools that read them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use weir_model::{LinkType, Storage, Timestamp};
use weir_segment::pcapng::{
    EPB_OVERHEAD_BYTES_MAX, EpbFields, InterfaceDescription, InterfaceStatistics, SectionHeader,
    write_epb,
};
use weir_segment::{
    BlockTally, Compression, NamePrefix, SealedSegment, SegmentHeader, SegmentNamer,
    SegmentOptions, SegmentWriter,
};

/// 2024-05-01T12:34:56.123456789Z.
pub(crate) const NOON: Timestamp = Timestamp::from_ns(1_714_566_896_123_456_789);

pub(crate) const LEVEL_1: Compression = Compression::Zstd { level: 1 };

/// A packet to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) fields: EpbFields,
    pub(crate) data: Vec<u8>,
}

impl Packet {
    pub(crate) fn new(ns: u64, data: Vec<u8>) -> Self {
        let bytes = data.len() as u32;
        let fields = EpbFields {
            timestamp: Timestamp::from_ns(ns),
            captured_bytes: bytes,
            wire_bytes: bytes,
            ..EpbFields::default()
        };
        Self { fields, data }
    }
}

/// A block of pcapng blocks, as Processing fills it, and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) raw: Vec<u8>,
    pub(crate) tally: BlockTally,
}

/// Fills blocks of at most `block_bytes` with packets.
pub(crate) fn fill_blocks(packets: &[Packet], block_bytes: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut buffer = vec![0xAA; block_bytes];
    let (mut at, mut tally) = (0, BlockTally::default());
    for packet in packets {
        if at + packet.data.len() + EPB_OVERHEAD_BYTES_MAX > buffer.len() {
            blocks.push(Block { raw: buffer[..at].to_vec(), tally });
            (at, tally) = (0, BlockTally::default());
        }
        let fields = packet.fields;
        at += write_epb(&mut buffer[at..], &fields, |area| area.copy_from_slice(&packet.data));
        tally.count(fields.captured_bytes, fields.wire_bytes, fields.timestamp);
    }
    if at != 0 {
        blocks.push(Block { raw: buffer[..at].to_vec(), tally });
    }
    blocks
}

/// `count` packets of 60 to 1,514 bytes that shrink about as traffic does: half text, half random.
pub(crate) fn synthetic_packets(count: usize, seed: u64) -> Vec<Packet> {
    use rand::{Rng, RngExt, SeedableRng};
    let mut rng = rand_pcg::Pcg64::seed_from_u64(seed);
    (0..count)
        .map(|index| {
            let bytes = rng.random_range(60..=1514);
            let mut data = vec![0; bytes];
            let half = 14 + (bytes - 14) / 2;
            rng.fill_bytes(&mut data[half..]);
            data[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5]);
            let text = b"GET /index.html HTTP/1.1\r\nHost: example.net\r\n";
            data[14..half].iter_mut().zip(text.iter().cycle()).for_each(|(to, from)| *to = *from);
            Packet::new(NOON.as_ns() + index as u64 * 1_000, data)
        })
        .collect()
}

/// The head of every test's segments: two interfaces, with every option set on one of them.
pub(crate) fn interfaces() -> [InterfaceDescription<'static>; 2] {
    let full = InterfaceDescription {
        name: Some("tap0"),
        description: Some("the north tap"),
        mac: Some([2, 0, 0, 0, 0, 1]),
        speed_bits_per_second: Some(40_000_000_000),
        filter: Some("tcp port 80"),
        hardware: Some("net_null"),
        os: Some("Linux"),
        comment: Some("seen from the north"),
        ..InterfaceDescription::new(LinkType::ETHERNET, 262_144)
    };
    [full, InterfaceDescription::new(LinkType::ETHERNET, 262_144)]
}

pub(crate) const SECTION: SectionHeader<'static> = SectionHeader {
    hardware: Some("a machine"),
    os: Some("Linux"),
    userappl: Some("weir test"),
    comment: None,
};

pub(crate) fn create<S: Storage>(storage: &mut S, compression: Compression) -> SegmentWriter<S> {
    let prefix = NamePrefix::new("weir").unwrap();
    let mut namer = SegmentNamer::scan(storage, prefix).unwrap();
    let interfaces = interfaces();
    let header = SegmentHeader { section: SECTION, interfaces: &interfaces };
    let options = SegmentOptions { compression };
    SegmentWriter::create(storage, &mut namer, NOON, &options, &header).unwrap()
}

/// Statistics of the test's two interfaces, with what is not known left out.
pub(crate) fn statistics(packets: u64) -> [InterfaceStatistics<'static>; 2] {
    let end = NOON.saturating_add_ns(5_000_000_000);
    let full = InterfaceStatistics {
        interface_id: 0,
        timestamp: end,
        starttime: Some(NOON),
        endtime: Some(end),
        ifrecv: Some(packets + 7),
        ifdrop: Some(3),
        filteraccept: Some(packets),
        osdrop: Some(4),
        usrdeliv: Some(packets),
        comment: None,
    };
    let bare = InterfaceStatistics { interface_id: 1, timestamp: end, ..Default::default() };
    [full, bare]
}

/// Writes blocks to one segment and seals it.
pub(crate) fn write_segment<S: Storage>(
    storage: &mut S,
    compression: Compression,
    blocks: &[Block],
) -> SealedSegment {
    let mut writer = create(storage, compression);
    for block in blocks {
        writer.append_block(&block.raw, &block.tally).unwrap();
    }
    let packets = writer.written().packets;
    writer.seal(storage, &statistics(packets)).unwrap()
}

/// Runs a tool, or says that it is not installed and returns `None`.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("could not run {program}: {error}"),
    }
}

/// Returns how many packets tshark reads, and whether it found nothing to complain of.
pub(crate) fn tshark_packets(path: &Path) -> Option<(usize, bool)> {
    let path = path.to_str().unwrap();
    let output = run("tshark", &["-n", "-r", path, "-T", "fields", "-e", "frame.number"])?;
    let packets = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
    Some((packets, output.status.success()))
}

/// The folder of captures for tests, or `None` with a word where it is absent.
pub(crate) fn captures() -> Option<PathBuf> {
    let path = match std::env::var_os("WEIR_PCAPS") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
    };
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there is no folder of captures at {}", path.display());
    None
}

/// Reads the packets of a little-endian classic capture file.
pub(crate) fn read_classic(path: &Path) -> Vec<Packet> {
    use pcap_parser::{LegacyPcapSlice, PcapBlockOwned};
    let bytes = std::fs::read(path).unwrap();
    LegacyPcapSlice::from_slice(&bytes)
        .unwrap()
        .filter_map(|block| match block.unwrap() {
            PcapBlockOwned::Legacy(packet) => {
                let ns =
                    u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_usec) * 1_000;
                let mut read = Packet::new(ns, packet.data.to_vec());
                read.fields.wire_bytes = packet.origlen.max(read.fields.captured_bytes);
                Some(read)
            }
            _ => None,
        })
        .collect()
}

//! The shared captures: what is there, and what libpcap, which is under `net_pcap`, reads in them.

use std::path::{Path, PathBuf};

use pcap::{Capture, Precision};

use super::{repository, skip};

/// The folder of captures for tests, or `None` with a word where it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let path = match std::env::var_os("WEIR_PCAPS") {
        Some(path) => PathBuf::from(path),
        None => repository().join("../shared/pcaps"),
    };
    if path.join("MANIFEST.tsv").is_file() {
        return Some(path);
    }
    skip(&format!("there is no folder of captures at {}", path.display()));
    None
}

/// Returns one capture of the folder.
pub(crate) fn file(name: &str) -> Option<PathBuf> {
    Some(folder()?.join(name))
}

/// A line of the folder's `MANIFEST.tsv`, whose counts come from capinfos.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) packets: Option<usize>,
    pub(crate) truncated_packets: Option<usize>,
}

/// Reads the manifest.
pub(crate) fn manifest(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| {
            let values: Vec<&str> = line.split('\t').collect();
            let value = |name: &str| values[names.iter().position(|n| *n == name).unwrap()];
            Row {
                name: value("filename").to_owned(),
                path: folder.join(value("filename")),
                packets: value("packets").parse().ok(),
                truncated_packets: value("truncated_packets").parse().ok(),
            }
        })
        .collect()
}

/// A packet as a source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourcePacket {
    /// Nanoseconds since the epoch; a file may well have what is before it.
    pub(crate) ns: i128,
    /// What of them libpcap counts beyond the second; a damaged file may have any number there.
    pub(crate) fraction_ns: i64,
    pub(crate) wire_bytes: u32,
    pub(crate) data: Vec<u8>,
}

/// A capture as libpcap reads it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) link_type: i32,
    pub(crate) packets: Vec<SourcePacket>,
    /// What libpcap said of records that it could not read. It reads on behind them.
    pub(crate) errors: Vec<String>,
}

/// More errors than this, and libpcap stands still.
const ERRORS_MAX: usize = 10_000;

/// Reads a capture by libpcap, in nanoseconds. An error if libpcap does not open it.
pub(crate) fn read(path: &Path) -> Result<Source, String> {
    let mut capture = Capture::from_file_with_precision(path, Precision::Nano)
        .map_err(|error| error.to_string())?;
    let link_type = capture.get_datalink().0;
    let mut source = Source { link_type, packets: Vec::new(), errors: Vec::new() };
    loop {
        match capture.next_packet() {
            Ok(packet) => source.packets.push(SourcePacket {
                // In a file that is read in nanoseconds, the smaller field has nanoseconds.
                ns: i128::from(packet.header.ts.tv_sec) * 1_000_000_000
                    + i128::from(packet.header.ts.tv_usec),
                fraction_ns: packet.header.ts.tv_usec,
                wire_bytes: packet.header.len,
                data: packet.data.to_vec(),
            }),
            Err(pcap::Error::NoMorePackets) => return Ok(source),
            Err(error) if source.errors.len() < ERRORS_MAX => source.errors.push(error.to_string()),
            Err(error) => panic!("{}: no end of errors: {error}", path.display()),
        }
    }
}

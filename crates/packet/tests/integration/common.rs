//! Captures and tshark, for the tests that need them.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use weir_model::LinkType;

/// A packet of a capture file.
pub(crate) struct Captured {
    pub(crate) link_type: LinkType,
    pub(crate) bytes: Vec<u8>,
}

/// Returns the folder of captures, or says that the test is skipped.
pub(crate) fn captures_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WEIR_PCAPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
        PathBuf::from,
    );
    let is_there = folder.is_dir();
    if !is_there {
        println!("skipped: no captures at {}", folder.display());
    }
    is_there.then_some(folder)
}

/// Returns all capture files in the folder and the folders in it, sorted.
pub(crate) fn capture_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in [folder.to_owned(), folder.join("malformed"), folder.join("pcapng-suite")] {
        let Ok(entries) = place.read_dir() else { continue };
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| {
            path.extension().is_some_and(|end| end == "pcap" || end == "pcapng" || end == "cap")
        }));
    }
    files.sort();
    files
}

/// Reads the packets of a capture file up to the first thing wrong with the file.
pub(crate) fn read_capture(path: &Path) -> Vec<Captured> {
    let mut packets = Vec::new();
    let file = File::open(path).unwrap();
    let Ok(mut reader) = create_reader(1 << 20, file) else { return packets };
    let mut link_types = Vec::new();
    let mut incomplete = 0;
    loop {
        match reader.next() {
            Ok((consumed, block)) => {
                incomplete = 0;
                take_block(block, &mut link_types, &mut packets);
                reader.consume(consumed);
            }
            Err(PcapError::Incomplete(_)) if incomplete < 8 => {
                incomplete += 1;
                if reader.refill().is_err() {
                    return packets;
                }
            }
            Err(_) => return packets,
        }
    }
}

fn take_block(
    block: PcapBlockOwned<'_>,
    link_types: &mut Vec<LinkType>,
    packets: &mut Vec<Captured>,
) {
    let as_link_type = |number: i32| LinkType(number as u16);
    let (interface, bytes, length) = match block {
        PcapBlockOwned::LegacyHeader(header) => {
            link_types.push(as_link_type(header.network.0));
            return;
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => return link_types.clear(),
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            link_types.push(as_link_type(interface.linktype.0));
            return;
        }
        PcapBlockOwned::Legacy(packet) => (0, packet.data, packet.caplen),
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            (packet.if_id as usize, packet.data, packet.caplen)
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            (0, packet.data, packet.origlen.min(packet.data.len() as u32))
        }
        PcapBlockOwned::NG(_) => return,
    };
    let bytes = bytes[..bytes.len().min(length as usize)].to_vec();
    let link_type = link_types.get(interface).copied().unwrap_or(LinkType(u16::MAX));
    packets.push(Captured { link_type, bytes });
}

/// tshark with all dissectors off but some, so that it looks at headers alone, and fast.
pub(crate) struct Tshark {
    config: tempfile::TempDir,
    options: Vec<String>,
}

impl Tshark {
    /// Prepares tshark with these dissectors; `None`, and a word about it, where there is none.
    pub(crate) fn with_protocols(protocols: &[&str]) -> Option<Self> {
        let listed = match Command::new("tshark").args(["-G", "protocols"]).output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no tshark");
                return None;
            }
            Err(error) => panic!("tshark: {error}"),
        };
        let config = tempfile::tempdir().unwrap();
        let folder = config.path().join("wireshark");
        std::fs::create_dir(&folder).unwrap();
        let mut disabled = File::create(folder.join("disabled_protos")).unwrap();
        for name in listed.lines().filter_map(|line| line.split('\t').nth(2)) {
            if !protocols.contains(&name) {
                writeln!(disabled, "{name}").unwrap();
            }
        }
        Some(Self { config, options: Vec::new() })
    }

    /// Adds command-line options.
    pub(crate) fn options<'a>(mut self, options: impl IntoIterator<Item = &'a str>) -> Self {
        self.options.extend(options.into_iter().map(str::to_owned));
        self
    }

    /// Returns the given fields of each packet in a file.
    pub(crate) fn fields(&self, path: &Path, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new("tshark");
        command.env("XDG_CONFIG_HOME", self.config.path());
        command.arg("-n").arg("-r").arg(path).args(["-T", "fields", "-E", "separator=;"]);
        command.args(&self.options);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect()
    }
}

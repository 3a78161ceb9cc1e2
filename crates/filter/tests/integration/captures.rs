//! The real captures: where they are, and what libpcap reads from them.

use std::path::{Path, PathBuf};

use weir_model::LinkType;

/// One captured packet.
pub struct CapturedPacket {
    pub bytes: Vec<u8>,
    pub wire_bytes: u32,
}

/// The packets that libpcap reads from a file before its end or its first fault.
pub struct CapturedFile {
    pub link_type: LinkType,
    pub packets: Vec<CapturedPacket>,
}

/// Returns the folder of the captures, or says that it is not there.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("WEIR_PCAPS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
    };
    if folder.join("bpf_expected.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no captures in {}", folder.display());
    None
}

/// Reads a file as `tcpdump -r` does. `None` if libpcap does not open it.
pub fn read(path: &Path) -> Option<CapturedFile> {
    let mut capture = pcap::Capture::from_file(path).ok()?;
    let link_type = link_type_of(capture.get_datalink());
    let mut packets = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        packets.push(CapturedPacket { bytes: packet.data.to_vec(), wire_bytes: packet.header.len });
    }
    Some(CapturedFile { link_type, packets })
}

/// Turns libpcap's number for a link type back into the one that stands in files.
fn link_type_of(dlt: pcap::Linktype) -> LinkType {
    LinkType(match dlt.0 {
        11 => 100,
        12 => 101,
        15 => 102,
        16 => 103,
        19 => 106,
        same => u16::try_from(same).expect("link types have 16 bits in files"),
    })
}

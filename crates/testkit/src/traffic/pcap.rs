//! Packets as a classic pcap file, for other tools to read.

use weir_model::{LinkType, SNAPLEN_BYTES_MAX, Timestamp};

use crate::packet::WirePacket;

/// Returns a pcap file with nanoseconds, little-endian, as
/// <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap> describes it.
///
/// Packets without a timestamp get the epoch. The format's seconds end in the year 2106; later
/// times show modulo 2^32.
pub fn pcap_bytes<'a>(
    link_type: LinkType,
    packets: impl IntoIterator<Item = &'a WirePacket>,
) -> Vec<u8> {
    const NANOSECOND_MAGIC: u32 = 0xa1b2_3c4d;
    // Version 2.4 is two halves of one word.
    let header = [NANOSECOND_MAGIC, 4 << 16 | 2, 0, 0, SNAPLEN_BYTES_MAX, u32::from(link_type.0)];
    let mut file: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    for packet in packets {
        let ns = packet.timestamp.unwrap_or(Timestamp::EPOCH).as_ns();
        let captured_bytes = packet.bytes.len() as u32;
        let record = [
            (ns / 1_000_000_000) as u32,
            (ns % 1_000_000_000) as u32,
            captured_bytes,
            packet.wire_bytes.max(captured_bytes),
        ];
        file.extend(record.into_iter().flat_map(u32::to_le_bytes));
        file.extend_from_slice(&packet.bytes);
    }
    file
}

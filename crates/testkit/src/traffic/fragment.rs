//! Cutting a datagram into fragments, as a router does.

use super::checksum::internet_checksum;

/// Cuts the IPv4 datagram whose header is at `l3_offset` of `frame` into fragments of at most
/// `payload_bytes_max` bytes behind their headers (rounded down to a multiple of 8), each with
/// the bytes before `l3_offset` in front. Bytes behind the datagram are left out.
///
/// # Panics
///
/// If there is no IPv4 header, or `payload_bytes_max` is less than 8.
pub fn fragment_ipv4(frame: &[u8], l3_offset: usize, payload_bytes_max: usize) -> Vec<Vec<u8>> {
    assert!(frame[l3_offset] >> 4 == 4, "not IPv4");
    let header_end = l3_offset + usize::from(frame[l3_offset] & 0x0f) * 4;
    let total_bytes = usize::from(u16::from_be_bytes([frame[l3_offset + 2], frame[l3_offset + 3]]));
    let payload = &frame[header_end..l3_offset + total_bytes];
    pieces(payload, payload_bytes_max)
        .map(|(offset_bytes, piece, more)| {
            let mut fragment = frame[..header_end].to_vec();
            fragment.extend_from_slice(piece);
            let total_bytes = (fragment.len() - l3_offset) as u16;
            let field = (offset_bytes / 8) as u16 | if more { 0x2000 } else { 0 };
            let header = &mut fragment[l3_offset..header_end];
            header[2..4].copy_from_slice(&total_bytes.to_be_bytes());
            header[6..8].copy_from_slice(&field.to_be_bytes());
            header[10..12].fill(0);
            let sum = internet_checksum(&[header]).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            fragment
        })
        .collect()
}

/// Cuts the IPv6 datagram whose header is at `l3_offset` of `frame`, and which has no extension
/// headers, as [`fragment_ipv4`] does.
///
/// # Panics
///
/// If there is no IPv6 header, or `payload_bytes_max` is less than 8.
pub fn fragment_ipv6(
    frame: &[u8],
    l3_offset: usize,
    payload_bytes_max: usize,
    identification: u32,
) -> Vec<Vec<u8>> {
    assert!(frame[l3_offset] >> 4 == 6, "not IPv6");
    let header_end = l3_offset + 40;
    let next = frame[l3_offset + 6];
    let payload_bytes =
        usize::from(u16::from_be_bytes([frame[l3_offset + 4], frame[l3_offset + 5]]));
    let payload = &frame[header_end..header_end + payload_bytes];
    pieces(payload, payload_bytes_max)
        .map(|(offset_bytes, piece, more)| {
            let mut fragment = frame[..header_end].to_vec();
            fragment[l3_offset + 4..l3_offset + 6]
                .copy_from_slice(&(piece.len() as u16 + 8).to_be_bytes());
            fragment[l3_offset + 6] = 44;
            fragment.extend([next, 0]);
            fragment.extend((offset_bytes as u16 | u16::from(more)).to_be_bytes());
            fragment.extend(identification.to_be_bytes());
            fragment.extend_from_slice(piece);
            fragment
        })
        .collect()
}

/// Cuts `payload`, and yields each piece with its offset and whether more follow.
fn pieces(payload: &[u8], payload_bytes_max: usize) -> impl Iterator<Item = (usize, &[u8], bool)> {
    let step = payload_bytes_max / 8 * 8;
    assert!(step > 0, "a fragment has at least eight bytes");
    payload.chunks(step).enumerate().map(move |(index, piece)| {
        let offset_bytes = index * step;
        (offset_bytes, piece, offset_bytes + piece.len() < payload.len())
    })
}

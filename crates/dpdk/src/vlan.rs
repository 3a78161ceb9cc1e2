//! VLAN tags that a driver took out of a packet, and putting them back.
//!
//! Weir never asks a driver to strip tags, but some do it all the same (af_packet where it cannot
//! put the kernel's tag back, NICs that another function of the device configured). What is stored
//! is what the wire had: the tags stand after the two MAC addresses again. A tag that was alone
//! gets the EtherType 8100, and of two the outer one gets 88a8 and the inner one 8100, as IEEE
//! 802.1ad has it; the driver does not say which the wire had.

/// The two MAC addresses, which tags follow.
const ADDRESSES_BYTES: usize = 12;
/// EtherType of a customer tag (IEEE 802.1Q).
const TPID_CUSTOMER: u16 = 0x8100;
/// EtherType of a service tag (IEEE 802.1ad).
const TPID_SERVICE: u16 = 0x88a8;
const TAG_BYTES: u32 = 4;

/// The control information of the tags that were taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) outer: Option<u16>,
    pub(crate) inner: Option<u16>,
}

impl Tags {
    /// Returns how many bytes the tags have.
    pub(crate) fn bytes(self) -> u32 {
        (u32::from(self.outer.is_some()) + u32::from(self.inner.is_some())) * TAG_BYTES
    }
}

/// Copies a packet into `out` with `tags` after its addresses, and returns the number of bytes
/// copied: the smaller of what there is and of `out`'s length. `gather(from, room)` copies from
/// the packet's byte `from` on.
pub(crate) fn copy_with_tags(
    tags: Tags,
    out: &mut [u8],
    gather: impl Fn(u32, &mut [u8]) -> usize,
) -> usize {
    if tags == Tags::default() {
        return gather(0, out);
    }
    let addresses_room = out.len().min(ADDRESSES_BYTES);
    let addresses = gather(0, &mut out[..addresses_room]);
    let mut copied = addresses;
    for (tpid, tci) in [(TPID_SERVICE, tags.outer), (TPID_CUSTOMER, tags.inner)] {
        if let Some(tci) = tci {
            copied += put_tag(&mut out[copied..], tpid, tci);
        }
    }
    if addresses < ADDRESSES_BYTES {
        return copied;
    }
    copied + gather(ADDRESSES_BYTES as u32, &mut out[copied..])
}

/// Writes as much of a tag as fits, and returns how much.
fn put_tag(out: &mut [u8], tpid: u16, tci: u16) -> usize {
    let [a, b] = tpid.to_be_bytes();
    let [c, d] = tci.to_be_bytes();
    let bytes = out.len().min(TAG_BYTES as usize);
    out[..bytes].copy_from_slice(&[a, b, c, d][..bytes]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(packet: &[u8], tags: Tags, room: usize) -> Vec<u8> {
        let mut out = vec![0xee; room];
        let copied = copy_with_tags(tags, &mut out, |from, out| {
            let rest = packet.get(from as usize..).unwrap_or_default();
            let bytes = rest.len().min(out.len());
            out[..bytes].copy_from_slice(&rest[..bytes]);
            bytes
        });
        assert!(out[copied..].iter().all(|&byte| byte == 0xee), "wrote past what it returned");
        out.truncate(copied);
        out
    }

    fn packet(bytes: u8) -> Vec<u8> {
        (0..bytes).collect()
    }

    #[test]
    fn puts_one_tag_behind_the_addresses() {
        let whole = copy(&packet(20), Tags { outer: None, inner: Some(0x2064) }, 100);
        assert_eq!(whole[..12], packet(12));
        assert_eq!(whole[12..16], [0x81, 0x00, 0x20, 0x64]);
        assert_eq!(whole[16..], packet(20)[12..]);
    }

    #[test]
    fn puts_the_service_tag_before_the_customers() {
        let whole = copy(&packet(14), Tags { outer: Some(7), inner: Some(9) }, 100);
        assert_eq!(whole[12..20], [0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 9]);
        let outer_alone = copy(&packet(14), Tags { outer: Some(7), inner: None }, 100);
        assert_eq!(outer_alone[12..16], [0x88, 0xa8, 0, 7]);
        assert_eq!(outer_alone.len(), 18);
    }

    #[test]
    fn copies_every_prefix() {
        let tags = Tags { outer: Some(0x0102), inner: Some(0x0304) };
        let whole = copy(&packet(40), tags, 100);
        assert_eq!(whole.len(), 48);
        for room in 0..whole.len() {
            assert_eq!(copy(&packet(40), tags, room), whole[..room], "in {room} bytes");
        }
    }

    #[test]
    fn takes_packets_shorter_than_their_addresses() {
        for bytes in 0..12 {
            let whole = copy(&packet(bytes), Tags { outer: None, inner: Some(1) }, 100);
            assert_eq!(whole.len(), usize::from(bytes) + 4);
            assert_eq!(whole[..usize::from(bytes)], packet(bytes));
        }
    }
}

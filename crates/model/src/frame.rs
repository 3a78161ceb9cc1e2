//! A received packet, borrowed from the burst that owns it.

use crate::Timestamp;

/// One received packet, borrowed from its [`Burst`](crate::Burst).
///
/// Most packets are one contiguous run of bytes, and [`contiguous`](Self::contiguous) returns it.
/// The others (an mbuf of several segments, or one whose VLAN tag the driver took out) are put
/// together by [`copy_to`](Self::copy_to).
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The first segment, or the whole packet where `chain` is `None`.
    pub head: &'a [u8],
    /// The packet's bytes where they are not contiguous, with the index to ask it for.
    pub chain: Option<(&'a dyn SegmentChain, usize)>,
    /// Bytes that are here to be copied: the packet as the wire had it, but for what a driver cut.
    pub captured_bytes: u32,
    /// Bytes that the packet had on the wire, as far as the driver knows; never less than
    /// `captured_bytes`.
    pub wire_bytes: u32,
    /// When the packet arrived.
    pub timestamp: Timestamp,
    /// The hash that the NIC computed over the packet's flow, where it did.
    pub rss_hash: Option<u32>,
}

/// Puts together packets whose bytes are not contiguous.
pub trait SegmentChain {
    /// Copies the packet at `index`, from its first byte on, into `out`, and returns the number
    /// of bytes copied: the smaller of the packet's captured bytes and `out`'s length.
    fn copy_chain(&self, index: usize, out: &mut [u8]) -> usize;
}

impl<'a> Frame<'a> {
    /// Returns the packet's bytes if they are contiguous.
    #[inline]
    pub fn contiguous(&self) -> Option<&'a [u8]> {
        match self.chain {
            None => Some(self.head),
            Some(_) => None,
        }
    }

    /// Copies the packet from its first byte on into `out`, and returns the number of bytes
    /// copied: the smaller of `captured_bytes` and `out`'s length.
    #[inline]
    pub fn copy_to(&self, out: &mut [u8]) -> usize {
        match self.chain {
            None => {
                let bytes = self.head.len().min(out.len());
                out[..bytes].copy_from_slice(&self.head[..bytes]);
                bytes
            }
            Some((chain, index)) => chain.copy_chain(index, out),
        }
    }
}

/// A packet whose descriptor contradicts itself (an mbuf whose segments do not add up to its
/// packet length). Its bytes are not to be read; it is counted as `malformed_mbuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedFrame;

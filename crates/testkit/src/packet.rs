//! Packets as a wire has them, and packets in buffers that are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_model::{Frame, MalformedFrame, SegmentChain, Timestamp};

/// A packet on its way to a port: bytes, and what a driver would say of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WirePacket {
    /// The captured bytes, from the first on.
    pub bytes: Vec<u8>,
    /// Bytes that the packet had on the wire.
    pub wire_bytes: u32,
    /// The time that the source gives, if it gives one.
    pub timestamp: Option<Timestamp>,
    /// The hash that the NIC gives, if it gives one.
    pub rss_hash: Option<u32>,
    /// How the bytes lie in memory.
    pub layout: Layout,
    /// Whether the descriptor contradicts itself, so that the bytes are not to be read.
    pub malformed: bool,
}

/// How a packet's bytes lie in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One run of bytes.
    Contiguous,
    /// Segments of these lengths, some perhaps empty; what they leave over is one more.
    Segments(Vec<usize>),
    /// The driver took the first VLAN tag out: the head lacks it, a copy has it.
    VlanStripped,
}

impl WirePacket {
    /// A contiguous packet, captured whole, without a timestamp.
    ///
    /// # Panics
    ///
    /// If `bytes` is longer than 4 GiB.
    pub fn new(bytes: Vec<u8>) -> Self {
        let wire_bytes = u32::try_from(bytes.len()).expect("a packet is shorter than 4 GiB");
        Self {
            bytes,
            wire_bytes,
            timestamp: None,
            rss_hash: None,
            layout: Layout::Contiguous,
            malformed: false,
        }
    }

    /// Gives it a source timestamp.
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Gives it a hash computed by the NIC.
    pub fn hashed(mut self, rss_hash: u32) -> Self {
        self.rss_hash = Some(rss_hash);
        self
    }

    /// Cuts the captured bytes to `bytes_max`; the wire length stays.
    pub fn sliced(mut self, bytes_max: usize) -> Self {
        self.bytes.truncate(bytes_max);
        self
    }

    /// Cuts it into segments of the given lengths; what they leave over is one more.
    pub fn segmented(mut self, segment_bytes: Vec<usize>) -> Self {
        self.layout = Layout::Segments(segment_bytes);
        self
    }

    /// Has the driver take out the VLAN tag at byte 12, which must be there.
    ///
    /// # Panics
    ///
    /// If the packet is too short to have one.
    pub fn vlan_stripped(mut self) -> Self {
        assert!(self.bytes.len() >= 18, "no VLAN tag to strip");
        self.layout = Layout::VlanStripped;
        self
    }

    /// Makes its descriptor contradict itself.
    pub fn malformed(mut self) -> Self {
        self.malformed = true;
        self
    }
}

/// A pool of buffers: it counts the packets that are alive, wherever they are, and has no more
/// than its capacity. A clone is the same pool.
#[derive(Clone, Debug)]
pub struct SimPool(Arc<PoolCounts>);

#[derive(Debug)]
struct PoolCounts {
    capacity_packets: usize,
    live_packets: AtomicUsize,
    live_packets_max: AtomicUsize,
}

impl SimPool {
    /// A pool of `capacity_packets` buffers, all free.
    pub fn new(capacity_packets: usize) -> Self {
        Self(Arc::new(PoolCounts {
            capacity_packets,
            live_packets: AtomicUsize::new(0),
            live_packets_max: AtomicUsize::new(0),
        }))
    }

    /// Returns how many buffers are in use. 0 at the end of a test says that nothing leaked.
    pub fn live_packets(&self) -> usize {
        self.0.live_packets.load(Ordering::Acquire)
    }

    /// Returns how many buffers were in use at most.
    pub fn live_packets_max(&self) -> usize {
        self.0.live_packets_max.load(Ordering::Acquire)
    }

    /// Returns how many buffers there are.
    pub fn capacity_packets(&self) -> usize {
        self.0.capacity_packets
    }

    /// Puts a packet into a buffer, or gives it back if no buffer is free.
    pub fn fill(&self, packet: WirePacket) -> Result<SimPacket, WirePacket> {
        match self.take() {
            Some(buffer) => Ok(SimPacket::new(packet, buffer)),
            None => Err(packet),
        }
    }

    fn take(&self) -> Option<Buffer> {
        let counts = &self.0;
        let before = counts
            .live_packets
            .try_update(Ordering::AcqRel, Ordering::Acquire, |live| {
                (live < counts.capacity_packets).then_some(live + 1)
            })
            .ok()?;
        counts.live_packets_max.fetch_max(before + 1, Ordering::AcqRel);
        Some(Buffer(self.clone()))
    }
}

/// One buffer in use; dropping it gives it back.
#[derive(Debug)]
struct Buffer(SimPool);

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.0.live_packets.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A received packet in a buffer of its pool. Dropping it gives the buffer back; there is no
/// other way, and no copy.
#[derive(Debug)]
pub struct SimPacket {
    packet: WirePacket,
    /// The packet without its first VLAN tag, where the layout says so.
    stripped: Vec<u8>,
    timestamp: Timestamp,
    _buffer: Buffer,
}

/// The 802.1Q tag in an Ethernet frame.
const VLAN_TAG: std::ops::Range<usize> = 12..16;

impl SimPacket {
    fn new(packet: WirePacket, buffer: Buffer) -> Self {
        let mut stripped = Vec::new();
        if packet.layout == Layout::VlanStripped {
            stripped.extend_from_slice(&packet.bytes);
            stripped.drain(VLAN_TAG.start..VLAN_TAG.end.min(packet.bytes.len()));
        }
        let timestamp = packet.timestamp.unwrap_or_default();
        Self { packet, stripped, timestamp, _buffer: buffer }
    }

    /// Returns the packet as the wire had it.
    pub fn wire(&self) -> &WirePacket {
        &self.packet
    }

    pub(crate) fn set_timestamp(&mut self, timestamp: Timestamp) {
        self.timestamp = timestamp;
    }

    /// Borrows the packet as the frame at `index` of `chain`.
    pub(crate) fn frame<'a>(
        &'a self,
        chain: &'a dyn SegmentChain,
        index: usize,
    ) -> Result<Frame<'a>, MalformedFrame> {
        let packet = &self.packet;
        if packet.malformed {
            return Err(MalformedFrame);
        }
        let (head, is_whole) = match &packet.layout {
            Layout::Contiguous => (&packet.bytes[..], true),
            Layout::VlanStripped => (&self.stripped[..], false),
            Layout::Segments(lengths) => {
                let first = lengths.first().copied().unwrap_or(packet.bytes.len());
                (&packet.bytes[..first.min(packet.bytes.len())], false)
            }
        };
        let captured_bytes = packet.bytes.len() as u32;
        Ok(Frame {
            head,
            chain: (!is_whole).then_some((chain, index)),
            captured_bytes,
            wire_bytes: packet.wire_bytes.max(captured_bytes),
            timestamp: self.timestamp,
            rss_hash: packet.rss_hash,
        })
    }
}

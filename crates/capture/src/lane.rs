//! Lanes: the one-way roads between stages, and how their end is told.
//!
//! A packet lane is an SP/SC ring of packets between one Input and one Processing; a block lane is
//! an SP/SC queue of blocks between one Processing and one Output. A lane ends when its sender
//! closes it; the receiver finds it finished once it is closed and empty, in this order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use weir_model::{Burst, BurstReceiver, BurstSender, PortId, QueueId};

use crate::block::Block;

/// What a source does when there is no room for its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits: a file that is replayed loses nothing by waiting.
    Hold,
    /// Packets are given up and counted, at once: a wire cannot be slowed, and mbufs held here
    /// would be missing at the NIC.
    Drop,
}

impl WhenFull {
    /// Returns the name that stands in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Drop => "drop",
        }
    }
}

/// Where packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The port.
    pub port: PortId,
    /// Its queue.
    pub queue: QueueId,
    /// What to do when there is no room.
    pub when_full: WhenFull,
}

/// The sender's end of a lane of packets.
pub struct PacketLaneSender<T> {
    ring: T,
    closed: Arc<AtomicBool>,
    losses: LaneLosses,
}

/// How many packets were given up because a lane was full, as others see it.
#[derive(Clone, Debug, Default)]
pub struct LaneLosses(Arc<AtomicU64>);

impl LaneLosses {
    /// Returns how many they are so far.
    pub fn packets(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The receiver's end of a lane of packets.
pub struct PacketLaneReceiver<R> {
    ring: R,
    closed: Arc<AtomicBool>,
    pub(crate) origin: Origin,
}

/// Makes a lane of the two ends of a ring.
pub fn packet_lane<T, R>(
    ring: (T, R),
    origin: Origin,
) -> (PacketLaneSender<T>, PacketLaneReceiver<R>) {
    let closed = Arc::new(AtomicBool::new(false));
    (
        PacketLaneSender {
            ring: ring.0,
            closed: Arc::clone(&closed),
            losses: LaneLosses::default(),
        },
        PacketLaneReceiver { ring: ring.1, closed, origin },
    )
}

impl<T> PacketLaneSender<T> {
    /// Moves packets from the front of `burst` into the lane, as many as fit, and returns how many.
    #[inline]
    pub fn send<B: Burst>(&mut self, burst: &mut B) -> usize
    where
        T: BurstSender<B>,
    {
        self.ring.send(burst)
    }

    /// Returns the view of what was given up because the lane was full.
    pub fn losses(&self) -> LaneLosses {
        self.losses.clone()
    }

    /// Counts packets that were given up because the lane was full.
    pub(crate) fn count_lost(&mut self, packets: usize) {
        self.losses.0.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// Ends the lane: no packet will follow.
    pub fn close(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl<R> PacketLaneReceiver<R> {
    /// Replaces `burst` by the packets at the lane's front; `None` if the lane has ended.
    #[inline]
    pub fn receive_into<B: Burst>(&mut self, burst: &mut B) -> Option<usize>
    where
        R: BurstReceiver<B>,
    {
        let packets = self.ring.receive_into(burst);
        if packets > 0 {
            return Some(packets);
        }
        if !self.closed.load(Ordering::Acquire) {
            return Some(0);
        }
        // What was sent before the closing shows after it.
        let packets = self.ring.receive_into(burst);
        (packets > 0).then_some(packets)
    }
}

/// The sender's end of a lane of blocks.
pub struct BlockSender {
    queue: rtrb::Producer<Block>,
}

/// The receiver's end of a lane of blocks.
pub struct BlockReceiver {
    queue: rtrb::Consumer<Block>,
}

/// Makes a lane that holds `blocks` blocks: those of the whole pool, so that it is never full.
pub fn block_lane(blocks: usize) -> (BlockSender, BlockReceiver) {
    let (sender, receiver) = rtrb::RingBuffer::new(blocks);
    (BlockSender { queue: sender }, BlockReceiver { queue: receiver })
}

impl BlockSender {
    /// Hands a block over.
    ///
    /// # Panics
    ///
    /// If the lane holds more blocks than it was made for, which is the whole pool.
    pub fn send(&mut self, block: Block) {
        assert!(self.queue.push(block).is_ok(), "a block lane has room for the whole pool");
    }
}

impl BlockReceiver {
    /// Returns the next block, if there is one.
    pub fn receive(&mut self) -> Option<Block> {
        self.queue.pop().ok()
    }

    /// Returns whether the sender is gone and every block was taken.
    pub fn has_ended(&self) -> bool {
        // In this order: a block that was sent before the end is seen after it.
        self.queue.is_abandoned() && self.queue.is_empty()
    }
}

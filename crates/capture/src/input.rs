//! Input, in the pipeline shape: polls one queue and spreads its packets over Processing lcores.
//!
//! Packets of one flow go to one lane, by a hash that is the same for both directions: the NIC's
//! where it is symmetric, else our own. A lane that is full makes a [`WhenFull::Drop`] source give
//! its packets up, counted and told; a [`WhenFull::Hold`] source is not polled until they went.
//! Runs on: an Input lcore. Allocates: never.

use weir_model::{BURST_PACKETS_MAX, Burst, BurstSender, Clock, Frame, PacketSource};

use crate::intake::{Intake, Intaken, wire_bytes};
use crate::lane::{PacketLaneSender, WhenFull};
use crate::losses::PendingDrops;
use crate::stage::{Poll, Stage};

/// The most lanes of one Input, and so the most Processing lcores.
pub const LANES_MAX: usize = 255;

/// Bytes of a packet in pieces that are put together to hash it: more than any headers that the
/// hash looks at, but for long chains of IPv6 extension headers.
const HEADERS_BYTES_MAX: usize = 256;

/// How an Input picks a packet's lane.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Makes our own hash hard to guess for who sends the packets.
    pub seed: u32,
    /// Whether the NIC's hash is symmetric, and may be used.
    pub rss_is_symmetric: bool,
}

/// Polls one queue and spreads its packets.
pub struct Input<S: PacketSource, T, C> {
    intake: Intake<S, C>,
    burst: S::Burst,
    lanes: Vec<PacketLaneSender<T>>,
    /// For each lane, what is about to go there.
    outgoing: Vec<S::Burst>,
    spread: Spread,
    drops: PendingDrops,
    is_holding: bool,
}

impl<S: PacketSource, T: BurstSender<S::Burst>, C: Clock> Input<S, T, C> {
    /// Makes an Input of its queue and its lanes.
    ///
    /// # Panics
    ///
    /// If there is no lane, or more than [`LANES_MAX`].
    pub fn new(
        intake: Intake<S, C>,
        lanes: Vec<PacketLaneSender<T>>,
        spread: Spread,
        drops: PendingDrops,
    ) -> Self {
        assert!((1..=LANES_MAX).contains(&lanes.len()), "an Input has 1 to {LANES_MAX} lanes");
        let outgoing = lanes.iter().map(|_| S::Burst::default()).collect();
        Self {
            intake,
            burst: S::Burst::default(),
            lanes,
            outgoing,
            spread,
            drops,
            is_holding: false,
        }
    }

    /// Sorts the burst into one burst for each lane.
    #[inline]
    fn sort(&mut self) {
        if self.lanes.len() == 1 {
            core::mem::swap(&mut self.burst, &mut self.outgoing[0]);
            return;
        }
        let mut lane_of = [0; BURST_PACKETS_MAX];
        for (index, lane) in lane_of.iter_mut().enumerate().take(self.burst.len()) {
            *lane = lane_of_hash(self.hash(index), self.lanes.len());
        }
        self.burst.scatter(&lane_of, &mut self.outgoing);
    }

    #[inline]
    fn hash(&self, index: usize) -> u32 {
        match self.burst.frame(index) {
            Ok(frame) => match frame.rss_hash {
                Some(hash) if self.spread.rss_is_symmetric => hash,
                _ => self.own_hash(&frame),
            },
            // Any Processing will count it.
            Err(_) => 0,
        }
    }

    #[inline]
    fn own_hash(&self, frame: &Frame<'_>) -> u32 {
        match frame.contiguous() {
            Some(bytes) => weir_packet::flow_hash(bytes, self.spread.seed),
            None => {
                // Its headers may lie in several pieces.
                let mut headers = [0; HEADERS_BYTES_MAX];
                let bytes = frame.copy_to(&mut headers);
                weir_packet::flow_hash(&headers[..bytes], self.spread.seed)
            }
        }
    }

    /// Sends what is outgoing, and returns how many packets went. Shows them as held before it
    /// sends, so that nobody is seen to take what is not yet counted, and as handed after, so that
    /// what was handed never becomes less.
    fn send(&mut self) -> usize {
        let (packets, bytes) = outgoing(&self.outgoing);
        let counters = &mut self.intake.counters;
        counters.held_packets = packets;
        counters.held_bytes = bytes;
        self.intake.publish();
        let mut sent = 0;
        for (lane, burst) in self.lanes.iter_mut().zip(&mut self.outgoing) {
            if !burst.is_empty() {
                sent += lane.send(burst);
            }
        }
        let (left_packets, left_bytes) =
            if sent as u64 == packets { (0, 0) } else { outgoing(&self.outgoing) };
        let counters = &mut self.intake.counters;
        counters.handed_packets += packets - left_packets;
        counters.handed_bytes += bytes - left_bytes;
        counters.held_packets = left_packets;
        counters.held_bytes = left_bytes;
        self.is_holding = left_packets > 0 && self.intake.origin.when_full == WhenFull::Hold;
        if left_packets > 0 && !self.is_holding {
            self.drop_left();
        }
        self.intake.publish();
        sent
    }

    /// Gives up what did not fit.
    #[cold]
    fn drop_left(&mut self) {
        let counters = &mut self.intake.counters;
        counters.lost_ring_full_packets += counters.held_packets;
        counters.lost_ring_full_bytes += counters.held_bytes;
        self.drops.add_os(self.intake.origin.port, counters.held_packets);
        counters.held_packets = 0;
        counters.held_bytes = 0;
        for (lane, burst) in self.lanes.iter_mut().zip(&mut self.outgoing) {
            lane.count_lost(burst.len());
            burst.clear();
        }
    }
}

/// Returns the packets of all bursts and their bytes on the wire.
#[inline]
fn outgoing<B: Burst>(bursts: &[B]) -> (u64, u64) {
    let count =
        |(packets, bytes), burst: &B| (packets + burst.len() as u64, bytes + wire_bytes(burst));
    bursts.iter().fold((0, 0), count)
}

impl<S: PacketSource, T: BurstSender<S::Burst>, C: Clock> Stage for Input<S, T, C> {
    fn poll(&mut self) -> Poll {
        if self.is_holding {
            return Poll::worked(self.send());
        }
        match self.intake.take(&mut self.burst) {
            Intaken::Packets { packets, .. } => {
                self.sort();
                self.send();
                Poll::Worked(packets)
            }
            Intaken::Nothing => Poll::Idle,
            Intaken::Stopped => {
                self.intake.publish();
                self.lanes.iter_mut().for_each(PacketLaneSender::close);
                Poll::Finished
            }
        }
    }
}

/// Returns the lane of a hash: its upper bits, scaled, so that any number of lanes is spread to
/// evenly without a division.
#[inline]
fn lane_of_hash(hash: u32, lanes: usize) -> u8 {
    ((u64::from(hash) * lanes as u64) >> 32) as u8
}

#[cfg(test)]
mod tests;

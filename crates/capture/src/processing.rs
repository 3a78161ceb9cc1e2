//! Processing, in the pipeline shape: takes packets from the lanes of every Input.
//!
//! Runs on: a Processing lcore. Allocates: never.

use weir_model::{Burst, BurstReceiver, Clock};

use crate::intake::wire_bytes;
use crate::lane::PacketLaneReceiver;
use crate::processor::Processor;
use crate::stage::{Poll, Stage};

/// A lane, with the burst in hand and how far it has come.
struct Incoming<B, R> {
    lane: PacketLaneReceiver<R>,
    burst: B,
    next: usize,
    has_ended: bool,
}

impl<B: Burst, R: BurstReceiver<B>> Incoming<B, R> {
    /// Deals with the burst in hand, or with the next one, and returns how many packets that were.
    #[inline]
    fn poll<C: Clock>(&mut self, processor: &mut Processor<C>) -> usize {
        if self.next == self.burst.len() {
            match self.lane.receive_into(&mut self.burst) {
                Some(0) => return 0,
                Some(packets) => {
                    let bytes = wire_bytes(&self.burst);
                    processor.take(packets as u64, bytes, &self.lane.origin);
                    self.next = 0;
                }
                None => {
                    self.has_ended = true;
                    return 0;
                }
            }
        }
        let from = self.next;
        self.next = processor.process(&self.burst, from, &self.lane.origin);
        let dealt = self.next - from;
        if self.next == self.burst.len() {
            self.burst.clear();
            self.next = 0;
        }
        dealt
    }
}

/// Takes bursts from lanes and processes them.
pub struct Processing<B, R, C> {
    incoming: Vec<Incoming<B, R>>,
    processor: Processor<C>,
}

impl<B: Burst, R: BurstReceiver<B>, C: Clock> Processing<B, R, C> {
    /// Makes a Processing of its lanes.
    pub fn new(lanes: Vec<PacketLaneReceiver<R>>, processor: Processor<C>) -> Self {
        let incoming = lanes
            .into_iter()
            .map(|lane| Incoming { lane, burst: B::default(), next: 0, has_ended: false })
            .collect();
        Self { incoming, processor }
    }
}

impl<B: Burst, R: BurstReceiver<B>, C: Clock> Stage for Processing<B, R, C> {
    fn poll(&mut self) -> Poll {
        let mut dealt = 0;
        for incoming in &mut self.incoming {
            if !incoming.has_ended {
                dealt += incoming.poll(&mut self.processor);
            }
        }
        let all_ended = self.incoming.iter().all(|incoming| incoming.has_ended);
        if all_ended && self.processor.finish() {
            self.processor.publish();
            return Poll::Finished;
        }
        self.processor.flush_if_old();
        self.processor.publish();
        Poll::worked(dealt)
    }
}

//! Input and Processing as one stage: the fused shape, without a ring between them.
//!
//! Runs on: a fused lcore. Allocates: never.

use weir_model::{Burst, Clock, PacketSource};

use crate::intake::{Intake, Intaken};
use crate::processor::Processor;
use crate::stage::{Poll, Stage};

/// Polls one queue and processes what comes at once.
pub struct Fused<S: PacketSource, C> {
    intake: Intake<S, C>,
    processor: Processor<C>,
    burst: S::Burst,
    next: usize,
}

impl<S: PacketSource, C: Clock> Fused<S, C> {
    /// Makes a fused stage of a queue and what processes it.
    pub fn new(intake: Intake<S, C>, processor: Processor<C>) -> Self {
        Self { intake, processor, burst: S::Burst::default(), next: 0 }
    }

    /// Processes the burst in hand, and returns how many packets that were.
    #[inline]
    fn process(&mut self) -> usize {
        let from = self.next;
        self.next = self.processor.process(&self.burst, from, &self.intake.origin);
        let dealt = self.next - from;
        if self.next == self.burst.len() {
            self.burst.clear();
            self.next = 0;
        }
        self.processor.flush_if_old();
        self.processor.publish();
        dealt
    }
}

impl<S: PacketSource, C: Clock> Stage for Fused<S, C> {
    fn poll(&mut self) -> Poll {
        if !self.burst.is_empty() {
            return Poll::worked(self.process());
        }
        match self.intake.take(&mut self.burst) {
            Intaken::Packets { packets, bytes } => {
                let counters = &mut self.intake.counters;
                counters.handed_packets = counters.received_packets;
                counters.handed_bytes = counters.received_bytes;
                // Before the packets are processed: nobody may be seen to take what was not given.
                self.intake.publish();
                self.processor.take(packets as u64, bytes, &self.intake.origin);
                self.next = 0;
                self.process();
                Poll::Worked(packets)
            }
            Intaken::Nothing => {
                self.processor.flush_if_old();
                Poll::Idle
            }
            Intaken::Stopped => {
                self.intake.publish();
                if self.processor.finish() {
                    self.processor.publish();
                    Poll::Finished
                } else {
                    Poll::Idle
                }
            }
        }
    }
}

//! A ring between two lcores, with a way to be full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::RngExt;
use rand_pcg::Pcg64;
use weir_model::{BURST_PACKETS_MAX, Burst, BurstReceiver, BurstSender};

use crate::burst::SimBurst;
use crate::packet::SimPacket;
use crate::seed;

/// Makes a ring of `capacity_packets`. The ends may be on two threads.
pub fn sim_ring(capacity_packets: usize) -> (SimRingSender, SimRingReceiver) {
    sim_ring_with(capacity_packets, RingFaults::default())
}

/// Makes a ring that is full, now and then, while it has room.
pub fn sim_ring_with(
    capacity_packets: usize,
    faults: RingFaults,
) -> (SimRingSender, SimRingReceiver) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity_packets);
    let sender = SimRingSender {
        producer,
        rng: seed::rng(faults.seed),
        faults,
        stall_polls: 0,
        gate: RingGate::default(),
    };
    (sender, SimRingReceiver { consumer })
}

/// How often a ring is full without cause.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingFaults {
    /// Where the choices come from.
    pub seed: u64,
    /// The share of calls of `send` that start a stall.
    pub stall_ratio: f64,
    /// The most calls that a stall lasts.
    pub stall_polls_max: u32,
}

/// A gate before a ring: while it is closed, the ring takes nothing. A clone is the same gate.
#[derive(Clone, Debug, Default)]
pub struct RingGate(Arc<AtomicBool>);

impl RingGate {
    /// Makes the ring full from now on.
    pub fn close(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Makes the ring take packets again.
    pub fn open(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The producer's end.
pub struct SimRingSender {
    producer: rtrb::Producer<SimPacket>,
    rng: Pcg64,
    faults: RingFaults,
    stall_polls: u32,
    gate: RingGate,
}

impl SimRingSender {
    /// Returns the gate before this ring.
    pub fn gate(&self) -> RingGate {
        self.gate.clone()
    }

    fn stalls(&mut self) -> bool {
        if self.gate.0.load(Ordering::Acquire) {
            return true;
        }
        if self.stall_polls == 0 && self.rng.random_bool(self.faults.stall_ratio) {
            self.stall_polls = self.rng.random_range(0..=self.faults.stall_polls_max);
        }
        let is_stalled = self.stall_polls > 0;
        self.stall_polls = self.stall_polls.saturating_sub(1);
        is_stalled
    }
}

impl BurstSender<SimBurst> for SimRingSender {
    fn send(&mut self, burst: &mut SimBurst) -> usize {
        if self.stalls() {
            return 0;
        }
        let count = self.producer.slots().min(burst.len());
        for packet in burst.take_front(count) {
            self.producer.push(packet).expect("the ring has as many free slots as it said");
        }
        count
    }

    fn capacity_packets(&self) -> usize {
        self.producer.buffer().capacity()
    }
}

/// The consumer's end.
pub struct SimRingReceiver {
    consumer: rtrb::Consumer<SimPacket>,
}

impl BurstReceiver<SimBurst> for SimRingReceiver {
    fn receive_into(&mut self, burst: &mut SimBurst) -> usize {
        burst.clear();
        while burst.len() < BURST_PACKETS_MAX {
            let Ok(packet) = self.consumer.pop() else {
                break;
            };
            burst.push(packet);
        }
        burst.len()
    }
}

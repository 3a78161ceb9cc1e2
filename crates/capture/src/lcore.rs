//! An lcore: a list of stages, polled in turn, and what to do when none has work.
//!
//! Runs on: the lcore itself. Allocates: never once it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use weir_model::Clock;
use weir_telemetry::{LcoreCounters, Published, Publisher, published};

use crate::stage::{Poll, Stage};

/// What an lcore does while there is no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It polls on: the CPU is its own, and latency is what counts.
    Spin,
    /// It gives the CPU to whoever else wants it, and sleeps after a while: the CPU is shared.
    Yield,
}

/// Rounds without work before a sharing lcore yields at all.
const SPIN_ROUNDS: u32 = 8;

/// Rounds without work before it sleeps instead of yielding.
const YIELD_ROUNDS: u32 = 200;

/// How long it sleeps: short against the time in which a NIC's queue fills (1,024 descriptors at
/// 1 Mpps are 1 ms).
const SLEEP: Duration = Duration::from_micros(50);

/// Rounds between two publications of an lcore's counters while it has work.
const PUBLISH_ROUNDS: u64 = 256;

/// An lcore, ready to run.
pub struct Lcore<C> {
    stages: Vec<Box<dyn Stage>>,
    idle: Idle,
    clock: C,
    turned_at_ns: u64,
    idle_rounds: u32,
    counters: LcoreCounters,
    publisher: Publisher<LcoreCounters>,
    heartbeat: Arc<AtomicU64>,
}

/// How others see an lcore.
#[derive(Clone)]
pub struct LcoreView {
    /// What it counts.
    pub counters: Published<LcoreCounters>,
    heartbeat: Arc<AtomicU64>,
}

impl LcoreView {
    /// Returns a number that changes as long as the lcore turns.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Ordering::Relaxed)
    }
}

impl<C: Clock> Lcore<C> {
    /// Makes an lcore of its stages, in the order in which they are polled.
    pub fn new(stages: Vec<Box<dyn Stage>>, idle: Idle, mut clock: C) -> (Self, LcoreView) {
        let (publisher, counters) = published();
        let heartbeat = Arc::new(AtomicU64::new(0));
        let view = LcoreView { counters, heartbeat: Arc::clone(&heartbeat) };
        let lcore = Self {
            stages,
            idle,
            turned_at_ns: clock.monotonic_ns(),
            clock,
            idle_rounds: 0,
            counters: LcoreCounters::default(),
            publisher,
            heartbeat,
        };
        (lcore, view)
    }

    /// Runs until every stage has finished.
    pub fn run(mut self) {
        while self.turn() {
            if self.idle_rounds > 0 {
                self.rest();
            }
        }
    }

    /// Polls every stage once, and returns whether some stage goes on.
    pub fn turn(&mut self) -> bool {
        let worked = self.poll_stages();
        let now_ns = self.clock.monotonic_ns();
        let took_ns = now_ns.saturating_sub(self.turned_at_ns);
        self.turned_at_ns = now_ns;
        self.counters.rounds += 1;
        self.counters.elapsed_ns += took_ns;
        if worked {
            self.counters.busy_ns += took_ns;
            self.idle_rounds = 0;
        } else {
            self.idle_rounds = self.idle_rounds.saturating_add(1);
        }
        let goes_on = !self.stages.is_empty();
        if self.idle_rounds > 0 || !goes_on || self.counters.rounds.is_multiple_of(PUBLISH_ROUNDS) {
            self.publish();
        }
        goes_on
    }

    /// Polls every stage once, and lets go of those that have finished. A stage is dropped where
    /// it ran, so that what it owns (mbufs, a mempool's cache) is given back by its own lcore.
    fn poll_stages(&mut self) -> bool {
        let mut worked = false;
        self.stages.retain_mut(|stage| match stage.poll() {
            Poll::Worked(_) => {
                worked = true;
                true
            }
            Poll::Idle => true,
            Poll::Finished => false,
        });
        worked
    }

    fn rest(&mut self) {
        let idle_rounds = self.idle_rounds;
        if self.idle == Idle::Spin || idle_rounds <= SPIN_ROUNDS {
            core::hint::spin_loop();
            return;
        }
        self.counters.yields += 1;
        if idle_rounds <= SPIN_ROUNDS + YIELD_ROUNDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(SLEEP);
        }
    }

    fn publish(&mut self) {
        self.publisher.publish(&self.counters);
        self.heartbeat.store(self.counters.rounds, Ordering::Relaxed);
    }
}

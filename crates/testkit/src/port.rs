//! A port that delivers as badly as real ones do, and knows exactly what it delivered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand::RngExt;
use rand_pcg::Pcg64;
use weir_model::{BURST_PACKETS_MAX, Burst, PacketSource};

use crate::burst::SimBurst;
use crate::packet::{SimPool, WirePacket};
use crate::seed;

/// How a port behaves.
#[derive(Clone, Debug)]
pub struct SimPortConfig {
    /// Where all its choices come from.
    pub seed: u64,
    /// Where its buffers come from.
    pub pool: SimPool,
    /// The fewest and the most packets that a poll looks for; each poll chooses between them.
    pub burst_packets: std::ops::RangeInclusive<usize>,
    /// The share of polls that start a pause.
    pub pause_ratio: f64,
    /// The most polls that a pause lasts.
    pub pause_polls_max: u32,
    /// The share of packets that the port loses before it has a buffer (`imissed`).
    pub loss_ratio: f64,
    /// What happens to a packet for which there is no buffer.
    pub nombuf: Nombuf,
    /// Whether the ledger keeps a copy of each delivered packet.
    pub keeps_delivered: bool,
}

/// What happens to a packet for which the pool has no buffer. Drivers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nombuf {
    /// It is lost, and counted once (`net_pcap`).
    Lost,
    /// It waits for the next poll, and each attempt is counted (`net_af_xdp`).
    Waits,
}

impl SimPortConfig {
    /// Bursts of 0 to [`BURST_PACKETS_MAX`] packets, a pause now and then, and no loss but for
    /// want of buffers.
    pub fn new(seed: u64, pool: SimPool) -> Self {
        Self {
            seed,
            pool,
            burst_packets: 0..=BURST_PACKETS_MAX,
            pause_ratio: 0.05,
            pause_polls_max: 8,
            loss_ratio: 0.0,
            nombuf: Nombuf::Lost,
            keeps_delivered: false,
        }
    }

    /// Full bursts and no pause, for tests that are not about the port.
    pub fn steady(seed: u64, pool: SimPool) -> Self {
        Self {
            burst_packets: BURST_PACKETS_MAX..=BURST_PACKETS_MAX,
            pause_ratio: 0.0,
            ..Self::new(seed, pool)
        }
    }
}

/// A simulated receive queue.
pub struct SimPort {
    config: SimPortConfig,
    traffic: Box<dyn Iterator<Item = WirePacket> + Send>,
    rng: Pcg64,
    pause_polls: u32,
    waiting: Option<WirePacket>,
    ledger: SimPortLedger,
}

impl SimPort {
    /// A port that delivers `traffic` and is silent after its end.
    pub fn new<T>(config: SimPortConfig, traffic: T) -> Self
    where
        T: IntoIterator<Item = WirePacket>,
        T::IntoIter: Send + 'static,
    {
        Self {
            rng: seed::rng(config.seed),
            config,
            traffic: Box::new(traffic.into_iter()),
            pause_polls: 0,
            waiting: None,
            ledger: SimPortLedger::default(),
        }
    }

    /// Returns the port's counts, which go on while it is polled.
    pub fn ledger(&self) -> SimPortLedger {
        self.ledger.clone()
    }

    /// Returns whether this poll falls into a pause.
    fn pauses(&mut self) -> bool {
        if self.pause_polls == 0 && self.rng.random_bool(self.config.pause_ratio) {
            self.pause_polls = self.rng.random_range(0..=self.config.pause_polls_max);
        }
        let is_paused = self.pause_polls > 0;
        self.pause_polls = self.pause_polls.saturating_sub(1);
        is_paused
    }

    /// Returns the next packet that is not lost on the way.
    fn next_packet(&mut self) -> Option<WirePacket> {
        if let Some(packet) = self.waiting.take() {
            return Some(packet);
        }
        loop {
            let Some(packet) = self.traffic.next() else {
                self.ledger.0.is_exhausted.store(true, Ordering::Release);
                return None;
            };
            if !self.rng.random_bool(self.config.loss_ratio) {
                return Some(packet);
            }
            self.ledger.0.missed.add(&packet);
        }
    }
}

impl PacketSource for SimPort {
    type Burst = SimBurst;

    fn receive_into(&mut self, burst: &mut SimBurst, packets_max: usize) -> usize {
        burst.clear();
        if self.pauses() {
            return 0;
        }
        let wanted = self.rng.random_range(self.config.burst_packets.clone());
        let wanted = wanted.min(packets_max).min(BURST_PACKETS_MAX);
        while burst.len() < wanted {
            let Some(packet) = self.next_packet() else {
                break;
            };
            match self.config.pool.fill(packet) {
                Ok(packet) => {
                    self.ledger.deliver(packet.wire(), self.config.keeps_delivered);
                    burst.push(packet);
                }
                Err(packet) => {
                    self.ledger.0.nombuf_attempts.fetch_add(1, Ordering::AcqRel);
                    match self.config.nombuf {
                        Nombuf::Lost => self.ledger.0.nombuf.add(&packet),
                        Nombuf::Waits => self.waiting = Some(packet),
                    }
                    break;
                }
            }
        }
        burst.len()
    }
}

/// Packets and their bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

/// What a port did, exactly: offered = delivered + missed + nombuf. A clone counts on.
#[derive(Clone, Debug, Default)]
pub struct SimPortLedger(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    delivered: Count,
    missed: Count,
    nombuf: Count,
    nombuf_attempts: AtomicU64,
    is_exhausted: AtomicBool,
    kept: Mutex<Vec<WirePacket>>,
}

#[derive(Debug, Default)]
struct Count {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    fn add(&self, packet: &WirePacket) {
        self.packets.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(u64::from(packet.wire_bytes), Ordering::AcqRel);
    }

    fn tally(&self) -> Tally {
        Tally {
            packets: self.packets.load(Ordering::Acquire),
            bytes: self.bytes.load(Ordering::Acquire),
        }
    }
}

impl SimPortLedger {
    fn deliver(&self, packet: &WirePacket, keep: bool) {
        self.0.delivered.add(packet);
        if keep {
            self.kept().push(packet.clone());
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<WirePacket>> {
        self.0.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Returns what the wire brought, as far as its fate is settled.
    pub fn offered(&self) -> Tally {
        self.delivered() + self.missed() + self.nombuf()
    }

    /// Returns what was handed out in bursts.
    pub fn delivered(&self) -> Tally {
        self.0.delivered.tally()
    }

    /// Returns what was lost before there was a buffer (`imissed`).
    pub fn missed(&self) -> Tally {
        self.0.missed.tally()
    }

    /// Returns what was lost for want of a buffer.
    pub fn nombuf(&self) -> Tally {
        self.0.nombuf.tally()
    }

    /// Returns how often a buffer was wanted and none was there (`rx_nombuf`).
    pub fn nombuf_attempts(&self) -> u64 {
        self.0.nombuf_attempts.load(Ordering::Acquire)
    }

    /// Returns whether the traffic has ended and everything was delivered or lost.
    pub fn is_exhausted(&self) -> bool {
        self.0.is_exhausted.load(Ordering::Acquire)
    }

    /// Returns the delivered packets in order, if the port was told to keep them.
    pub fn delivered_packets(&self) -> Vec<WirePacket> {
        self.kept().clone()
    }
}

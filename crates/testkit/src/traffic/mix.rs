//! Many conversations at once, as a tap sees them.

use rand::RngExt;
use rand_pcg::Pcg64;
use weir_model::Timestamp;

use super::flow::{Conversation, Place};
use crate::packet::WirePacket;
use crate::seed;

/// What a mix is made of.
#[derive(Clone, Copy, Debug)]
pub struct TrafficMixConfig {
    /// Where all choices come from.
    pub seed: u64,
    /// The first packet's time.
    pub start: Timestamp,
    /// The mean time between two packets, in nanoseconds.
    pub gap_ns_mean: u64,
    /// Conversations that go on at the same time.
    pub live_flows: usize,
    /// Clients, and half as many servers.
    pub hosts: u16,
    /// The share of conversations over IPv6.
    pub ipv6_ratio: f64,
    /// The share of conversations with a VLAN tag.
    pub vlan_ratio: f64,
}

impl TrafficMixConfig {
    /// A busy office: 200 conversations at once, a quarter of them IPv6, a fifth tagged, 100,000
    /// packets a second, from 2026-01-01 on.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            start: Timestamp::from_ns(1_767_225_600_000_000_000),
            gap_ns_mean: 10_000,
            live_flows: 200,
            hosts: 500,
            ipv6_ratio: 0.25,
            vlan_ratio: 0.2,
        }
    }
}

/// Endless traffic: conversations of TCP, UDP, ICMP, ARP, fragments and tunnels, interleaved, with
/// heavy-tailed lengths, right checksums, and timestamps that never go back.
#[derive(Debug)]
pub struct TrafficMix {
    config: TrafficMixConfig,
    rng: Pcg64,
    now: Timestamp,
    live: Vec<Conversation>,
}

impl TrafficMix {
    /// The mix of [`TrafficMixConfig::new`].
    pub fn new(seed: u64) -> Self {
        Self::with(TrafficMixConfig::new(seed))
    }

    /// A mix of one's own.
    ///
    /// # Panics
    ///
    /// If there are no hosts or no live flows, or a ratio is not between 0 and 1.
    pub fn with(config: TrafficMixConfig) -> Self {
        assert!(config.live_flows > 0 && config.hosts > 1, "traffic needs flows and hosts");
        let mut mix =
            Self { config, rng: seed::rng(config.seed), now: config.start, live: Vec::new() };
        mix.live = (0..config.live_flows).map(|_| mix.conversation()).collect();
        mix
    }

    fn conversation(&mut self) -> Conversation {
        let rng = &mut self.rng;
        let place = Place {
            is_ipv6: rng.random_bool(self.config.ipv6_ratio),
            vlan: rng.random_bool(self.config.vlan_ratio).then(|| rng.random_range(1..20) * 10),
            client: rng.random_range(0..self.config.hosts),
            server: rng.random_range(0..self.config.hosts / 2),
        };
        Conversation::start(place, rng)
    }

    fn advance(&mut self) -> Timestamp {
        // Exponential gaps: packets arrive when they like, and often close together.
        let uniform: f64 = self.rng.random_range(f64::EPSILON..1.0);
        let gap_ns = -uniform.ln() * self.config.gap_ns_mean as f64;
        self.now = self.now.saturating_add_ns(gap_ns as u64);
        self.now
    }
}

impl Iterator for TrafficMix {
    type Item = WirePacket;

    fn next(&mut self) -> Option<WirePacket> {
        loop {
            let chosen = self.rng.random_range(0..self.live.len());
            if let Some(frame) = self.live[chosen].next(&mut self.rng) {
                return Some(WirePacket::new(frame).at(self.advance()));
            }
            self.live[chosen] = self.conversation();
        }
    }
}

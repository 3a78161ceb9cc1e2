//! Frames meant to hurt whoever reads them.

use rand::RngExt;
use rand_pcg::Pcg64;

use super::frame::FrameBuilder;
use super::layer::{Geneve, Gre, Layer};
use super::mix::TrafficMix;
use crate::packet::WirePacket;
use crate::seed;

/// The most bytes of a hostile frame.
const FRAME_BYTES_MAX: usize = 65_535;

/// Endless hostile frames: rubbish, real frames with bytes changed or cut off, stacks and tunnels
/// that never end, and nothing at all.
#[derive(Debug)]
pub struct Hostile {
    rng: Pcg64,
    real: TrafficMix,
}

impl Hostile {
    /// The hostile frames of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { rng: seed::rng(seed ^ 0x686f_7374), real: TrafficMix::new(seed) }
    }

    fn rubbish(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.random_range(0..200)];
        self.rng.fill(&mut bytes[..]);
        bytes
    }

    /// A real frame with up to eight bytes changed, most of them in the headers.
    fn mutated(&mut self) -> Vec<u8> {
        let mut bytes = self.real_frame();
        for _ in 0..self.rng.random_range(1..=8) {
            let end = if self.rng.random_bool(0.8) { bytes.len().min(64) } else { bytes.len() };
            let at = self.rng.random_range(0..end);
            bytes[at] = match self.rng.random_range(0..4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ 1 << self.rng.random_range(0..8),
                _ => self.rng.random(),
            };
        }
        bytes
    }

    fn cut(&mut self) -> Vec<u8> {
        let mut bytes = self.real_frame();
        let length = self.rng.random_range(0..bytes.len());
        bytes.truncate(length);
        bytes
    }

    /// The same header again and again.
    fn nested(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let kind = rng.random_range(0..9);
        let layers = rng.random_range(0..60);
        let mut frame = FrameBuilder::ethernet();
        for _ in 0..layers {
            frame = nest(frame, kind, rng);
        }
        let mut bytes = frame.ipv4([10, 0, 0, 1], [10, 0, 0, 2]).udp(1, 2).build();
        bytes.truncate(FRAME_BYTES_MAX);
        bytes
    }

    fn real_frame(&mut self) -> Vec<u8> {
        self.real.next().map_or_else(Vec::new, |packet| packet.bytes)
    }
}

/// Adds one more of what the `kind`th way to nest nests.
fn nest(frame: FrameBuilder, kind: u32, rng: &mut Pcg64) -> FrameBuilder {
    let (one, other) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    match kind {
        0 => frame.layer(Layer::Vlan {
            tpid: [0x8100, 0x88a8, 0x9100][rng.random_range(0..3)],
            tci: rng.random(),
        }),
        1 => frame.mpls(rng.random_range(0..1 << 20)),
        2 => frame.ipv4(one, other),
        3 => frame.ipv6([1; 16], [2; 16]),
        4 => {
            let key = rng.random::<bool>().then_some(7);
            let sequence = rng.random::<bool>().then_some(8);
            frame.ipv4(one, other).layer(Layer::Gre(Gre {
                has_checksum: rng.random(),
                key,
                sequence,
            }))
        }
        5 => frame.ipv4(one, other).vxlan(rng.random_range(0..1 << 24)),
        6 => {
            let options = vec![0; rng.random_range(0..=63) * 4];
            let geneve = Geneve { vni: 5, options };
            frame.ipv4(one, other).udp(1, 6081).layer(Layer::Geneve(geneve)).inner_ethernet()
        }
        7 => frame.ipv4(one, other).gtp_user(rng.random()),
        _ => frame.ipv6([1; 16], [2; 16]).extension([0, 43, 60, 135][rng.random_range(0..4)]),
    }
}

impl Iterator for Hostile {
    type Item = WirePacket;

    fn next(&mut self) -> Option<WirePacket> {
        let bytes = match self.rng.random_range(0..10) {
            0 => Vec::new(),
            1 | 2 => self.rubbish(),
            3..=5 => self.mutated(),
            6 | 7 => self.cut(),
            _ => self.nested(),
        };
        Some(WirePacket::new(bytes))
    }
}

//! The whole data path in a simulation: fake ports, rings, clock and disk, all from one seed.
//!
//! Every seed makes another appliance: ports, shape, lcores, rings, blocks, filter, snaplen, faults
//! of rings and disk. While it runs, the law of accounting must hold at every look; at its end
//! nothing may be in flight, every buffer must be back, and the files must say what the counters
//! say. `WEIR_SEEDS=FROM..TO` runs other seeds, `WEIR_FULL=1` ten times as many.

mod files;
mod world;

use std::collections::BTreeMap;

use weir_telemetry::Accounting;

use crate::files::Files;
use crate::world::World;

/// Seeds of an ordinary run.
const SEEDS: u64 = 1_000;

/// Rounds over all lcores after which a world that has not ended is said to hang.
const ROUNDS_MAX: u64 = 2_000_000;

fn seeds() -> std::ops::Range<u64> {
    if let Ok(range) = std::env::var("WEIR_SEEDS")
        && let Some((from, to)) = range.split_once("..")
        && let (Ok(from), Ok(to)) = (from.parse(), to.parse())
    {
        return from..to;
    }
    let is_full = std::env::var_os("WEIR_FULL").is_some_and(|value| value == "1");
    0..if is_full { 10 * SEEDS } else { SEEDS }
}

#[test]
fn the_law_holds_for_every_seed() {
    let mut seen = Seen::default();
    for seed in seeds() {
        let outcome = std::panic::catch_unwind(|| run(seed));
        match outcome {
            Ok(accounting) => seen.add(&accounting),
            Err(_) => {
                panic!("seed {seed} failed: run it alone with WEIR_SEEDS={seed}..{}", seed + 1)
            }
        }
    }
    seen.check();
}

/// A failing seed must fail again: what a seed does is the same every time.
#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17, 42] {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

/// What became of packets over all seeds: a simulation in which nothing is ever lost shows little.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    fn add(&mut self, accounting: &Accounting) {
        let causes = [
            ("stored", accounting.stored.packets),
            ("filtered", accounting.filtered.packets),
            ("ring_full", accounting.lost_ring_full.packets),
            ("pool_exhausted", accounting.lost_pool_exhausted.packets),
            ("malformed_mbuf", accounting.lost_malformed_mbuf.packets),
            ("disk_full", accounting.lost_disk_full.packets),
            ("io_error", accounting.lost_io_error.packets),
            ("sliced", accounting.sliced_bytes),
        ];
        for (cause, count) in causes {
            *self.0.entry(cause).or_default() += count;
        }
    }

    fn check(&self) {
        println!("over all seeds: {:?}", self.0);
        if std::env::var_os("WEIR_SEEDS").is_none() {
            assert!(self.0.values().all(|&count| count > 0), "never seen: {:?}", self.0);
        }
    }
}

/// Runs a world to its end, and returns where its packets went.
fn run(seed: u64) -> Accounting {
    let mut world = World::new(seed);
    let mut rounds = 0;
    while world.turn() {
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "seed {seed} hangs: {:?}", world.accounting());
        if world.is_time_to_look() {
            world.look();
        }
    }
    let accounting = world.accounting();
    let at_rest = accounting.at_rest();
    assert!(at_rest.is_explained(), "seed {seed}: {accounting:?}");
    world.check_buffers();
    world.check_ports(&at_rest);
    Files::read(&world).check(&world, &at_rest);
    at_rest
}

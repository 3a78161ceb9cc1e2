//! One simulated appliance, made of a seed.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use weir_capture::{
    Assembly, BLOCK_OVERHEAD_BYTES, BlockConfig, Description, InterfaceText, Lcore, OutputConfig,
    OutputStorage, Parts, Plan, PlannedPort, ProcessingConfig, QueueSource, Shape, Stop, Views,
    Wanted, WhenFull, assemble,
};
use weir_filter::Program;
use weir_model::{LinkType, PortId, QueueId, SNAPLEN_BYTES_MAX, Timestamp, TimestampSource};
use weir_segment::{Compression, NamePrefix, RotationPolicy, SegmentNamer, SegmentOptions};
use weir_telemetry::Accounting;
use weir_testkit::{
    DiskOp, Fault, FrameBuilder, Latency, ManualClock, RingFaults, SimDisk, SimPool, SimPort,
    SimPortConfig, SimPortLedger, WirePacket, sim_ring_with,
};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// When the simulated day begins.
const DAWN: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_000);

/// The port to which packets go that the filter, where there is one, does not want.
const UNWANTED_PORT: u16 = 7;

/// A simulated appliance.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) disk: SimDisk,
    pub(crate) ledgers: Vec<SimPortLedger>,
    pub(crate) is_compressed: bool,
    pub(crate) snaplen_bytes: u32,
    views: Views,
    lcores: Vec<Option<Lcore<ManualClock>>>,
    clock: ManualClock,
    pool: SimPool,
    stop: Stop,
    rng: StdRng,
    before: Accounting,
    /// When the order to stop comes, where the sources do not end by themselves.
    stop_after_ns: u64,
    /// Until when the last lcore, which writes, gets no CPU: blocks run out meanwhile.
    starved_until_ns: u64,
    /// When space comes back on a disk that was full.
    freed_after_ns: Option<u64>,
}

/// What a seed decides before anything is made.
struct Choices {
    ports: u16,
    shape: Shape,
    processings: usize,
    outputs: usize,
    lcores: usize,
    packets: u64,
    when_full: WhenFull,
}

impl Choices {
    fn new(rng: &mut StdRng) -> Self {
        let ports = rng.random_range(1..=3);
        let shape = *[Shape::Pipeline, Shape::Fused].choose(rng).expect("there are two");
        let processings = match shape {
            Shape::Fused => usize::from(ports),
            Shape::Pipeline => rng.random_range(1..=4),
        };
        Self {
            ports,
            shape,
            processings,
            outputs: rng.random_range(1..=processings),
            lcores: rng.random_range(1..=9),
            packets: rng.random_range(0..=800),
            when_full: *[WhenFull::Hold, WhenFull::Drop].choose(rng).expect("there are two"),
        }
    }

    fn plan(&self) -> Plan {
        let port = |port| PlannedPort { port: PortId(port), rx_queues: 1, has_dma: false };
        Plan::new(&Wanted {
            ports: (0..self.ports).map(port).collect(),
            cpus: vec![0, 1],
            shape: Some(self.shape),
            lcores: Some(self.lcores),
            processings: Some(self.processings),
            outputs: Some(self.outputs),
        })
        .expect("the choices make a plan")
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let choices = Choices::new(&mut rng);
        let plan = choices.plan();
        let clock = ManualClock::new(DAWN);
        let pool = SimPool::new(rng.random_range(64..4096));
        let (ledgers, queues) = queues(&choices, &pool, &mut rng);
        let disk = SimDisk::new(rng.next_u64());
        let freed_after_ns = spoil(&disk, &clock, &mut rng);
        let snaplen_bytes = *[60, 128, SNAPLEN_BYTES_MAX].choose(&mut rng).expect("three");
        let is_compressed = rng.random_bool(0.5);
        let stop = Stop::new(None);
        let ring_faults = rng.random_bool(0.5);
        let ring_packets = 1 << rng.random_range(6..=10);
        let ring_seed = rng.next_u64();
        let parts = Parts {
            queues,
            clock: clock.clone(),
            processing: processing(snaplen_bytes, &mut rng),
            blocks: BlockConfig {
                blocks: match rng.random_bool(0.7) {
                    true => 2 * plan.processings + plan.outputs,
                    false => 4 * (plan.processings + plan.outputs),
                },
                block_bytes: SNAPLEN_BYTES_MAX as usize + BLOCK_OVERHEAD_BYTES,
                copy: None,
            },
            output: output(choices.ports, snaplen_bytes, is_compressed, &mut rng),
            storages: storages(&disk, plan.outputs),
            stop: stop.clone(),
            hash_seed: rng.random(),
        };
        let assembled = assemble(&plan, parts, |_, _, processing| {
            let stall_ratio = if ring_faults { 0.2 } else { 0.0 };
            let seed = ring_seed ^ processing as u64;
            let faults = RingFaults { seed, stall_ratio, stall_polls_max: 40 };
            Ok::<_, std::convert::Infallible>(sim_ring_with(ring_packets, faults))
        });
        let Assembly { lcores, views } = assembled.expect("a simulated appliance starts");
        Self {
            seed,
            disk,
            ledgers,
            is_compressed,
            snaplen_bytes,
            views,
            lcores: lcores.into_iter().map(|(_, lcore)| Some(lcore)).collect(),
            clock,
            pool,
            stop,
            stop_after_ns: rng.random_range(0..=40_000_000),
            starved_until_ns: if rng.random_bool(0.3) {
                rng.random_range(0..=200_000_000)
            } else {
                0
            },
            rng,
            before: Accounting::default(),
            freed_after_ns,
        }
    }

    /// Polls one lcore, whichever the seed picks, and lets time pass. Returns whether some goes on.
    pub(crate) fn turn(&mut self) -> bool {
        self.clock.advance_ns(self.rng.random_range(1..=20_000));
        let elapsed_ns = self.clock.elapsed_ns();
        let has_ended = self.ledgers.iter().all(SimPortLedger::is_exhausted);
        if has_ended && elapsed_ns > self.stop_after_ns {
            self.stop.request();
        }
        if self.freed_after_ns.is_some_and(|freed_ns| elapsed_ns > freed_ns) {
            self.disk.set_free_bytes(None);
        }
        if self.rng.random_ratio(1, 500) {
            self.views.rotate.request();
        }
        if self.rng.random_ratio(1, 200) {
            let port = PortId(self.rng.random_range(0..self.ledgers.len() as u16));
            self.views.drops.add_nic(port, 0);
        }
        let index = self.rng.random_range(0..self.lcores.len());
        if index + 1 == self.lcores.len() && elapsed_ns < self.starved_until_ns {
            return true;
        }
        if let Some(lcore) = &mut self.lcores[index]
            && !lcore.turn()
        {
            self.lcores[index] = None;
        }
        self.lcores.iter().any(Option::is_some)
    }

    pub(crate) fn is_time_to_look(&mut self) -> bool {
        self.rng.random_ratio(1, 20)
    }

    /// Reads everything from sink to source, as the control core does.
    pub(crate) fn accounting(&self) -> Accounting {
        let outputs: Vec<_> = self.views.outputs.iter().map(|output| output.read()).collect();
        let processings: Vec<_> = self.views.processings.iter().map(|own| own.read()).collect();
        let inputs: Vec<_> = self.views.inputs.iter().map(|(_, _, own)| own.read()).collect();
        Accounting::of(&outputs, &processings, &inputs)
    }

    /// Holds a reading to the law, and to the reading before.
    pub(crate) fn look(&mut self) {
        let now = self.accounting();
        let seed = self.seed;
        assert!(now.is_explained(), "seed {seed}: {now:?}");
        assert!(now.stored.packets <= now.received.packets, "seed {seed}: {now:?}");
        assert!(now.durable_packets <= now.stored.packets, "seed {seed}: {now:?}");
        let rising = |of: fn(&Accounting) -> u64| {
            assert!(of(&self.before) <= of(&now), "seed {seed}: {:?} then {now:?}", self.before);
        };
        rising(|accounting| accounting.received.packets);
        rising(|accounting| accounting.stored.packets);
        rising(|accounting| accounting.filtered.packets);
        rising(|accounting| accounting.durable_packets);
        rising(|accounting| accounting.lost().packets);
        // What a polled packet holds is alive, and nothing else is.
        assert!(self.pool.live_packets() as u64 <= now.in_flight.packets, "seed {seed}: {now:?}");
        self.before = now;
    }

    /// Every packet buffer and every block is back.
    pub(crate) fn check_buffers(&self) {
        assert_eq!(self.pool.live_packets(), 0, "seed {}: packets leaked", self.seed);
        let pool = &self.views.pool;
        assert_eq!(pool.blocks_available(), pool.blocks(), "seed {}: blocks leaked", self.seed);
    }

    /// What the ports say that they delivered is what was received.
    pub(crate) fn check_ports(&self, accounting: &Accounting) {
        let delivered: u64 = self.ledgers.iter().map(|ledger| ledger.delivered().packets).sum();
        let bytes: u64 = self.ledgers.iter().map(|ledger| ledger.delivered().bytes).sum();
        assert_eq!(accounting.received.packets, delivered, "seed {}", self.seed);
        assert_eq!(accounting.received.bytes, bytes, "seed {}", self.seed);
    }

    /// How many segments were left unsealed, and how many syncs or seals failed.
    pub(crate) fn unsealed_segments(&self) -> u64 {
        self.views.outputs.iter().map(|output| output.read().unsealed_segments).sum()
    }
}

fn queues(
    choices: &Choices,
    pool: &SimPool,
    rng: &mut StdRng,
) -> (Vec<SimPortLedger>, Vec<QueueSource<SimPort>>) {
    let mut ledgers = Vec::new();
    let mut queues = Vec::new();
    for port in 0..choices.ports {
        let config = SimPortConfig {
            keeps_delivered: true,
            // Long pauses stretch the traffic, so that blocks are handed over by their age.
            pause_ratio: *[0.05, 0.5].choose(rng).expect("there are two"),
            pause_polls_max: *[8, 100].choose(rng).expect("there are two"),
            ..SimPortConfig::new(rng.next_u64(), pool.clone())
        };
        let source = SimPort::new(config, traffic(port, choices.packets, rng.next_u64()));
        ledgers.push(source.ledger());
        queues.push(QueueSource {
            port: PortId(port),
            queue: QueueId(0),
            source,
            when_full: choices.when_full,
            timestamps: TimestampSource::Tsc,
            rss_is_symmetric: false,
        });
    }
    (ledgers, queues)
}

/// Packets of a few flows, each with its place in the flow: of many sizes, in one piece and in
/// several, and some whose descriptor lies.
fn traffic(port: u16, packets: u64, seed: u64) -> Vec<WirePacket> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..packets)
        .map(|number| {
            let flow = rng.random_range(0..5_u8);
            let mut payload = number.to_be_bytes().to_vec();
            let payload_bytes =
                if rng.random_ratio(1, 200) { 9_000 } else { rng.random_range(8..1_400) };
            payload.resize(payload_bytes, flow);
            let to = if rng.random_ratio(1, 4) { UNWANTED_PORT } else { 80 };
            let frame = FrameBuilder::ethernet()
                .ipv4([10, port as u8, 0, flow], [10, 99, 0, 1])
                .udp(1_000 + u16::from(flow), to)
                .payload(&payload)
                .build();
            let packet = WirePacket::new(frame);
            match rng.random_range(0..100) {
                0 => packet.malformed(),
                1..=10 => {
                    packet.segmented(vec![rng.random_range(1..60), 1, rng.random_range(0..40)])
                }
                11..=14 => packet.sliced(rng.random_range(14..60)),
                _ => packet,
            }
        })
        .collect()
}

/// Gives the disk its faults, and returns when space comes back, if it goes.
fn spoil(disk: &SimDisk, clock: &ManualClock, rng: &mut StdRng) -> Option<u64> {
    if rng.random_bool(0.5) {
        disk.set_latency(
            clock.clone(),
            Latency {
                append_ns: rng.random_range(0..200_000),
                append_ns_per_kib: rng.random_range(0..20_000),
                sync_ns: rng.random_range(0..5_000_000),
            },
        );
    }
    if rng.random_bool(0.3) {
        disk.set_short_writes(0.3);
        disk.set_interrupts(0.3);
    }
    if rng.random_bool(0.3) {
        let operation = *[DiskOp::Append, DiskOp::Sync].choose(rng).expect("two");
        let errno = *[EIO, ENOSPC].choose(rng).expect("two");
        // The first few operations open the first segments: an appliance that cannot is not one.
        disk.inject(Fault::nth(operation, rng.random_range(8..40), errno));
    }
    if rng.random_bool(0.2) {
        disk.set_free_bytes(Some(rng.random_range(20_000..400_000)));
        return Some(rng.random_range(0..60_000_000));
    }
    None
}

fn processing(snaplen_bytes: u32, rng: &mut StdRng) -> ProcessingConfig {
    let filter = rng.random_bool(0.5).then(|| {
        let expression = format!("not udp dst port {UNWANTED_PORT}");
        Program::compile(&expression, LinkType::ETHERNET, SNAPLEN_BYTES_MAX).expect("it compiles")
    });
    ProcessingConfig {
        filter,
        snaplen_bytes,
        record_queue: rng.random(),
        record_hash: rng.random(),
        flush_ns: rng.random_range(100_000..20_000_000),
    }
}

fn output(ports: u16, snaplen_bytes: u32, is_compressed: bool, rng: &mut StdRng) -> OutputConfig {
    let interface = |port| InterfaceText {
        name: format!("sim{port}"),
        description: None,
        mac: None,
        speed_bits_per_second: None,
        filter: None,
        hardware: "simulated".to_owned(),
        timestamp_source: TimestampSource::Tsc,
        timestamp_error_bound_ns: None,
        knows_missed_packets: true,
    };
    OutputConfig {
        segment: SegmentOptions {
            compression: if is_compressed {
                Compression::Zstd { level: -1 }
            } else {
                Compression::None
            },
        },
        rotation: RotationPolicy {
            segment_bytes_max: rng.random_bool(0.5).then(|| rng.random_range(50_000..500_000)),
            interval_ns: rng.random_bool(0.3).then_some(10_000_000),
        },
        sync_interval_ns: rng.random_range(100_000..50_000_000),
        sync_bytes: rng.random_range(1..1_000_000),
        description: Arc::new(Description {
            hardware: "simulated".to_owned(),
            os: "simulated".to_owned(),
            program: "weir simulation".to_owned(),
            snaplen_bytes,
            interfaces: (0..ports).map(interface).collect(),
        }),
    }
}

fn storages(disk: &SimDisk, outputs: usize) -> Vec<OutputStorage<SimDisk>> {
    let storage = |output| {
        let prefix = NamePrefix::new(&format!("sim-{output}")).expect("a good prefix");
        let namer = SegmentNamer::scan(disk, prefix).expect("the disk can be listed");
        OutputStorage { storage: disk.clone(), namer }
    };
    (0..outputs).map(storage).collect()
}

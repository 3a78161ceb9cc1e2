//! What the data path does to a packet between its receipt and the finished block: stamp, judge,
//! classify, copy, account. Packets lie in memory and cost nothing to receive, so that all of the
//! time is ours.
//!
//! - `frames/SIZE`: TCP over IPv4 in frames of 64, 512 and 1500 bytes, everything kept.
//! - `frames/SIZE/port_443`: the same, behind a filter that keeps all of them.
//! - `frames/SIZE/port_80`: the same, behind one that keeps none.
//! - `zeros/64`: what `net_null` delivers, which no short way through the headers fits.
//! - `mix`, `mix/port_443`: a mix of traffic, whose branches the processor cannot foresee.
//!
//! Time is that of the thread on its CPU, so that other programs on the machine disturb little.
//! Throughput is in packets: bursts of 64, through a pool of 8 blocks of 1 MiB.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use weir_capture::{
    BlockPool, BlockReceiver, Fused, Intake, Origin, PendingDrops, Poll, ProcessingConfig,
    Processor, Stage, Stamper, Stop, TimeKeeper, TscClock, WhenFull, block_lane,
};
use weir_filter::Program;
use weir_model::{
    BURST_PACKETS_MAX, Burst, Frame, LinkType, MalformedFrame, PacketSource, PortId, QueueId,
    SNAPLEN_BYTES_MAX, Timestamp, TimestampSource,
};
use weir_testkit::{FrameBuilder, TrafficMix};

const BLOCKS: usize = 8;
const BLOCK_BYTES: usize = 1 << 20;
const FRAME_BYTES: [usize; 3] = [64, 512, 1500];
/// As many mbufs as a mempool's cache would turn round.
const FRAMES: usize = 256;
const MIX_PACKETS: usize = 4096;

/// Packets that were there before the benchmark and will be after it.
type Packets = &'static [Vec<u8>];

/// A burst of packets that nobody owns.
struct MemoryBurst {
    packets: Packets,
    times: [Timestamp; BURST_PACKETS_MAX],
}

impl Default for MemoryBurst {
    fn default() -> Self {
        Self { packets: &[], times: [Timestamp::EPOCH; BURST_PACKETS_MAX] }
    }
}

impl Burst for MemoryBurst {
    #[inline]
    fn len(&self) -> usize {
        self.packets.len()
    }

    #[inline]
    fn frame(&self, index: usize) -> Result<Frame<'_>, MalformedFrame> {
        let head = &self.packets[index][..];
        Ok(Frame {
            head,
            chain: None,
            captured_bytes: head.len() as u32,
            wire_bytes: head.len() as u32,
            timestamp: self.times[index],
            rss_hash: None,
        })
    }

    #[inline]
    fn wire_bytes(&self, index: usize) -> u32 {
        self.packets[index].len() as u32
    }

    #[inline]
    fn source_timestamp(&self, _: usize) -> Option<Timestamp> {
        None
    }

    #[inline]
    fn set_timestamp(&mut self, index: usize, timestamp: Timestamp) {
        self.times[index] = timestamp;
    }

    fn scatter(&mut self, _: &[u8], _: &mut [Self]) {
        unreachable!("a fused stage does not spread packets");
    }

    #[inline]
    fn clear(&mut self) {
        self.packets = &[];
    }
}

/// A queue that delivers the same packets round and round, in full bursts.
struct MemorySource {
    packets: Packets,
    next: usize,
}

impl PacketSource for MemorySource {
    type Burst = MemoryBurst;

    #[inline]
    fn receive_into(&mut self, burst: &mut MemoryBurst, packets_max: usize) -> usize {
        let end = (self.next + packets_max.min(BURST_PACKETS_MAX)).min(self.packets.len());
        burst.packets = &self.packets[self.next..end];
        self.next = if end == self.packets.len() { 0 } else { end };
        burst.packets.len()
    }
}

/// A fused stage over packets in memory, and what stands for an Output.
struct Path {
    stage: Fused<MemorySource, TscClock>,
    blocks: BlockReceiver,
    pool: BlockPool,
}

impl Path {
    fn new(packets: Packets, filter: Option<&str>, clock: &TscClock) -> Self {
        let compile = |expression| {
            Program::compile(expression, LinkType::ETHERNET, SNAPLEN_BYTES_MAX)
                .expect("the expression is right")
        };
        let origin = Origin { port: PortId(0), queue: QueueId(0), when_full: WhenFull::Hold };
        let stamper = Stamper::new(clock.clone(), TimestampSource::Tsc);
        let source = MemorySource { packets, next: 0 };
        let (intake, _) = Intake::new(source, stamper, Stop::new(None), origin);
        let pool = BlockPool::new(BLOCKS, BLOCK_BYTES, 1).expect("there is memory for 8 MiB");
        let (sender, blocks) = block_lane(BLOCKS);
        let config = ProcessingConfig {
            filter: filter.map(compile),
            snaplen_bytes: SNAPLEN_BYTES_MAX,
            record_queue: true,
            record_hash: true,
            flush_ns: 1_000_000_000,
        };
        let drops = PendingDrops::new(1);
        let (processor, _) = Processor::new(config, clock.clone(), pool.clone(), sender, drops, 1);
        Self { stage: Fused::new(intake, processor), blocks, pool }
    }

    /// Lets a burst through.
    fn turn(&mut self) {
        let polled = self.stage.poll();
        debug_assert_eq!(polled, Poll::Worked(BURST_PACKETS_MAX));
        black_box(polled);
        while let Some(block) = self.blocks.receive() {
            self.pool.give_back(black_box(block));
        }
    }
}

fn on_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut path: Path) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = on_cpu();
            for _ in 0..rounds {
                path.turn();
            }
            on_cpu() - start
        });
    });
}

/// TCP frames to port 443, of different flows.
fn frames(bytes: usize) -> Packets {
    let frame = |index: usize| {
        let [.., high, low] = index.to_be_bytes();
        let headers = FrameBuilder::ethernet().ipv4([10, 0, high, low], [192, 0, 2, 1]);
        let tcp = headers.tcp(40_000, 443, 0x10);
        let bare_bytes = tcp.clone().build().len();
        tcp.payload(&vec![7; bytes - bare_bytes]).build()
    };
    let frames: Vec<_> = (0..FRAMES).map(frame).collect();
    assert!(frames.iter().all(|frame| frame.len() == bytes));
    frames.leak()
}

fn bench_processor(criterion: &mut Criterion) {
    let mut keeper = TimeKeeper::start();
    keeper.re_anchor();
    let clock = keeper.clock();
    let mut group = criterion.benchmark_group("processor");
    group.throughput(Throughput::Elements(BURST_PACKETS_MAX as u64));
    for bytes in FRAME_BYTES {
        let packets = frames(bytes);
        bench(&mut group, &format!("frames/{bytes}"), Path::new(packets, None, &clock));
        for port in [443, 80] {
            let filter = format!("tcp port {port}");
            let path = Path::new(packets, Some(&filter), &clock);
            bench(&mut group, &format!("frames/{bytes}/port_{port}"), path);
        }
    }
    let zeros: Packets = vec![vec![0; 64]; FRAMES].leak();
    bench(&mut group, "zeros/64", Path::new(zeros, None, &clock));
    let mix: Vec<_> = TrafficMix::new(1).take(MIX_PACKETS).map(|packet| packet.bytes).collect();
    let mix: Packets = mix.leak();
    bench(&mut group, "mix", Path::new(mix, None, &clock));
    bench(&mut group, "mix/port_443", Path::new(mix, Some("tcp port 443"), &clock));
    group.finish();
}

criterion_group!(benches, bench_processor);
criterion_main!(benches);

//! The numbers of a running capture, put together.
//!
//! Stages' counters are read when they are asked for, from sink to source. What only the control
//! core may read (a NIC's counters: some are reset by reading) it reads ten times a second, and
//! what it read last stands beside them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use weir_capture::{LaneLosses, Plan, PlannedLcore, PlannedStage, Stop, Views, WhenFull};
use weir_dpdk::{Counter, NicCounters, RingGauge};
use weir_model::{PortId, QueueId, TimestampSource};
use weir_segment::Compression;
use weir_telemetry::{
    Accounting, AccountingStats, BufferStats, HeaderStats, InputCounters, LcoreStats, LinkStats,
    NicCounter, NicStats, OutputCounters, OutputStats, PortStats, ProcessingCounters, RingStats,
    STATS_VERSION, StageStats, State, Stats, TimestampStats,
};

use super::RunError;
use super::ports::{OpenPort, StartedPorts};
use crate::build_info;
use crate::config::Config;

/// A ring, as others see it.
pub(crate) struct RingView {
    pub(crate) port: PortId,
    pub(crate) queue: QueueId,
    pub(crate) processing: usize,
    pub(crate) gauge: RingGauge,
}

/// What the control core read of a port last.
struct PortSample {
    name: String,
    driver: String,
    when_full: WhenFull,
    timestamps: TimestampSource,
    rx_queues: u16,
    link: LinkStats,
    nic: NicStats,
    missed_packets: Option<u64>,
    xstats: BTreeMap<String, u64>,
}

/// What the control core read last.
#[derive(Default)]
struct Sample {
    ports: Vec<PortSample>,
    mbufs: u64,
    mbufs_available: u64,
    mbufs_at_start: u64,
    clock_error_bound_ns: Option<u64>,
    tsc_hz: f64,
    clock_steps: u64,
}

struct Inner {
    program: String,
    run_id: String,
    started_at: Timestamp,
    started: Instant,
    directory: String,
    compression_level: Option<i32>,
    plan: Plan,
    views: Views,
    rings: Vec<RingView>,
    stop: Stop,
    state: AtomicU8,
    sample: Mutex<Sample>,
}

/// Everything that the numbers are made of, shared by whoever is asked for them.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

/// Every stage's counters, read from sink to source.
struct Counters {
    outputs: Vec<OutputCounters>,
    processings: Vec<ProcessingCounters>,
    inputs: Vec<(PortId, QueueId, InputCounters)>,
}

impl Counters {
    fn read(views: &Views) -> Self {
        // The order is the law: what upstream counts later can only show as in flight.
        let outputs = views.outputs.iter().map(|output| output.read()).collect();
        let processings = views.processings.iter().map(|processing| processing.read()).collect();
        let inputs =
            views.inputs.iter().map(|(port, queue, input)| (*port, *queue, input.read())).collect();
        Self { outputs, processings, inputs }
    }

    fn accounting(&self) -> Accounting {
        let inputs: Vec<InputCounters> = self.inputs.iter().map(|input| input.2).collect();
        Accounting::of(&self.outputs, &self.processings, &inputs)
    }

    fn input(&self, port: PortId, queue: QueueId) -> InputCounters {
        let is_it = |input: &&(PortId, QueueId, InputCounters)| (input.0, input.1) == (port, queue);
        self.inputs.iter().find(is_it).map(|input| input.2).unwrap_or_default()
    }

    fn sum(&self, of: impl Fn(&InputCounters) -> u64) -> u64 {
        self.inputs.iter().map(|input| of(&input.2)).sum()
    }

    fn sum_outputs(&self, of: impl Fn(&OutputCounters) -> u64) -> u64 {
        self.outputs.iter().map(of).sum()
    }
}

impl Shared {
    /// Puts together what there is to know.
    pub(crate) fn new(
        config: &Config,
        plan: &Plan,
        views: Views,
        rings: Vec<RingView>,
        stop: Stop,
    ) -> Self {
        let started_at = Timestamp::now();
        Self(Arc::new(Inner {
            program: build_info::program(),
            run_id: format!("{}-{}", started_at.as_nanosecond(), std::process::id()),
            started_at,
            started: Instant::now(),
            directory: config.output.directory.display().to_string(),
            compression_level: match config.output.compression {
                Compression::None => None,
                Compression::Zstd { level } => Some(level),
            },
            plan: plan.clone(),
            views,
            rings,
            stop,
            state: AtomicU8::new(State::Capturing as u8),
            sample: Mutex::default(),
        }))
    }

    /// Returns how others see the data path.
    pub(crate) fn views(&self) -> &Views {
        &self.0.views
    }

    /// Gives the order to stop.
    pub(crate) fn request_stop(&self) {
        self.set_state(State::Draining);
        self.0.stop.request();
    }

    /// Returns whether the order to stop was given, by whomever.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stop.is_requested()
    }

    /// Sets what the capture is said to be doing.
    pub(crate) fn set_state(&self, state: State) {
        self.0.state.store(state as u8, Ordering::Relaxed);
    }

    fn state(&self) -> State {
        let said = self.0.state.load(Ordering::Relaxed);
        let state = [State::Starting, State::Draining, State::Stopped, State::Failed]
            .into_iter()
            .find(|state| *state as u8 == said)
            .unwrap_or(State::Capturing);
        // A limit of packets stops the Inputs without asking anybody.
        if state == State::Capturing && self.is_stopping() { State::Draining } else { state }
    }

    /// Reads ports, mempool and clock, on the control core, and returns for each port how many
    /// packets it has missed so far, where that is known.
    pub(crate) fn sample(
        &self,
        ports: &mut StartedPorts,
        clock: &weir_capture::TimeKeeper,
    ) -> Vec<Option<u64>> {
        use weir_model::Clock;
        let sampled: Vec<PortSample> = ports.ports.iter_mut().map(sample_port).collect();
        let missed = sampled.iter().map(|port| port.missed_packets).collect();
        *self.0.sample.lock().unwrap_or_else(PoisonError::into_inner) = Sample {
            ports: sampled,
            mbufs: u64::from(ports.mempool.size()),
            mbufs_available: u64::from(ports.mempool.available_mbufs()),
            mbufs_at_start: u64::from(ports.mbufs_at_start),
            clock_error_bound_ns: clock.clock().error_bound_ns(),
            tsc_hz: clock.tsc_hz(),
            clock_steps: clock.clock_steps(),
        };
        missed
    }

    /// Says how many mbufs are free when everything has stopped.
    pub(crate) fn set_mbufs_available(&self, mbufs: u64) {
        self.0.sample.lock().unwrap_or_else(PoisonError::into_inner).mbufs_available = mbufs;
    }

    /// Returns how many packets were received so far.
    pub(crate) fn received_packets(&self) -> u64 {
        self.0.views.inputs.iter().map(|(_, _, input)| input.read().received_packets).sum()
    }

    /// Returns where every packet is now.
    pub(crate) fn accounting(&self) -> Accounting {
        Counters::read(&self.0.views).accounting()
    }

    /// Reads everything.
    pub(crate) fn stats(&self) -> Stats {
        let inner = &*self.0;
        let counters = Counters::read(&inner.views);
        let state = self.state();
        let accounting = match (state, counters.accounting()) {
            (State::Stopped | State::Failed, accounting) => accounting.at_rest(),
            (_, accounting) => accounting,
        };
        let sample = inner.sample.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            version: STATS_VERSION,
            program: inner.program.clone(),
            run_id: inner.run_id.clone(),
            started_at: inner.started_at.to_string(),
            read_at: Timestamp::now().to_string(),
            uptime_seconds: inner.started.elapsed().as_secs_f64(),
            state,
            // Nothing can be changed while it runs, yet.
            generation: 1,
            level: 0,
            accounting: AccountingStats::from(&accounting),
            ports: sample
                .ports
                .iter()
                .enumerate()
                .map(|(index, port)| port_stats(index, port, &counters))
                .collect(),
            lcores: self.lcores(&counters),
            rings: inner.rings.iter().zip(&inner.views.lanes).map(ring_stats).collect(),
            buffers: buffer_stats(&inner.views, &sample, &counters),
            headers: header_stats(&counters.processings),
            output: self.output(&counters, accounting.durable_packets),
            timestamps: timestamp_stats(&sample, &counters),
        }
    }

    fn lcores(&self, counters: &Counters) -> Vec<LcoreStats> {
        let lcore = |(planned, view): (&PlannedLcore, &weir_capture::LcoreView)| {
            let own = view.counters.read();
            LcoreStats {
                lcore: planned.lcore.0,
                cpu: u32::try_from(planned.cpu).unwrap_or(u32::MAX),
                stages: planned.stages.iter().map(|stage| stage_stats(stage, counters)).collect(),
                busy_ratio: ratio(own.busy_ns, own.elapsed_ns).unwrap_or(0.0),
                rounds: own.rounds,
                yields: own.yields,
            }
        };
        self.0.plan.lcores.iter().zip(&self.0.views.lcores).map(lcore).collect()
    }

    fn output(&self, counters: &Counters, durable_packets: u64) -> OutputStats {
        let encoded_bytes = counters.sum_outputs(|output| output.encoded_bytes);
        let stored_bytes = counters.sum_outputs(|output| output.file_bytes);
        OutputStats {
            directory: self.0.directory.clone(),
            encoded_bytes,
            stored_bytes,
            compression_ratio: ratio(encoded_bytes, stored_bytes).filter(|_| encoded_bytes > 0),
            compression_level: self.0.compression_level,
            blocks: counters.sum_outputs(|output| output.blocks),
            sealed_segments: counters.sum_outputs(|output| output.sealed_segments),
            unsealed_segments: counters.sum_outputs(|output| output.unsealed_segments),
            durable_packets,
            storage_errors: counters.sum_outputs(|output| output.storage_errors),
            sync_ns_max: counters.outputs.iter().map(|o| o.sync_ns_max).max().unwrap_or(0),
        }
    }
}

fn sample_port(port: &mut OpenPort) -> PortSample {
    let counters = port.started.read_counters();
    let link = port.started.link();
    let info = port.started.info();
    PortSample {
        name: info.name.clone(),
        driver: info.driver.clone(),
        when_full: port.when_full,
        timestamps: port.timestamps,
        rx_queues: port.started.rx_queues(),
        link: LinkStats { up: Some(link.up), speed_mbps: link.speed_mbps },
        missed_packets: missed_packets(&counters),
        nic: nic_stats(&counters),
        xstats: port.started.xstats().into_iter().collect(),
    }
}

/// What was lost before our polls, as far as it is known at all.
fn missed_packets(counters: &NicCounters) -> Option<u64> {
    Some(counters.missed_packets.known()? + counters.no_mbuf.known().unwrap_or(0))
}

fn nic_stats(counters: &NicCounters) -> NicStats {
    let plain = |counter: Counter| NicCounter {
        value: counter.known(),
        reason: match counter {
            Counter::Known(_) => None,
            Counter::Unknown(reason) => Some(reason.to_owned()),
        },
    };
    let missed = plain(counters.missed_packets);
    NicStats {
        received_packets: plain(counters.received_packets),
        received_bytes: plain(counters.received_bytes),
        missed_packets: NicCounter {
            reason: missed.reason.or_else(|| Some(counters.missed_source.to_owned())),
            ..missed
        },
        error_packets: plain(counters.errors),
        no_mbuf_packets: plain(counters.no_mbuf),
    }
}

fn port_stats(index: usize, port: &PortSample, counters: &Counters) -> PortStats {
    let id = super::port_id(index);
    let of_port = |of: fn(&InputCounters) -> u64| {
        counters.inputs.iter().filter(|input| input.0 == id).map(|input| of(&input.2)).sum()
    };
    let received_packets = of_port(|input| input.received_packets);
    PortStats {
        port: id.0,
        name: port.name.clone(),
        driver: port.driver.clone(),
        when_full: port.when_full.as_str().to_owned(),
        link: port.link.clone(),
        rx_queues: port.rx_queues,
        received_packets,
        received_bytes: of_port(|input| input.received_bytes),
        offered_packets: port.missed_packets.map(|missed| received_packets + missed),
        nic: port.nic.clone(),
        xstats: port.xstats.clone(),
        timestamp_source: port.timestamps.as_str().to_owned(),
    }
}

fn stage_stats(stage: &PlannedStage, counters: &Counters) -> StageStats {
    let (taken_packets, passed_packets, held_packets) = match *stage {
        PlannedStage::Input { port, queue } => {
            let input = counters.input(port, queue);
            (input.received_packets, input.handed_packets, input.held_packets)
        }
        PlannedStage::Processing { processing, .. } | PlannedStage::Fused { processing, .. } => {
            let processing = &counters.processings[processing];
            (processing.taken_packets, processing.accepted_packets, processing.held_packets)
        }
        PlannedStage::Output { output } => {
            let output = &counters.outputs[output];
            (output.taken_packets, output.stored_packets, 0)
        }
    };
    StageStats { stage: stage.to_string(), taken_packets, passed_packets, held_packets }
}

fn ring_stats((ring, losses): (&RingView, &LaneLosses)) -> RingStats {
    let RingView { port, queue, processing, gauge } = ring;
    RingStats {
        ring: format!("input {port}.{queue} -> processing {processing}"),
        capacity_packets: gauge.capacity_packets() as u64,
        used_packets: gauge.packets() as u64,
        lost_packets: losses.packets(),
    }
}

fn buffer_stats(views: &Views, sample: &Sample, counters: &Counters) -> BufferStats {
    let pool = &views.pool;
    BufferStats {
        mbufs: sample.mbufs,
        mbufs_available: sample.mbufs_available,
        mbufs_at_start: sample.mbufs_at_start,
        blocks: pool.blocks() as u64,
        blocks_available: pool.blocks_available() as u64,
        block_bytes: pool.block_bytes() as u64,
        blocks_in_hugepages: pool.in_hugepages(),
        block_denials: counters.processings.iter().map(|own| own.block_denials).sum(),
    }
}

fn header_stats(processings: &[ProcessingCounters]) -> HeaderStats {
    let sum = |of: fn(&ProcessingCounters) -> u64| processings.iter().map(of).sum();
    HeaderStats {
        ipv4_packets: sum(|own| own.ipv4_packets),
        ipv6_packets: sum(|own| own.ipv6_packets),
        non_ip_packets: sum(|own| own.non_ip_packets),
        fragment_packets: sum(|own| own.fragment_packets),
        vlan_packets: sum(|own| own.vlan_packets),
        undecodable_packets: sum(|own| own.undecodable_packets),
    }
}

fn timestamp_stats(sample: &Sample, counters: &Counters) -> TimestampStats {
    TimestampStats {
        hardware_packets: counters.sum(|input| input.stamped_hardware_packets),
        pmd_packets: counters.sum(|input| input.stamped_pmd_packets),
        tsc_packets: counters.sum(|input| input.stamped_tsc_packets),
        clock_error_bound_ns: sample.clock_error_bound_ns,
        spread_ns_max: counters
            .inputs
            .iter()
            .map(|input| input.2.stamp_spread_ns_max)
            .max()
            .unwrap_or(0),
        tsc_hz: sample.tsc_hz,
        clock_steps: sample.clock_steps,
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Writes the numbers to a file, whole or not at all.
pub(crate) fn write_file(path: &Path, stats: &Stats) -> Result<(), RunError> {
    let failed = |cause| RunError::StatsFile { path: path.to_owned(), cause };
    let mut json = serde_json::to_vec_pretty(stats).map_err(|cause| failed(cause.into()))?;
    json.push(b'\n');
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(&json))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|cause| {
        let _ = std::fs::remove_file(&beside);
        failed(cause)
    })
}

//! `weir run`: from the configuration to a capture, and from the capture to its account.

mod control;
mod description;
mod error;
mod launch;
mod live;
mod memory;
mod ports;
mod stats;
mod summary;

pub(crate) use error::RunError;

use std::path::Path;

use tracing::{info, warn};
use weir_capture::{
    Assembly, BlockConfig, OutputConfig, OutputStorage, Parts, Plan, PlannedPort, ProcessingConfig,
    Stop, TimeKeeper, TscClock, Wanted, assemble,
};
use weir_dpdk::{Eal, RxQueue, ring};
use weir_model::PortId;
use weir_segment::{Directory, SegmentNamer, SegmentOptions};

use self::memory::MbufPlan;
use self::ports::OpenPorts;
use crate::cli::RunArgs;
use crate::config::{self, Config, Device};
use crate::eal_args::{check_extra_args, eal_args};
use crate::exit::{AppError, Exit};
use crate::text::say;

/// Runs `weir run`.
pub(crate) fn run(arguments: &RunArgs) -> Result<Exit, AppError> {
    let config = config::load(arguments)?;
    let plan = Plan::new(&wanted(&config)).map_err(RunError::from)?;
    let mbufs = MbufPlan::new(&config, &plan).map_err(RunError::from)?;
    check_extra_args(&config).map_err(RunError::from)?;
    let memory = memory::choose(&config, &mbufs).map_err(RunError::from)?;
    let eal_arguments = eal_args(&config, &plan, memory);
    if arguments.plan {
        print_plan(&plan, &mbufs, &eal_arguments);
        return Ok(Exit::Done);
    }
    Ok(capture(&config, &plan, &mbufs, &eal_arguments)?)
}

fn wanted(config: &Config) -> Wanted {
    let port = |(index, port): (usize, &config::Port)| PlannedPort {
        port: port_id(index),
        rx_queues: port.rx_queues,
        has_dma: matches!(port.device, Device::Pci(_)),
    };
    Wanted {
        ports: config.ports.iter().enumerate().map(port).collect(),
        cpus: config.topology.cpus.clone(),
        shape: config.topology.shape,
        lcores: config.topology.lcores,
        processings: config.topology.processings,
        outputs: config.topology.outputs,
    }
}

fn port_id(index: usize) -> PortId {
    PortId(u16::try_from(index).unwrap_or(u16::MAX))
}

fn print_plan(plan: &Plan, mbufs: &MbufPlan, eal_arguments: &[String]) {
    say!("{}", plan.to_string().trim_end());
    say!("mbufs     {mbufs}");
    say!("eal       {}", eal_arguments.join(" "));
}

/// Captures, and returns how it ended. What can fail is opened in the order of how likely it is to
/// be somebody's mistake, and everything before the first packet is taken.
fn capture(
    config: &Config,
    plan: &Plan,
    mbufs: &MbufPlan,
    eal_arguments: &[String],
) -> Result<Exit, RunError> {
    let signals = control::Signals::catch()?;
    let storages = open_storages(config, plan)?;
    let eal = Eal::init(eal_arguments)?;
    let ports = OpenPorts::open(&eal, config, mbufs)?;
    let mut keeper = TimeKeeper::start();
    keeper.re_anchor();
    let stop = Stop::new(config.capture.stop_after_packets);
    let (assembly, gauges, ports) =
        assemble_all(&eal, config, plan, storages, ports, &keeper, &stop)?;
    let Assembly { lcores, views } = assembly;
    let shared = stats::Shared::new(config, plan, views, gauges, stop);
    let server = control::serve(config, &shared)?;
    let running = launch::launch(&eal, lcores)?;
    info!(shape = %plan.shape, lcores = plan.lcores.len(), "capturing");
    let ended = control::supervise(config, &shared, &signals, keeper, ports, running);
    drop(server);
    let stats = ended.finish(&shared)?;
    crate::table::print(&stats);
    if let Some(path) = &config.stats.file {
        stats::write_file(path, &stats)?;
    }
    Ok(summary::exit(&stats))
}

/// Opens the output directory, once for each Output.
fn open_storages(config: &Config, plan: &Plan) -> Result<Vec<OutputStorage<Directory>>, RunError> {
    let path: &Path = &config.output.directory;
    let directory = Directory::open(path)?;
    (0..plan.outputs)
        .map(|output| {
            let storage = directory.clone();
            let prefix = match plan.outputs {
                1 => config.output.prefix.clone(),
                // Each Output has its own sequence, and so its own names.
                _ => weir_segment::NamePrefix::new(&format!(
                    "{}-{output}",
                    config.output.prefix.as_str()
                ))?,
            };
            let namer = SegmentNamer::scan(&storage, prefix)
                .map_err(|cause| RunError::Scan { path: path.to_owned(), cause })?;
            Ok(OutputStorage { storage, namer })
        })
        .collect()
}

type Assembled = (Assembly<TscClock>, Vec<stats::RingView>, ports::StartedPorts);

#[allow(clippy::too_many_arguments, reason = "everything meets here, once")]
fn assemble_all(
    eal: &Eal,
    config: &Config,
    plan: &Plan,
    storages: Vec<OutputStorage<Directory>>,
    mut ports: OpenPorts,
    keeper: &TimeKeeper,
    stop: &Stop,
) -> Result<Assembled, RunError> {
    let description = description::describe(config, &mut ports);
    let (queues, ports) = ports.split();
    let mut gauges = Vec::new();
    let parts: Parts<RxQueue, TscClock, Directory> = Parts {
        queues,
        clock: keeper.clock(),
        processing: ProcessingConfig {
            filter: config.capture.filter.clone(),
            snaplen_bytes: config.capture.snaplen_bytes,
            record_queue: config.capture.record_queue,
            record_hash: config.capture.record_hash,
            flush_ns: nanoseconds(config.buffers.flush_interval),
        },
        blocks: BlockConfig {
            blocks: memory::blocks(config, plan),
            block_bytes: config.buffers.block_bytes,
            copy: Some(weir_dpdk::stream),
        },
        output: OutputConfig {
            segment: SegmentOptions { compression: config.output.compression },
            rotation: config.output.rotation,
            sync_interval_ns: nanoseconds(config.output.sync_interval),
            sync_bytes: config.output.sync_bytes,
            description: std::sync::Arc::new(description),
        },
        storages,
        stop: stop.clone(),
        hash_seed: hash_seed(),
    };
    let assembly = assemble(plan, parts, |port, queue, processing| {
        let name = format!("weir_{port}_{queue}_{processing}");
        let ends = ring::channel(eal, &name, config.buffers.ring_packets, None)?;
        gauges.push(stats::RingView { port, queue, processing, gauge: ends.0.gauge() });
        Ok::<_, weir_dpdk::RingError>(ends)
    })?;
    if !assembly.views.pool.in_hugepages() {
        warn!("the blocks lie in ordinary pages: no hugepages were free");
    }
    Ok((assembly, gauges, ports))
}

/// Returns a number that who sends packets cannot know, so that nobody aims at one lane.
fn hash_seed() -> u32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() as u32
}

fn nanoseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

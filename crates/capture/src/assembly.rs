//! Makes the stages of a plan and connects them.
//!
//! The one place that knows how stages are wired; it is the same for DPDK and for a simulation.

use std::io;

use weir_model::{
    BurstReceiver, BurstSender, Clock, PacketSource, PortId, QueueId, Storage, TimestampSource,
};
use weir_segment::{CreateError, SegmentNamer};
use weir_telemetry::{InputCounters, OutputCounters, ProcessingCounters, Published};

use crate::block::BlockPool;
use crate::fused::Fused;
use crate::input::{Input, Spread};
use crate::intake::Intake;
use crate::lane::{
    BlockReceiver, BlockSender, LaneLosses, Origin, PacketLaneReceiver, PacketLaneSender, WhenFull,
    block_lane, packet_lane,
};
use crate::lcore::{Idle, Lcore, LcoreView};
use crate::losses::PendingDrops;
use crate::output::{Output, OutputConfig, OutputPorts, RotateOrder};
use crate::processing::Processing;
use crate::processor::{BLOCK_OVERHEAD_BYTES, ProcessingConfig, Processor};
use crate::stage::Stage;
use crate::staging::CopyBytes;
use crate::stamp::Stamper;
use crate::stop::Stop;
use crate::topology::{Plan, PlannedLcore, PlannedStage};

/// A queue to be polled.
pub struct QueueSource<S> {
    /// The port.
    pub port: PortId,
    /// The queue.
    pub queue: QueueId,
    /// The queue itself.
    pub source: S,
    /// What it does when there is no room.
    pub when_full: WhenFull,
    /// Where its packets' timestamps come from.
    pub timestamps: TimestampSource,
    /// Whether the NIC's hash is the same for both directions of a flow.
    pub rss_is_symmetric: bool,
}

/// The storage of one Output.
pub struct OutputStorage<St> {
    /// The directory.
    pub storage: St,
    /// The names of its segments.
    pub namer: SegmentNamer,
}

/// Blocks: how many, and how large.
#[derive(Clone, Copy, Debug)]
pub struct BlockConfig {
    /// How many: at least two for each Processing and one for each Output.
    pub blocks: usize,
    /// The size of each, in bytes.
    pub block_bytes: usize,
    /// What copies packets into them; `None` is ordinary stores.
    pub copy: Option<CopyBytes>,
}

/// What a data path is made of.
pub struct Parts<S, C, St> {
    /// Every queue of the plan.
    pub queues: Vec<QueueSource<S>>,
    /// The clock; each stage gets a handle of its own.
    pub clock: C,
    /// How packets are judged and kept.
    pub processing: ProcessingConfig,
    /// The blocks.
    pub blocks: BlockConfig,
    /// How segments are written.
    pub output: OutputConfig,
    /// For each Output of the plan, where it writes.
    pub storages: Vec<OutputStorage<St>>,
    /// The order to stop.
    pub stop: Stop,
    /// Makes our own flow hash hard to guess.
    pub hash_seed: u32,
}

/// The data path could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// A block could not hold the largest packet.
    #[error(
        "a block of {block_bytes} bytes cannot hold a packet of {snaplen_bytes}: at least \
         {block_bytes_min} bytes are needed"
    )]
    BlockTooSmall {
        /// The size asked for.
        block_bytes: usize,
        /// The snaplen.
        snaplen_bytes: u32,
        /// The least possible size.
        block_bytes_min: usize,
    },
    /// Too few blocks for every stage to have one in hand.
    #[error(
        "{blocks} blocks are too few: {blocks_min} are needed, two for each of {processings} \
         Processing(s) and one for each of {outputs} Output(s)"
    )]
    TooFewBlocks {
        /// How many were asked for.
        blocks: usize,
        /// The least possible number.
        blocks_min: usize,
        /// How many Processings there are.
        processings: usize,
        /// How many Outputs there are.
        outputs: usize,
    },
    /// There is no memory for the blocks.
    #[error("there is no memory for {blocks} blocks of {block_bytes} bytes")]
    NoMemory {
        /// How many.
        blocks: usize,
        /// The size of each.
        block_bytes: usize,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A ring could not be made.
    #[error("the ring from input {port}.{queue} to processing {processing} could not be made")]
    Ring {
        /// The port.
        port: PortId,
        /// The queue.
        queue: QueueId,
        /// The Processing.
        processing: usize,
        /// What was said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The first segment of an Output could not be opened.
    #[error("output {output} could not open its first segment")]
    Output {
        /// The Output.
        output: usize,
        /// What was said.
        #[source]
        cause: CreateError,
    },
}

/// A data path, ready to run, and how others see it.
pub struct Assembly<C> {
    /// Each lcore of the plan with what it runs.
    pub lcores: Vec<(PlannedLcore, Lcore<C>)>,
    /// How others see it.
    pub views: Views,
}

/// How the control core sees the data path.
#[derive(Clone)]
pub struct Views {
    /// Each Input, by port and queue.
    pub inputs: Vec<(PortId, QueueId, Published<InputCounters>)>,
    /// Each Processing, by number.
    pub processings: Vec<Published<ProcessingCounters>>,
    /// Each Output, by number.
    pub outputs: Vec<Published<OutputCounters>>,
    /// Each lcore, in the order of the plan.
    pub lcores: Vec<LcoreView>,
    /// What was given up because a ring was full, in the order of the plan's rings.
    pub lanes: Vec<LaneLosses>,
    /// The blocks.
    pub pool: BlockPool,
    /// Losses that no file has told yet.
    pub drops: PendingDrops,
    /// The order to turn to a new segment.
    pub rotate: RotateOrder,
}

/// The two ends of a ring.
type Ends<T, R> = (T, R);

/// Makes the stages of `plan`, connects them, and opens the first segments.
///
/// `make_ring` makes the ring between a queue's Input and a Processing.
///
/// # Errors
///
/// [`AssembleError`]. Nothing was polled then.
///
/// # Panics
///
/// If `parts` has not exactly the queues and Outputs of the plan.
pub fn assemble<S, T, R, C, St, E>(
    plan: &Plan,
    parts: Parts<S, C, St>,
    make_ring: impl FnMut(PortId, QueueId, usize) -> Result<Ends<T, R>, E>,
) -> Result<Assembly<C>, AssembleError>
where
    S: PacketSource + 'static,
    T: BurstSender<S::Burst> + 'static,
    R: BurstReceiver<S::Burst> + 'static,
    C: Clock + Clone + 'static,
    St: Storage + 'static,
    St::File: 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let pool = make_pool(plan, &parts)?;
    let ports = parts.output.description.interfaces.len();
    let mut lanes = Lanes::new(plan, &parts.queues, make_ring)?;
    let (mut block_senders, block_receivers) = block_lanes(plan, &pool);
    let rotate = RotateOrder::default();
    let drops = PendingDrops::new(ports);
    let mut assembler = Assembler {
        ports,
        clock: parts.clock.clone(),
        processing: parts.processing,
        hash_seed: parts.hash_seed,
        stop: parts.stop,
        queues: parts.queues.into_iter().map(Some).collect(),
        views: Views {
            inputs: Vec::new(),
            processings: Vec::new(),
            outputs: Vec::new(),
            lcores: Vec::new(),
            lanes: lanes.senders.iter().map(|(_, _, sender)| sender.losses()).collect(),
            pool,
            drops,
            rotate,
        },
    };
    let mut outputs = assembler.outputs(&parts.output, parts.storages, block_receivers)?;
    let mut lcores = Vec::new();
    for planned in &plan.lcores {
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        for stage in &planned.stages {
            stages.push(match *stage {
                PlannedStage::Input { port, queue } => {
                    let senders = lanes.senders(port, queue);
                    assembler.input(port, queue, senders)
                }
                PlannedStage::Processing { processing, .. } => {
                    let blocks = take(&mut block_senders, processing);
                    let receivers = lanes.receivers(processing);
                    assembler.processing(blocks, receivers)
                }
                PlannedStage::Fused { port, queue, processing, .. } => {
                    let blocks = take(&mut block_senders, processing);
                    assembler.fused(port, queue, blocks)
                }
                PlannedStage::Output { output } => take(&mut outputs, output),
            });
        }
        let idle = if planned.shares_cpu { Idle::Yield } else { Idle::Spin };
        let (lcore, view) = Lcore::new(stages, idle, parts.clock.clone());
        assembler.views.lcores.push(view);
        lcores.push((planned.clone(), lcore));
    }
    Ok(Assembly { lcores, views: assembler.views })
}

/// Takes what a plan names once.
fn take<T>(parts: &mut [Option<T>], index: usize) -> T {
    parts[index].take().expect("a plan names each part once")
}

fn make_pool<S, C, St>(plan: &Plan, parts: &Parts<S, C, St>) -> Result<BlockPool, AssembleError> {
    let BlockConfig { blocks, block_bytes, copy } = parts.blocks;
    // A packet in pieces is put together whole before it is sliced.
    let block_bytes_min = weir_model::SNAPLEN_BYTES_MAX as usize + BLOCK_OVERHEAD_BYTES;
    if block_bytes < block_bytes_min {
        return Err(AssembleError::BlockTooSmall {
            block_bytes,
            snaplen_bytes: weir_model::SNAPLEN_BYTES_MAX,
            block_bytes_min,
        });
    }
    let blocks_min = 2 * plan.processings + plan.outputs;
    if blocks < blocks_min {
        return Err(AssembleError::TooFewBlocks {
            blocks,
            blocks_min,
            processings: plan.processings,
            outputs: plan.outputs,
        });
    }
    let ports = parts.output.description.interfaces.len();
    match BlockPool::new(blocks, block_bytes, ports) {
        Ok(pool) => Ok(match copy {
            Some(copy) => pool.copying_by(copy),
            None => pool,
        }),
        Err(cause) => Err(AssembleError::NoMemory { blocks, block_bytes, cause }),
    }
}

/// Makes a lane from each Processing to its Output: senders by Processing, receivers by Output.
fn block_lanes(
    plan: &Plan,
    pool: &BlockPool,
) -> (Vec<Option<BlockSender>>, Vec<Vec<BlockReceiver>>) {
    let mut senders: Vec<Option<BlockSender>> = (0..plan.processings).map(|_| None).collect();
    let mut receivers: Vec<Vec<BlockReceiver>> = (0..plan.outputs).map(|_| Vec::new()).collect();
    for stage in plan.stages() {
        if let PlannedStage::Processing { processing, output }
        | PlannedStage::Fused { processing, output, .. } = *stage
        {
            let (sender, receiver) = block_lane(pool.blocks());
            senders[processing] = Some(sender);
            receivers[output].push(receiver);
        }
    }
    (senders, receivers)
}

/// Every packet lane of a plan, until its stages take their ends.
struct Lanes<T, R> {
    senders: Vec<(PortId, QueueId, PacketLaneSender<T>)>,
    receivers: Vec<(usize, PacketLaneReceiver<R>)>,
}

impl<T, R> Lanes<T, R> {
    fn new<S, E>(
        plan: &Plan,
        queues: &[QueueSource<S>],
        mut make_ring: impl FnMut(PortId, QueueId, usize) -> Result<Ends<T, R>, E>,
    ) -> Result<Self, AssembleError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut lanes = Self { senders: Vec::new(), receivers: Vec::new() };
        for (port, queue, processing) in plan.rings() {
            let ring = make_ring(port, queue, processing).map_err(|cause| AssembleError::Ring {
                port,
                queue,
                processing,
                cause: Box::new(cause),
            })?;
            let when_full = queues
                .iter()
                .find(|source| (source.port, source.queue) == (port, queue))
                .expect("every queue of the plan has its source")
                .when_full;
            let (sender, receiver) = packet_lane(ring, Origin { port, queue, when_full });
            lanes.senders.push((port, queue, sender));
            lanes.receivers.push((processing, receiver));
        }
        Ok(lanes)
    }

    fn senders(&mut self, port: PortId, queue: QueueId) -> Vec<PacketLaneSender<T>> {
        let is_ours = |lane: &mut (PortId, QueueId, _)| (lane.0, lane.1) == (port, queue);
        self.senders.extract_if(.., is_ours).map(|lane| lane.2).collect()
    }

    fn receivers(&mut self, processing: usize) -> Vec<PacketLaneReceiver<R>> {
        let is_ours = |lane: &mut (usize, _)| lane.0 == processing;
        self.receivers.extract_if(.., is_ours).map(|lane| lane.1).collect()
    }
}

/// Makes stages, one after another, and keeps the views of their counters.
struct Assembler<S, C> {
    ports: usize,
    clock: C,
    processing: ProcessingConfig,
    hash_seed: u32,
    stop: Stop,
    queues: Vec<Option<QueueSource<S>>>,
    views: Views,
}

impl<S, C> Assembler<S, C>
where
    S: PacketSource + 'static,
    C: Clock + Clone + 'static,
{
    fn intake(&mut self, port: PortId, queue: QueueId) -> (Intake<S, C>, Spread) {
        let is_it = |source: &Option<QueueSource<S>>| {
            source.as_ref().is_some_and(|source| (source.port, source.queue) == (port, queue))
        };
        let source = self
            .queues
            .iter_mut()
            .find(|source| is_it(source))
            .and_then(Option::take)
            .expect("every queue of the plan has its source, once");
        let stamper = Stamper::new(self.clock.clone(), source.timestamps);
        let origin = Origin { port, queue, when_full: source.when_full };
        let (intake, view) = Intake::new(source.source, stamper, self.stop.clone(), origin);
        self.views.inputs.push((port, queue, view));
        let spread = Spread { seed: self.hash_seed, rss_is_symmetric: source.rss_is_symmetric };
        (intake, spread)
    }

    fn processor(&mut self, blocks: BlockSender) -> Processor<C> {
        let (processor, view) = Processor::new(
            self.processing.clone(),
            self.clock.clone(),
            self.views.pool.clone(),
            blocks,
            self.views.drops.clone(),
            self.ports,
        );
        self.views.processings.push(view);
        processor
    }

    fn input<T: BurstSender<S::Burst> + 'static>(
        &mut self,
        port: PortId,
        queue: QueueId,
        lanes: Vec<PacketLaneSender<T>>,
    ) -> Box<dyn Stage> {
        let (intake, spread) = self.intake(port, queue);
        Box::new(Input::new(intake, lanes, spread, self.views.drops.clone()))
    }

    fn processing<R: BurstReceiver<S::Burst> + 'static>(
        &mut self,
        blocks: BlockSender,
        lanes: Vec<PacketLaneReceiver<R>>,
    ) -> Box<dyn Stage> {
        Box::new(Processing::<S::Burst, R, C>::new(lanes, self.processor(blocks)))
    }

    fn fused(&mut self, port: PortId, queue: QueueId, blocks: BlockSender) -> Box<dyn Stage> {
        let (intake, _) = self.intake(port, queue);
        Box::new(Fused::new(intake, self.processor(blocks)))
    }

    /// Opens every Output, in order.
    fn outputs<St>(
        &mut self,
        config: &OutputConfig,
        storages: Vec<OutputStorage<St>>,
        receivers: Vec<Vec<BlockReceiver>>,
    ) -> Result<Vec<Option<Box<dyn Stage>>>, AssembleError>
    where
        St: Storage + 'static,
        St::File: 'static,
    {
        assert_eq!(storages.len(), receivers.len(), "every Output of the plan has its storage");
        let mut outputs: Vec<Option<Box<dyn Stage>>> = Vec::new();
        for (output, (storage, receivers)) in storages.into_iter().zip(receivers).enumerate() {
            let ports = OutputPorts {
                receivers,
                pool: self.views.pool.clone(),
                drops: self.views.drops.clone(),
                rotate: self.views.rotate.clone(),
            };
            let OutputStorage { storage, namer } = storage;
            let opened = Output::open(config.clone(), ports, storage, namer, self.clock.clone());
            let (stage, view) = opened.map_err(|cause| AssembleError::Output { output, cause })?;
            self.views.outputs.push(view);
            outputs.push(Some(Box::new(stage)));
        }
        Ok(outputs)
    }
}

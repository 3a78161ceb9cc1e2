//! Which stage runs on which lcore, and what lies between them: data, computed before anything
//! starts, so that it can be shown and argued about.
//!
//! One lcore, two and sixteen run the same stages. Stages are laid out in the order in which
//! packets pass them, in as many groups of neighbours as there are lcores, so that an lcore that
//! has to run several runs neighbours; an Input and the one Processing that it feeds, on one lcore,
//! become one fused stage and need no ring.

use core::fmt;

use weir_model::{LcoreId, PortId, QueueId};

/// The shape of the data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Inputs hand bursts over rings to Processings.
    Pipeline,
    /// Each queue is polled and processed by one stage.
    Fused,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "pipeline",
            Self::Fused => "fused",
        })
    }
}

/// A port, as far as the plan needs to know it.
#[derive(Clone, Debug)]
pub struct PlannedPort {
    /// The port.
    pub port: PortId,
    /// How many queues it is to be polled by.
    pub rx_queues: u16,
    /// Whether a device writes its packets to memory (a NIC), so that the lcore that polls it need
    /// not touch them.
    pub has_dma: bool,
}

/// What is wanted of the topology; what is `None` is chosen.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The ports.
    pub ports: Vec<PlannedPort>,
    /// The CPUs to use, the control core's first. Never empty.
    pub cpus: Vec<usize>,
    /// The shape.
    pub shape: Option<Shape>,
    /// How many lcores carry the data path.
    pub lcores: Option<usize>,
    /// How many Processings there are; in the fused shape there is one for each queue.
    pub processings: Option<usize>,
    /// How many Outputs there are. Each writes segments of its own.
    pub outputs: Option<usize>,
}

/// A stage, and what it is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedStage {
    /// Polls a queue and feeds every Processing by a ring.
    Input {
        /// The port.
        port: PortId,
        /// The queue.
        queue: QueueId,
    },
    /// Takes from every Input and feeds one Output.
    Processing {
        /// Its number.
        processing: usize,
        /// The Output that it feeds.
        output: usize,
    },
    /// Both in one.
    Fused {
        /// The port.
        port: PortId,
        /// The queue.
        queue: QueueId,
        /// The number of its Processing half.
        processing: usize,
        /// The Output that it feeds.
        output: usize,
    },
    /// Writes segments.
    Output {
        /// Its number.
        output: usize,
    },
}

impl PlannedStage {
    /// Returns whether the stage handles mbufs, so that its lcore must be one of EAL's.
    pub fn touches_mbufs(&self) -> bool {
        !matches!(self, Self::Output { .. })
    }
}

impl fmt::Display for PlannedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { port, queue } => write!(f, "input {port}.{queue}"),
            Self::Processing { processing, .. } => write!(f, "processing {processing}"),
            Self::Fused { port, queue, processing, .. } => {
                write!(f, "input {port}.{queue} + processing {processing}")
            }
            Self::Output { output } => write!(f, "output {output}"),
        }
    }
}

/// An lcore and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLcore {
    /// Its number; 0 is the control core, which carries no stage.
    pub lcore: LcoreId,
    /// The CPU that it is pinned to.
    pub cpu: usize,
    /// Whether another lcore, the control core included, is pinned there too: it then gives the
    /// CPU away when it has nothing to do.
    pub shares_cpu: bool,
    /// Its stages, in the order in which it polls them.
    pub stages: Vec<PlannedStage>,
}

impl PlannedLcore {
    /// Returns whether it must be one of EAL's lcores; else it is a thread of our own.
    pub fn is_eal(&self) -> bool {
        self.stages.iter().any(PlannedStage::touches_mbufs)
    }
}

/// The topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The shape.
    pub shape: Shape,
    /// Why it is this shape.
    pub reason: ShapeReason,
    /// The CPU of the control core.
    pub control_cpu: usize,
    /// Lcores that carry stages.
    pub lcores: Vec<PlannedLcore>,
    /// How many Processings there are.
    pub processings: usize,
    /// How many Outputs there are.
    pub outputs: usize,
}

/// Why a plan has its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeReason {
    /// The configuration says so.
    Configured,
    /// No port has DMA: the lcore that polls has the packet in its cache already.
    CopiedByCpu,
    /// There are too few lcores for one that only polls.
    FewLcores,
    /// Each queue has an lcore that can poll and process.
    EnoughQueues,
    /// A NIC delivers to fewer queues than there are lcores to process.
    FewQueues,
}

impl fmt::Display for ShapeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "as configured",
            Self::CopiedByCpu => {
                "no port has DMA, so the lcore that polls has the packets in its cache already"
            }
            Self::FewLcores => "too few lcores for one that only polls",
            Self::EnoughQueues => "the queues are enough to keep every lcore busy",
            Self::FewQueues => "fewer queues than lcores that could process",
        })
    }
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is nothing to capture from.
    #[error("there is no port: name one with --vdev, or in [[ports]]")]
    NoPort,
    /// Something must be at least one.
    #[error("topology.{key} is 0: it must be at least 1")]
    Zero {
        /// The configuration's key.
        key: &'static str,
    },
    /// There are more Processings than an Input can have lanes.
    #[error("topology.processing is {processings}: at most {max} are possible")]
    TooManyProcessings {
        /// How many were asked for.
        processings: usize,
        /// How many there can be.
        max: usize,
    },
    /// In the fused shape there is one Processing for each queue.
    #[error(
        "topology.processing is {processings}, but the fused shape has one for each of the \
         {queues} queues: leave it out, or choose topology.shape = \"pipeline\""
    )]
    FusedProcessings {
        /// How many were asked for.
        processings: usize,
        /// How many queues there are.
        queues: usize,
    },
    /// More Outputs than Processings: some would never get a block.
    #[error(
        "topology.output is {outputs}, but only {processings} Processing(s) would feed them: use \
         at most as many"
    )]
    IdleOutputs {
        /// How many were asked for.
        outputs: usize,
        /// How many Processings there are.
        processings: usize,
    },
}

impl Plan {
    /// Computes the topology.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if what is wanted cannot be.
    pub fn new(wanted: &Wanted) -> Result<Self, PlanError> {
        check(wanted)?;
        let queues = queues(wanted);
        let (shape, reason) = choose_shape(wanted, queues.len());
        let processings = match (shape, wanted.processings) {
            (Shape::Fused, Some(processings)) if processings != queues.len() => {
                return Err(PlanError::FusedProcessings { processings, queues: queues.len() });
            }
            (Shape::Fused, _) => queues.len(),
            (Shape::Pipeline, Some(processings)) => processings,
            (Shape::Pipeline, None) => spare_lcores(wanted, queues.len()).max(1),
        };
        let outputs = wanted.outputs.unwrap_or(1);
        if outputs > processings {
            return Err(PlanError::IdleOutputs { outputs, processings });
        }
        let stages = stages(shape, &queues, processings, outputs);
        let lcores = wanted.lcores.unwrap_or(stages.len()).min(stages.len());
        let control_cpu = wanted.cpus.first().copied().unwrap_or(0);
        let lcores = assign(&stages, lcores, &wanted.cpus, control_cpu);
        let lcores = lcores.into_iter().map(|lcore| fuse(lcore, &queues, processings)).collect();
        Ok(Self { shape, reason, control_cpu, lcores, processings, outputs })
    }

    /// Returns every ring: the queue of the Input and the number of the Processing.
    pub fn rings(&self) -> impl Iterator<Item = (PortId, QueueId, usize)> + '_ {
        let inputs = self.stages().filter_map(|stage| match *stage {
            PlannedStage::Input { port, queue } => Some((port, queue)),
            _ => None,
        });
        inputs.flat_map(|(port, queue)| {
            (0..self.processings).map(move |processing| (port, queue, processing))
        })
    }

    /// Returns every stage.
    pub fn stages(&self) -> impl Iterator<Item = &PlannedStage> {
        self.lcores.iter().flat_map(|lcore| &lcore.stages)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "shape     {}: {}", self.shape, self.reason)?;
        writeln!(f, "lcore  0  cpu {:<3} control", self.control_cpu)?;
        for lcore in &self.lcores {
            let stages: Vec<String> = lcore.stages.iter().map(ToString::to_string).collect();
            let kind = if lcore.is_eal() { "EAL lcore" } else { "own thread" };
            let sharing = if lcore.shares_cpu { ", yields when idle" } else { "" };
            writeln!(
                f,
                "lcore {:>2}  cpu {:<3} {} ({kind}{sharing})",
                lcore.lcore,
                lcore.cpu,
                stages.join(", "),
            )?;
        }
        for (port, queue, processing) in self.rings() {
            writeln!(f, "ring      input {port}.{queue} -> processing {processing}")?;
        }
        for stage in self.stages() {
            if let PlannedStage::Processing { processing, output }
            | PlannedStage::Fused { processing, output, .. } = stage
            {
                writeln!(f, "blocks    processing {processing} -> output {output}")?;
            }
        }
        Ok(())
    }
}

fn check(wanted: &Wanted) -> Result<(), PlanError> {
    let keys =
        [("lcores", wanted.lcores), ("processing", wanted.processings), ("output", wanted.outputs)];
    if let Some((key, _)) = keys.into_iter().find(|(_, value)| *value == Some(0)) {
        return Err(PlanError::Zero { key });
    }
    if wanted.ports.iter().all(|port| port.rx_queues == 0) {
        return Err(PlanError::NoPort);
    }
    let max = crate::input::LANES_MAX;
    match wanted.processings {
        Some(processings) if processings > max => {
            Err(PlanError::TooManyProcessings { processings, max })
        }
        _ => Ok(()),
    }
}

fn queues(wanted: &Wanted) -> Vec<(PortId, QueueId)> {
    let of_port = |port: &PlannedPort| (0..port.rx_queues).map(QueueId).collect::<Vec<_>>();
    wanted
        .ports
        .iter()
        .flat_map(|port| of_port(port).into_iter().map(move |queue| (port.port, queue)))
        .collect()
}

/// Lcores that are left when every queue has one and the Outputs have theirs. Without a wish, each
/// CPU beside the control core's carries one.
fn spare_lcores(wanted: &Wanted, queues: usize) -> usize {
    let lcores = wanted.lcores.unwrap_or(wanted.cpus.len().saturating_sub(1));
    lcores.saturating_sub(queues + wanted.outputs.unwrap_or(1)).min(crate::input::LANES_MAX)
}

fn choose_shape(wanted: &Wanted, queues: usize) -> (Shape, ShapeReason) {
    if let Some(shape) = wanted.shape {
        (shape, ShapeReason::Configured)
    } else if wanted.processings.is_some_and(|processings| processings != queues) {
        (Shape::Pipeline, ShapeReason::Configured)
    } else if wanted.ports.iter().all(|port| !port.has_dma) {
        (Shape::Fused, ShapeReason::CopiedByCpu)
    } else {
        match spare_lcores(wanted, queues) {
            0 => (Shape::Fused, ShapeReason::FewLcores),
            spare if spare <= queues => (Shape::Fused, ShapeReason::EnoughQueues),
            _ => (Shape::Pipeline, ShapeReason::FewQueues),
        }
    }
}

/// Lists the stages in the order in which packets pass them.
fn stages(
    shape: Shape,
    queues: &[(PortId, QueueId)],
    processings: usize,
    outputs: usize,
) -> Vec<PlannedStage> {
    let output_of = |processing: usize| processing % outputs;
    let mut stages: Vec<PlannedStage> = match shape {
        Shape::Fused => queues
            .iter()
            .enumerate()
            .map(|(processing, &(port, queue))| PlannedStage::Fused {
                port,
                queue,
                processing,
                output: output_of(processing),
            })
            .collect(),
        Shape::Pipeline => {
            let inputs = queues.iter().map(|&(port, queue)| PlannedStage::Input { port, queue });
            let processings = (0..processings).map(|processing| PlannedStage::Processing {
                processing,
                output: output_of(processing),
            });
            inputs.chain(processings).collect()
        }
    };
    stages.extend((0..outputs).map(|output| PlannedStage::Output { output }));
    stages
}

/// Lays the stages out over lcores, neighbours together, and the lcores over CPUs, the control
/// core's last: it sleeps most of the time.
fn assign(
    stages: &[PlannedStage],
    lcores: usize,
    cpus: &[usize],
    control_cpu: usize,
) -> Vec<PlannedLcore> {
    let mut order: Vec<usize> = cpus.iter().copied().skip(1).collect();
    order.push(control_cpu);
    let cpu_of = |lcore: usize| order[lcore % order.len()];
    (0..lcores)
        .map(|lcore| {
            let cpu = cpu_of(lcore);
            let others = (0..lcores).filter(|&other| other != lcore && cpu_of(other) == cpu);
            PlannedLcore {
                lcore: LcoreId(u16::try_from(lcore + 1).unwrap_or(u16::MAX)),
                cpu,
                shares_cpu: cpu == control_cpu || others.count() > 0,
                stages: stages[lcore * stages.len() / lcores..(lcore + 1) * stages.len() / lcores]
                    .to_vec(),
            }
        })
        .collect()
}

/// Makes one stage of the only Input and the only Processing, where one lcore runs both.
fn fuse(mut lcore: PlannedLcore, queues: &[(PortId, QueueId)], processings: usize) -> PlannedLcore {
    if queues.len() == 1
        && processings == 1
        && let [
            PlannedStage::Input { port, queue },
            PlannedStage::Processing { processing, output },
            ..,
        ] = lcore.stages[..]
    {
        lcore.stages.splice(..2, [PlannedStage::Fused { port, queue, processing, output }]);
    }
    lcore
}

#[cfg(test)]
mod tests;

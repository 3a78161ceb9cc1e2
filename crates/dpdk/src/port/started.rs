//! A port that runs: its state, and its end.

use std::sync::Arc;

use weir_model::TimestampSource;

use super::{KernelWatch, LinkState, Port, PortInfo, RssState, RunningPort, start};
use crate::counters::{CounterReader, NicCounters};
use crate::device_clock::DeviceClock;
use crate::xstats;

/// A port that runs, for the control core. Its queues work on data lcores meanwhile.
///
/// The port stops when this and all its queues are dropped.
#[derive(Debug)]
pub struct StartedPort {
    pub(super) counters: CounterReader,
    pub(super) kernel: Option<KernelWatch>,
    pub(super) clock: Option<DeviceClock>,
    pub(super) source: Option<TimestampSource>,
    pub(super) rss: RssState,
    pub(super) rx_descriptors: u16,
    pub(super) rx_queues: u16,
    /// Last, so that the port stops after everything that looks at it is gone.
    pub(super) running: Arc<RunningPort>,
}

/// Why a port was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Queues of the port are still there, and one of them may be being polled.
    #[error("port {:?} still has {queues} queues in use", port.info().name)]
    QueuesInUse {
        /// How many.
        queues: usize,
        /// The port, which runs on.
        port: Box<StartedPort>,
    },
}

impl StartedPort {
    /// Returns its name.
    pub fn name(&self) -> &str {
        self.running.name()
    }

    /// Returns what the port is and can do.
    pub fn info(&self) -> &PortInfo {
        self.running.info()
    }

    /// Returns the state of its link: the kernel's word where the port stands on an interface of
    /// the kernel, else the driver's.
    pub fn link(&self) -> LinkState {
        LinkState::read(&self.running, self.kernel.as_ref())
    }

    /// Returns the largest layer-3 packet that it receives, in bytes, as DPDK has it.
    pub fn mtu(&self) -> Option<u16> {
        start::mtu(self.running.number())
    }

    /// Returns whether it receives frames that are addressed to others, as far as its driver has
    /// such a mode. Drivers without one receive all that there is.
    pub fn is_promiscuous(&self) -> bool {
        start::promiscuous(self.running.number())
    }

    /// Returns how many receive queues run.
    pub fn rx_queues(&self) -> u16 {
        self.rx_queues
    }

    /// Returns how many descriptors each of them has, after the driver's adjustment.
    pub fn rx_descriptors(&self) -> u16 {
        self.rx_descriptors
    }

    /// Returns what became of RSS.
    pub fn rss(&self) -> RssState {
        self.rss
    }

    /// Returns who stamps this port's packets, or `None` if nobody beneath us does. A source may
    /// leave out single packets.
    pub fn timestamp_source(&self) -> Option<TimestampSource> {
        self.source
    }

    /// Returns the NIC's clock, if it is what stamps packets. Calibrate it about once a second.
    pub fn device_clock(&mut self) -> Option<&mut DeviceClock> {
        self.clock.as_mut()
    }

    /// Reads what the port has counted since it was started.
    pub fn read_counters(&mut self) -> NicCounters {
        self.counters.read()
    }

    /// Returns the driver's own counters as it names them, uninterpreted.
    pub fn xstats(&self) -> Vec<(String, u64)> {
        xstats::read(self.running.number())
    }

    /// Stops the port, whose queues must all have been dropped.
    ///
    /// `net_af_packet` closes its sockets when it stops, so a port of it cannot start again.
    ///
    /// # Errors
    ///
    /// [`StopError`], with the port, which runs on.
    pub fn stop(self) -> Result<Port, StopError> {
        let queues = Arc::strong_count(&self.running) - 1;
        if queues > 0 {
            return Err(StopError::QueuesInUse { queues, port: Box::new(self) });
        }
        let running = Arc::into_inner(self.running)
            .expect("no queue is left, and only a port and its queues hold it");
        Ok(running.into_stopped())
    }
}

//! The control core: signals, clocks, counters, and when to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use tracing::{error, info, warn};
use weir_capture::TimeKeeper;
use weir_telemetry::{State, Stats};

use super::launch::Running;
use super::live::LiveLine;
use super::ports::StartedPorts;
use super::stats::Shared;
use super::{RunError, port_id};
use crate::config::Config;
use crate::socket::{Answer, Reply, Server, Verb};

/// How often the control core looks round: what a stop takes at most to be seen.
const TICK: Duration = Duration::from_millis(20);

/// How often NICs' counters are read.
const SAMPLE: Duration = Duration::from_millis(100);

/// How often clocks are held against `CLOCK_REALTIME`.
const ANCHOR: Duration = Duration::from_secs(1);

/// Signals that end a capture.
pub(crate) struct Signals {
    /// The last one that came; 0 before any.
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Catches the signals that end a capture from now on: SIGINT, SIGTERM, and SIGHUP, with which
    /// a terminal that closes would else end it without a seal. SIGXFSZ is caught and passed over:
    /// a write beyond the largest file then fails, and is counted, instead of ending the process.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(crate) fn catch() -> Result<Self, RunError> {
        let last = Arc::new(AtomicUsize::new(0));
        let ignored = Arc::new(AtomicUsize::new(0));
        signal_hook::flag::register_usize(SIGXFSZ, ignored, 1).map_err(RunError::Signals)?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or(usize::MAX);
            signal_hook::flag::register_usize(signal, Arc::clone(&last), number)
                .map_err(RunError::Signals)?;
        }
        Ok(Self { last })
    }

    fn take(&self) -> Option<&'static str> {
        match self.last.swap(0, Ordering::Relaxed) {
            0 => None,
            signal if signal == SIGINT as usize => Some("SIGINT"),
            signal if signal == SIGHUP as usize => Some("SIGHUP"),
            _ => Some("SIGTERM"),
        }
    }
}

/// Answers what is asked over the socket.
struct Control(Shared);

impl Answer for Control {
    fn answer(&self, verb: Verb) -> Reply {
        match verb {
            Verb::Stats => match serde_json::to_value(self.0.stats()) {
                Ok(stats) => Reply::done(Some(stats)),
                Err(cause) => Reply::refused(cause.to_string()),
            },
            Verb::Rotate => {
                self.0.views().rotate.request();
                Reply::done(None)
            }
            Verb::Stop => {
                info!("stopping: asked to over the socket");
                self.0.request_stop();
                Reply::done(None)
            }
        }
    }
}

/// Serves the socket, if there is to be one.
///
/// # Errors
///
/// [`RunError::Socket`] if it cannot be served.
pub(crate) fn serve(config: &Config, shared: &Shared) -> Result<Option<Server>, RunError> {
    match &config.stats.socket {
        Some(path) => Ok(Some(Server::start(path, Control(shared.clone()))?)),
        None => {
            warn!("the numbers are not served live: there is no directory for sockets");
            Ok(None)
        }
    }
}

/// Decides when a capture ends.
struct StopRules {
    stop_after_idle: Option<Duration>,
    duration: Option<Duration>,
    started: Instant,
    received_packets: u64,
    received_at: Instant,
}

impl StopRules {
    fn new(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            stop_after_idle: config.capture.stop_after_idle,
            duration: config.capture.duration,
            started: now,
            received_packets: 0,
            received_at: now,
        }
    }

    /// Returns why the capture is to end now, if it is.
    fn reason(&mut self, received_packets: u64) -> Option<&'static str> {
        let now = Instant::now();
        if received_packets != self.received_packets {
            self.received_packets = received_packets;
            self.received_at = now;
        }
        let idle = now - self.received_at;
        if self.duration.is_some_and(|duration| now - self.started >= duration) {
            Some("its time is over")
        } else if self.stop_after_idle.is_some_and(|limit| idle >= limit) {
            Some("nothing came any more")
        } else {
            None
        }
    }
}

/// A capture whose lcores have ended.
pub(crate) struct Ended {
    running: Running,
    ports: StartedPorts,
    keeper: TimeKeeper,
}

/// Something that is done at intervals.
struct Every {
    interval: Duration,
    last: Instant,
}

impl Every {
    fn new(interval: Duration) -> Self {
        Self { interval, last: Instant::now() }
    }

    fn is_due(&mut self) -> bool {
        let is_due = self.last.elapsed() >= self.interval;
        if is_due {
            self.last = Instant::now();
        }
        is_due
    }
}

/// Watches over a capture until its lcores have ended.
pub(crate) fn supervise(
    config: &Config,
    shared: &Shared,
    signals: &Signals,
    keeper: TimeKeeper,
    ports: StartedPorts,
    running: Running,
) -> Ended {
    let mut ended = Ended { running, ports, keeper };
    let mut rules = StopRules::new(config);
    let mut losses = Losses::new(ended.ports.ports.len());
    let mut live = LiveLine::new();
    let (mut sample, mut anchor) = (Every::new(SAMPLE), Every::new(ANCHOR));
    losses.tell(shared, &mut ended);
    while !ended.running.have_ended() {
        std::thread::sleep(TICK);
        if anchor.is_due() {
            ended.keep_time();
        }
        if sample.is_due() {
            losses.tell(shared, &mut ended);
        }
        live.show(shared);
        if shared.is_stopping() {
            continue;
        }
        let reason = signals.take().or_else(|| rules.reason(shared.received_packets()));
        let reason = reason.or_else(|| ended.running.has_one_ended().then_some("an lcore ended"));
        if let Some(reason) = reason {
            info!(reason, "stopping");
            shared.request_stop();
        }
    }
    live.clear();
    losses.tell(shared, &mut ended);
    ended
}

/// What NICs have lost, handed on to the files.
struct Losses {
    told: Vec<u64>,
}

impl Losses {
    fn new(ports: usize) -> Self {
        Self { told: vec![0; ports] }
    }

    /// Reads what there is to read, and has new losses told in the next packet of their port.
    fn tell(&mut self, shared: &Shared, ended: &mut Ended) {
        let missed = shared.sample(&mut ended.ports, &ended.keeper);
        for (index, (missed, told)) in missed.into_iter().zip(&mut self.told).enumerate() {
            if let Some(missed) = missed
                && missed > *told
            {
                shared.views().drops.add_nic(port_id(index), missed - *told);
                *told = missed;
            }
        }
    }
}

impl Ended {
    fn keep_time(&mut self) {
        self.keeper.re_anchor();
        for port in &mut self.ports.ports {
            if let Some(clock) = port.started.device_clock()
                && let Err(cause) = clock.calibrate()
            {
                warn!(port = port.id.0, %cause, "the NIC's clock cannot be held to the time of day");
            }
        }
    }

    /// Stops the ports and returns the last numbers.
    ///
    /// # Errors
    ///
    /// [`RunError`] if an lcore panicked or a port would not stop.
    pub(crate) fn finish(self, shared: &Shared) -> Result<Stats, RunError> {
        let Self { running, ports, .. } = self;
        if let Err(panicked) = running.join() {
            shared.set_state(State::Failed);
            return Err(panicked);
        }
        let StartedPorts { ports, mempool, mbufs_at_start } = ports;
        for port in ports {
            drop(port.started.stop()?);
        }
        let available = mempool.available_mbufs();
        shared.set_mbufs_available(u64::from(available));
        shared.set_state(State::Stopped);
        if available != mbufs_at_start {
            error!(available, at_start = mbufs_at_start, "mbufs are missing");
        }
        Ok(shared.stats())
    }
}

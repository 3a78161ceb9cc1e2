//! Output: compresses blocks, writes them to a segment, turns and seals segments.
//!
//! Whatever happens to the storage, capture goes on: a block that cannot be written is given up,
//! counted by cause and told in the next packet that is written, and a segment that cannot go on is
//! left as `.part` for recovery while the next one is opened.
//! Runs on: an Output lcore, or one that runs everything. Allocates: when a segment is opened or
//! sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{error, info, warn};
use weir_model::{Clock, PortId, Storage, Timestamp};
use weir_segment::{
    CreateError, RotateCause, RotationPolicy, SegmentNamer, SegmentOptions, SegmentWriter,
    StorageCause,
};
use weir_telemetry::{ErrorChain, OutputCounters, Published, Publisher, published};

use crate::block::{Block, BlockPool, PortTally};
use crate::description::Description;
use crate::lane::BlockReceiver;
use crate::losses::PendingDrops;
use crate::stage::{Poll, Stage};

/// How long a failed opening is not tried again.
const REOPEN_NS: u64 = 200_000_000;

/// How an Output writes.
#[derive(Clone)]
pub struct OutputConfig {
    /// How segments are written.
    pub segment: SegmentOptions,
    /// When one ends and the next begins.
    pub rotation: RotationPolicy,
    /// The longest time that written blocks wait for a sync.
    pub sync_interval_ns: u64,
    /// The most bytes of a segment that wait for a sync.
    pub sync_bytes: u64,
    /// What segments say about where they came from.
    pub description: Arc<Description>,
}

/// The order to turn to a new segment now, as every Output sees it.
#[derive(Clone, Default)]
pub struct RotateOrder(Arc<AtomicU64>);

impl RotateOrder {
    /// Gives the order, again if it was given before.
    pub fn request(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an Output is connected to.
pub struct OutputPorts {
    /// From each Processing that feeds it.
    pub receivers: Vec<BlockReceiver>,
    /// Where blocks go when they are written.
    pub pool: BlockPool,
    /// Where losses are told.
    pub drops: PendingDrops,
    /// The order to turn.
    pub rotate: RotateOrder,
}

/// Writes the blocks of some Processings to segments.
pub struct Output<S: Storage, C> {
    config: OutputConfig,
    ports: OutputPorts,
    storage: S,
    namer: SegmentNamer,
    clock: C,
    writer: Option<SegmentWriter<S>>,
    /// What the open segment accounts for, by port.
    account: Vec<PortTally>,
    /// Bytes of segments that were closed.
    closed_bytes: u64,
    /// Durable packets of segments that were closed, sealed or not.
    closed_durable_packets: u64,
    synced_at_ns: u64,
    reopen_at_ns: u64,
    rotations_done: u64,
    /// Why blocks are given up now, if they are.
    failing: Option<StorageCause>,
    counters: OutputCounters,
    publisher: Publisher<OutputCounters>,
}

impl<S: Storage, C: Clock> Output<S, C> {
    /// Opens the first segment, and returns the Output with the view of its counters.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the first segment cannot be opened: there is no capture that could not
    /// be written to begin with.
    pub fn open(
        config: OutputConfig,
        ports: OutputPorts,
        storage: S,
        namer: SegmentNamer,
        clock: C,
    ) -> Result<(Self, Published<OutputCounters>), CreateError> {
        let (publisher, counters) = published();
        let account = vec![PortTally::default(); config.description.interfaces.len()];
        let rotations_done = ports.rotate.count();
        let mut output = Self {
            config,
            ports,
            storage,
            namer,
            clock,
            writer: None,
            account,
            closed_bytes: 0,
            closed_durable_packets: 0,
            synced_at_ns: 0,
            reopen_at_ns: 0,
            rotations_done,
            failing: None,
            counters: OutputCounters::default(),
            publisher,
        };
        output.synced_at_ns = output.clock.monotonic_ns();
        output.open_segment()?;
        output.publish();
        Ok((output, counters))
    }

    fn open_segment(&mut self) -> Result<(), CreateError> {
        let now = self.clock.now();
        let Self { config, storage, namer, clock, .. } = self;
        let writer = config.description.with_header(clock, |header| {
            SegmentWriter::create(storage, namer, now, &config.segment, header)
        })?;
        info!(segment = %writer.name(), "opened a segment");
        self.writer = Some(writer);
        Ok(())
    }

    /// Takes the next block from whichever Processing has one.
    fn next_block(&mut self) -> Option<Block> {
        self.ports.receivers.iter_mut().find_map(BlockReceiver::receive)
    }

    /// Writes a block, or gives it up, and gives its buffer back.
    fn deal_with(&mut self, block: Block) {
        let started_ns = self.clock.monotonic_ns();
        match self.write(&block) {
            Ok(()) => self.count_stored(&block),
            Err(loss) => self.count_lost(&block, loss),
        }
        self.counters.append_ns += self.clock.monotonic_ns().saturating_sub(started_ns);
        self.ports.pool.give_back(block);
    }

    fn write(&mut self, block: &Block) -> Result<(), StorageCause> {
        if block.is_empty() {
            return Ok(());
        }
        self.reopen()?;
        let Some(writer) = &mut self.writer else {
            return Err(self.failing.unwrap_or(StorageCause::IoError));
        };
        match writer.append_block(block.filled(), &block.tally.total) {
            Ok(_) => {
                if self.failing.take().is_some() {
                    info!(segment = %writer.name(), "blocks are written again");
                }
                Ok(())
            }
            Err(cause) => {
                let segment = writer.name().to_string();
                let is_sound = writer.is_sound();
                let loss = cause.storage_cause().unwrap_or(StorageCause::IoError);
                self.report(loss, &segment, &cause);
                if !is_sound {
                    self.leave_unsealed();
                }
                Err(loss)
            }
        }
    }

    /// Opens a segment where there is none, unless that failed a moment ago.
    fn reopen(&mut self) -> Result<(), StorageCause> {
        if self.writer.is_some() {
            return Ok(());
        }
        let now_ns = self.clock.monotonic_ns();
        if now_ns < self.reopen_at_ns {
            return Err(self.failing.unwrap_or(StorageCause::IoError));
        }
        self.open_segment().map_err(|cause| {
            self.reopen_at_ns = now_ns + REOPEN_NS;
            let loss = cause.storage_cause().unwrap_or(StorageCause::IoError);
            self.report(loss, "the next segment", &cause);
            loss
        })
    }

    /// Logs a failure when it begins or changes its kind, not once per block.
    fn report(&mut self, loss: StorageCause, segment: &str, cause: &dyn std::error::Error) {
        self.counters.storage_errors += 1;
        if self.failing != Some(loss) {
            error!(segment, cause = %ErrorChain(cause), "blocks are being lost: the storage failed");
        }
        self.failing = Some(loss);
    }

    /// Forgets a segment that can neither go on nor be sealed.
    fn leave_unsealed(&mut self) {
        if let Some(writer) = self.writer.take() {
            warn!(segment = %writer.name(), "left a segment as .part for recovery");
            self.closed_bytes += writer.written().stored_bytes;
            self.closed_durable_packets += writer.durable().packets;
            self.counters.unsealed_segments += 1;
            self.account.fill(PortTally::default());
        }
    }

    fn count_stored(&mut self, block: &Block) {
        let total = &block.tally.total;
        let counters = &mut self.counters;
        counters.taken_packets += total.packets;
        counters.taken_bytes += total.wire_bytes;
        counters.stored_packets += total.packets;
        counters.stored_bytes += total.captured_bytes;
        counters.sliced_bytes += total.wire_bytes - total.captured_bytes;
        counters.blocks += u64::from(!block.is_empty());
        counters.encoded_bytes += block.filled().len() as u64;
        for (account, seen) in self.account.iter_mut().zip(&block.tally.ports) {
            account.add(seen);
        }
    }

    /// Counts a block as lost, and hands its losses, old and new, to whoever writes next.
    fn count_lost(&mut self, block: &Block, loss: StorageCause) {
        let total = &block.tally.total;
        let counters = &mut self.counters;
        counters.taken_packets += total.packets;
        counters.taken_bytes += total.wire_bytes;
        let (packets, bytes) = match loss {
            StorageCause::DiskFull => {
                (&mut counters.lost_disk_full_packets, &mut counters.lost_disk_full_bytes)
            }
            StorageCause::IoError => {
                (&mut counters.lost_io_error_packets, &mut counters.lost_io_error_bytes)
            }
        };
        *packets += total.packets;
        *bytes += total.wire_bytes;
        for (port, (account, seen)) in self.account.iter_mut().zip(&block.tally.ports).enumerate() {
            account.filtered_packets += seen.filtered_packets;
            let port = PortId(u16::try_from(port).unwrap_or(u16::MAX));
            self.ports.drops.add_os(port, seen.accepted_packets + seen.drops.os_packets);
            self.ports.drops.add_nic(port, seen.drops.nic_packets);
        }
    }

    /// Syncs and turns the segment when it is time.
    fn keep_time(&mut self) {
        let now_ns = self.clock.monotonic_ns();
        self.sync_if_due(now_ns);
        let Some(writer) = &self.writer else { return };
        let now = self.clock.timestamp_at(now_ns);
        let requests = self.ports.rotate.count();
        let bytes = writer.written().stored_bytes;
        let cause = if requests != self.rotations_done {
            Some(RotateCause::Request)
        } else {
            self.config.rotation.should_rotate(now, writer.opened_at(), bytes)
        };
        if let Some(cause) = cause {
            self.rotations_done = requests;
            self.seal(now, cause.as_str());
            // If this fails, the next block will try again and account for what becomes of it.
            let _ = self.reopen();
        }
    }

    fn sync_if_due(&mut self, now_ns: u64) {
        let Some(writer) = &mut self.writer else { return };
        let waiting_bytes = writer.written().stored_bytes - writer.durable().stored_bytes;
        let waited_ns = now_ns.saturating_sub(self.synced_at_ns);
        if waiting_bytes == 0
            || (waiting_bytes < self.config.sync_bytes && waited_ns < self.config.sync_interval_ns)
        {
            return;
        }
        let result = writer.sync(&mut self.storage);
        let segment = writer.name().to_string();
        let is_sound = writer.is_sound();
        self.synced_at_ns = self.clock.monotonic_ns();
        let took_ns = self.synced_at_ns.saturating_sub(now_ns);
        self.counters.sync_ns_max = self.counters.sync_ns_max.max(took_ns);
        if let Err(cause) = result {
            self.counters.storage_errors += 1;
            error!(segment, cause = %ErrorChain(&cause), "a sync failed: what was written since the last is not durable");
            if !is_sound {
                self.leave_unsealed();
            }
        }
    }

    fn seal(&mut self, now: Timestamp, cause: &'static str) {
        let Some(writer) = self.writer.take() else { return };
        let statistics = self.config.description.statistics(&self.account, writer.opened_at(), now);
        let (written, durable) = (writer.written(), writer.durable());
        self.account.fill(PortTally::default());
        match writer.seal(&mut self.storage, &statistics) {
            Ok(sealed) => {
                self.counters.sealed_segments += 1;
                self.closed_durable_packets += sealed.tally.packets;
                self.closed_bytes += sealed.stored_bytes;
                let (packets, bytes) = (sealed.tally.packets, sealed.stored_bytes);
                info!(segment = %sealed.name, packets, bytes, cause, "sealed a segment");
            }
            Err(cause) => {
                self.counters.storage_errors += 1;
                self.counters.unsealed_segments += 1;
                self.closed_bytes += written.stored_bytes;
                self.closed_durable_packets += durable.packets;
                error!(cause = %ErrorChain(&cause), "a segment could not be sealed");
            }
        }
    }

    /// Tells losses that no packet told, and seals the last segment.
    fn finish(&mut self) {
        for (port, account) in self.account.iter_mut().enumerate() {
            let port = PortId(u16::try_from(port).unwrap_or(u16::MAX));
            if let Some(drops) = self.ports.drops.claim(port) {
                account.drops.nic_packets += drops.nic_packets;
                account.drops.os_packets += drops.os_packets;
            }
        }
        if self.account.iter().any(|account| *account != PortTally::default()) {
            // Where no segment is open because none could be, this is the last chance to tell
            // what was lost.
            self.reopen_at_ns = 0;
            let _ = self.reopen();
        }
        let now = self.clock.now();
        self.seal(now, "end of capture");
        self.publish();
    }

    fn publish(&mut self) {
        let (written, durable) = match &self.writer {
            Some(writer) => (writer.written().stored_bytes, writer.durable().packets),
            None => (0, 0),
        };
        self.counters.file_bytes = self.closed_bytes + written;
        self.counters.durable_packets = self.closed_durable_packets + durable;
        self.publisher.publish(&self.counters);
    }
}

impl<S: Storage, C: Clock> Stage for Output<S, C> {
    fn poll(&mut self) -> Poll {
        let block = self.next_block();
        let worked = usize::from(block.is_some());
        if let Some(block) = block {
            self.deal_with(block);
        } else if self.ports.receivers.iter().all(BlockReceiver::has_ended) {
            self.finish();
            return Poll::Finished;
        }
        self.keep_time();
        self.publish();
        Poll::worked(worked)
    }
}

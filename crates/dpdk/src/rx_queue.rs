//! A port's receive queue.
//!
//! Runs on: the one data lcore that owns it. Allocates: never.

#![allow(unsafe_code, reason = "calls DPDK")]

use core::cell::Cell;
use core::marker::PhantomData;
use std::sync::Arc;

use weir_dpdk_sys as sys;
use weir_model::{BURST_PACKETS_MAX, PacketSource, QueueId};

use crate::Burst;
use crate::port::RunningPort;
use crate::timestamps::Conversion;

/// A receive queue of a started port. Its port runs until every queue of it is dropped.
///
/// A queue moves to the lcore that polls it, and cannot be polled by two:
///
/// ```
/// fn is_send<T: Send>() {}
/// is_send::<weir_dpdk::RxQueue>();
/// ```
/// ```compile_fail,E0277
/// fn is_sync<T: Sync>() {}
/// is_sync::<weir_dpdk::RxQueue>();
/// ```
/// ```compile_fail,E0277
/// fn is_clone<T: Clone>() {}
/// is_clone::<weir_dpdk::RxQueue>();
/// ```
#[derive(Debug)]
pub struct RxQueue {
    port: Arc<RunningPort>,
    queue: QueueId,
    conversion: Conversion,
    /// Which of the driver's metadata means something (`SHIM_BELIEVE_*`).
    believe: u32,
    /// `rte_eth_rx_burst` must not be called for one queue by two threads at once: the queue may
    /// move to another thread, and is never shared.
    _not_sync: PhantomData<Cell<()>>,
}

impl RxQueue {
    pub(crate) fn new(
        port: Arc<RunningPort>,
        queue: QueueId,
        conversion: Conversion,
        rss_symmetric: bool,
    ) -> Self {
        let mut believe = 0;
        if !matches!(conversion, Conversion::None) {
            believe |= sys::SHIM_BELIEVE_SOURCE_TIME;
        }
        if rss_symmetric {
            believe |= sys::SHIM_BELIEVE_RSS;
        }
        Self { port, queue, conversion, believe, _not_sync: PhantomData }
    }

    /// Returns its number among the port's queues.
    pub fn queue_id(&self) -> QueueId {
        self.queue
    }

    /// Returns the name of its port, as DPDK has it.
    pub fn port_name(&self) -> &str {
        self.port.name()
    }
}

impl PacketSource for RxQueue {
    type Burst = Burst;

    #[inline]
    fn receive_into(&mut self, burst: &mut Burst, packets_max: usize) -> usize {
        let room = packets_max.min(BURST_PACKETS_MAX) as u16;
        let eal = self.port.eal();
        // SAFETY: `shim_receive` writes as many entries of each array as it returns, at most
        // `room`, which none of the arrays is shorter than. The port is started and has this queue
        // (both for as long as `self.port` is held), and `&mut self` of a type that is neither
        // `Clone` nor `Sync` makes this the only thread that polls it.
        let received = unsafe {
            burst.refill(eal, |to| {
                sys::shim_receive(
                    self.port.number(),
                    self.queue.0,
                    to.mbufs,
                    to.views,
                    to.times_ns,
                    room,
                    eal.stamps(),
                    self.believe,
                )
            })
        };
        match &self.conversion {
            Conversion::None => {}
            Conversion::Units { ns_per_unit } => {
                burst.convert_source_times(|units| units.saturating_mul(*ns_per_unit));
            }
            Conversion::Device(published) => {
                let calibration = published.read();
                burst.convert_source_times(|ticks| calibration.to_ns(ticks));
            }
        }
        received
    }
}

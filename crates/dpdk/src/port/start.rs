//! Starting a port: configure, set up queues, start, and see what became of it.

#![allow(unsafe_code, reason = "calls DPDK")]

use core::ptr;
use std::sync::Arc;

use weir_dpdk_sys as sys;
use weir_model::{QueueId, TimestampSource};

use super::config::{Plan, frame_bytes};
use super::{
    DriverKind, KernelWatch, Port, PortConfig, PortInfo, RssState, RunningPort, StartError,
    StartedPort, devargs, rss,
};
use crate::counters::{CounterReader, CountersBefore};
use crate::device_clock::DeviceClock;
use crate::timestamps::{Conversion, pmd_unit_ns};
use crate::{Errno, Mempool, RxQueue};

/// The frame size of `net_af_packet` where its argument `framesz` is not given.
const AF_PACKET_FRAME_BYTES_DEFAULT: u32 = 2048;
/// What the kernel puts before a frame's first byte in a TPACKET_V2 ring (`tpacket_rcv`: header and
/// address, 52 bytes, and 16 for the link header, aligned to 16, less the 14 of Ethernet).
const AF_PACKET_PREFIX_BYTES: u32 = 66;

impl Port {
    /// Configures the port, gives its queues mbufs of `mempool`, and starts it. Offloads and
    /// settings that it does not offer are left out; [`StartedPort`] says what became of them.
    ///
    /// # Errors
    ///
    /// [`StartError`]. The port is free to be found again then, and is not running.
    pub fn start(
        self,
        config: &PortConfig,
        mempool: &Mempool,
    ) -> Result<(StartedPort, Vec<RxQueue>), StartError> {
        let kernel = self.watch_kernel();
        refuse_cut_frames(&self.info, kernel.as_ref())?;
        let plan = Plan::new(&self.info, config, mempool.packet_bytes_per_mbuf())?;
        let tx_queues = self.configure(config, &plan)?;
        self.set_mtu(config)?;
        let before = CountersBefore::look(&self.info);
        let rx_descriptors = self.set_up_queues(config, tx_queues, mempool)?;
        let counters =
            CounterReader::start(self.claim.number, &self.info, &before, config.rx_queues);
        self.start_device()?;
        let promiscuous_before = promiscuous(self.claim.number);
        let number = self.claim.number;
        let mut running =
            RunningPort { claim: self.claim, info: self.info, promiscuous_by_us: false };
        if config.promiscuous && !promiscuous_before {
            running.promiscuous_by_us = enter_promiscuous(&running)?;
        }
        let rss = rss_state(number, &plan);
        let (conversion, source, clock) = timestamps(&running, config, &plan)?;
        let port = Arc::new(running);
        let queues = (0..config.rx_queues)
            .map(|queue| {
                RxQueue::new(Arc::clone(&port), QueueId(queue), conversion.clone(), rss.symmetric)
            })
            .collect();
        let started = StartedPort {
            counters,
            kernel,
            clock,
            source,
            rss,
            rx_descriptors,
            rx_queues: config.rx_queues,
            running: port,
        };
        Ok((started, queues))
    }

    fn watch_kernel(&self) -> Option<KernelWatch> {
        let interface = self.info.kernel_interface.as_ref()?;
        if self.info.kind.is_kernel_backed() { KernelWatch::open(interface) } else { None }
    }

    /// Returns how many transmit queues there are to set up: none, but where the driver insists.
    fn configure(&self, config: &PortConfig, plan: &Plan) -> Result<u16, StartError> {
        let mut key = plan.rss_key.clone();
        let mut conf = sys::rte_eth_conf::default();
        conf.rxmode.offloads = plan.rx_offloads;
        conf.rxmode.mtu = plan.mtu;
        if plan.rss_flows != 0 {
            conf.rxmode.mq_mode = sys::SHIM_MQ_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = plan.rss_flows;
        }
        if !key.is_empty() {
            conf.rx_adv_conf.rss_conf.rss_key = key.as_mut_ptr();
            conf.rx_adv_conf.rss_conf.rss_key_len = self.info.rss_key_bytes;
        }
        let configure = |tx_queues| {
            // SAFETY: `conf`, and the key that it points to, outlive the call, which copies them;
            // the port is not started, and DPDK checks the rest.
            let ret = unsafe {
                sys::rte_eth_dev_configure(
                    self.claim.number,
                    config.rx_queues,
                    tx_queues,
                    &raw const conf,
                )
            };
            Errno::check(ret).map(|()| tx_queues)
        };
        // Drivers that want as many transmit queues, and are not known for it, say just this.
        let paired = |errno| match errno {
            Errno(libc::EINVAL) if plan.tx_queues == 0 => configure(config.rx_queues),
            errno => Err(errno),
        };
        configure(plan.tx_queues).or_else(paired).map_err(|errno| StartError::Configure {
            port: self.info.name.clone(),
            driver: self.info.driver.clone(),
            errno,
        })
    }

    /// Sets the MTU at the device too: some drivers take it from the configuration, some only so.
    fn set_mtu(&self, config: &PortConfig) -> Result<(), StartError> {
        let Some(mtu) = config.mtu else { return Ok(()) };
        // SAFETY: DPDK checks the number and the MTU.
        match Errno::check(unsafe { sys::rte_eth_dev_set_mtu(self.claim.number, mtu) }) {
            Ok(()) | Err(Errno(libc::ENOTSUP)) => Ok(()),
            Err(errno) => Err(StartError::Mtu { port: self.info.name.clone(), mtu, errno }),
        }
    }

    /// Returns how many descriptors each receive queue has got.
    fn set_up_queues(
        &self,
        config: &PortConfig,
        tx_queues: u16,
        mempool: &Mempool,
    ) -> Result<u16, StartError> {
        let number = self.claim.number;
        let (mut rx, mut tx) = (config.rx_descriptors, 0);
        // SAFETY: DPDK checks the number; both are places to read from and write to. Where it
        // fails, the numbers are what they were, and setting up the queue says what is wrong.
        unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(number, &raw mut rx, &raw mut tx) };
        let socket = self.info.socket.unwrap_or(sys::SHIM_SOCKET_ID_ANY.cast_unsigned());
        let failed = |queue, ret| {
            Errno::check(ret).map_err(|errno| StartError::Queue {
                port: self.info.name.clone(),
                queue,
                rx_descriptors: rx,
                mempool: mempool.config().name.clone(),
                mbufs: mempool.size(),
                errno,
            })
        };
        for queue in 0..config.rx_queues {
            // SAFETY: the port is configured with these queues and not started; the mempool lives
            // as long as the EAL; no configuration (null) is the driver's default.
            let ret = unsafe {
                sys::rte_eth_rx_queue_setup(
                    number,
                    queue,
                    rx,
                    socket,
                    ptr::null(),
                    mempool.as_ptr(),
                )
            };
            failed(queue, ret)?;
        }
        for queue in 0..tx_queues {
            // SAFETY: as above.
            let ret =
                unsafe { sys::rte_eth_tx_queue_setup(number, queue, tx, socket, ptr::null()) };
            failed(queue, ret)?;
        }
        Ok(rx)
    }

    fn start_device(&self) -> Result<(), StartError> {
        // SAFETY: the port is configured and all its queues are set up; DPDK checks the number.
        Errno::check(unsafe { sys::rte_eth_dev_start(self.claim.number) }).map_err(|errno| {
            StartError::Start {
                port: self.info.name.clone(),
                driver: self.info.driver.clone(),
                errno,
            }
        })
    }
}

/// Refuses an af_packet port whose interface may receive frames that do not fit into the ring's:
/// the driver passes on what fits and does not tell that it cut.
fn refuse_cut_frames(info: &PortInfo, kernel: Option<&KernelWatch>) -> Result<(), StartError> {
    if info.kind != DriverKind::AfPacket {
        return Ok(());
    }
    let (Some(interface), Some(mtu)) =
        (&info.kernel_interface, kernel.and_then(KernelWatch::mtu_bytes))
    else {
        return Ok(());
    };
    let ring_frame =
        devargs::number(&info.device_args, "framesz").unwrap_or(AF_PACKET_FRAME_BYTES_DEFAULT);
    let room_bytes = ring_frame.saturating_sub(AF_PACKET_PREFIX_BYTES);
    if frame_bytes(mtu) <= room_bytes {
        return Ok(());
    }
    Err(StartError::FramesCut {
        port: info.name.clone(),
        interface: interface.name.clone(),
        mtu,
        frame_bytes: frame_bytes(mtu),
        room_bytes,
    })
}

/// Returns whether the port is in promiscuous mode now.
pub(super) fn promiscuous(number: u16) -> bool {
    // SAFETY: DPDK checks the number.
    unsafe { sys::rte_eth_promiscuous_get(number) == 1 }
}

/// Returns whether the port is now promiscuous; a driver without that mode (one that receives all
/// there is) is no error.
fn enter_promiscuous(port: &RunningPort) -> Result<bool, StartError> {
    // SAFETY: DPDK checks the number.
    match Errno::check(unsafe { sys::rte_eth_promiscuous_enable(port.number()) }) {
        Ok(()) => Ok(true),
        Err(Errno(libc::ENOTSUP)) => Ok(false),
        Err(errno) => Err(StartError::Promiscuous { port: port.name().to_owned(), errno }),
    }
}

/// Asks the driver whether it really uses the symmetric key.
fn rss_state(number: u16, plan: &Plan) -> RssState {
    if plan.rss_flows == 0 {
        return RssState::default();
    }
    let mut key = [0; u8::MAX as usize];
    let mut conf = sys::rte_eth_rss_conf {
        rss_key: key.as_mut_ptr(),
        rss_key_len: plan.rss_key.len() as u8,
        ..Default::default()
    };
    // SAFETY: DPDK checks the number; `conf` is a place to write to, and its key has room for the
    // longest key that there can be.
    let ret = unsafe { sys::rte_eth_dev_rss_hash_conf_get(number, &raw mut conf) };
    let length = plan.rss_key.len();
    let symmetric = ret == 0 && length > 0 && key[..length] == rss::symmetric_key(length as u8);
    RssState { enabled: true, symmetric }
}

/// Finds out what the port's own timestamps mean, if it gives any.
fn timestamps(
    port: &RunningPort,
    config: &PortConfig,
    plan: &Plan,
) -> Result<(Conversion, Option<TimestampSource>, Option<DeviceClock>), StartError> {
    let offload = plan.rx_offloads & sys::SHIM_OFFLOAD_TIMESTAMP != 0;
    if !config.timestamps {
        return Ok((Conversion::None, None, None));
    }
    if let Some(ns_per_unit) = pmd_unit_ns(port.info().kind, offload) {
        return Ok((Conversion::Units { ns_per_unit }, Some(TimestampSource::Pmd), None));
    }
    if !offload {
        return Ok((Conversion::None, None, None));
    }
    let clock = DeviceClock::start(port.number())
        .map_err(|error| StartError::Clock { port: port.name().to_owned(), error })?;
    let conversion = Conversion::Device(clock.published());
    Ok((conversion, Some(TimestampSource::Hardware), Some(clock)))
}

/// Returns the port's MTU as DPDK has it now.
pub(super) fn mtu(number: u16) -> Option<u16> {
    let mut mtu = 0;
    // SAFETY: DPDK checks the number; `mtu` is a place to write to.
    let ret = unsafe { sys::rte_eth_dev_get_mtu(number, &raw mut mtu) };
    (ret == 0).then_some(mtu)
}

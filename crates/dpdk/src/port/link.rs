//! Whether a port's link is up.
//!
//! Drivers on kernel interfaces report a link that is always up and a speed that they made up, so
//! for those the kernel is asked.

#![allow(unsafe_code, reason = "calls DPDK")]

use weir_dpdk_sys as sys;

use super::kernel::{KernelLink, KernelWatch};
use super::{DriverKind, RunningPort};

/// A port's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Whether it is up.
    pub up: bool,
    /// Its speed in Mbit/s, where it has one that is known.
    pub speed_mbps: Option<u32>,
    /// Whether the kernel interface beneath it was deleted: no packet will ever come again.
    pub interface_gone: bool,
}

impl LinkState {
    pub(super) fn read(port: &RunningPort, kernel: Option<&KernelWatch>) -> Self {
        match kernel.map(KernelWatch::link) {
            Some(KernelLink::Up { speed_mbps }) => {
                Self { up: true, speed_mbps, interface_gone: false }
            }
            Some(KernelLink::Down) => Self::default(),
            Some(KernelLink::Gone) => Self { interface_gone: true, ..Self::default() },
            None => Self::of_driver(port),
        }
    }

    fn of_driver(port: &RunningPort) -> Self {
        let (mut speed, mut up) = (0, 0);
        // SAFETY: DPDK checks the number; both are places to write to.
        let ret = unsafe { sys::shim_link(port.number(), &raw mut speed, &raw mut up) };
        let known =
            port.info().kind == DriverKind::Other && speed != 0 && speed != sys::SHIM_SPEED_UNKNOWN;
        let up = ret == 0 && up != 0;
        Self { up, speed_mbps: (up && known).then_some(speed), interface_gone: false }
    }
}

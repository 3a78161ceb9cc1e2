//! Ports: finding one, and owning it.
//!
//! A [`Port`] is found by name and owned by whoever found it; [`Port::start`] makes a
//! [`StartedPort`] and its queues of it, and [`StartedPort::stop`] gives it back.

#![allow(unsafe_code, reason = "calls DPDK")]

mod config;
mod devargs;
mod info;
mod kernel;
mod link;
mod pci;
mod rss;
mod start;
mod started;

use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, PoisonError};

use weir_dpdk_sys as sys;

pub use config::{PortConfig, RssState, StartError};
pub use info::{DriverKind, KernelInterface, MacAddress, PortInfo};
pub(crate) use kernel::{KernelCounter, KernelWatch};
pub use link::LinkState;
pub use pci::{PciAddress, PciAddressError};
pub use started::{StartedPort, StopError};

use crate::eal::EalInner;
use crate::{Eal, Errno};

/// Why a port was not found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PortError {
    /// There is no port of that name. The EAL starts without a port whose device was not there or
    /// whose driver refused it, and has logged why.
    #[error(
        "there is no port {name:?}; the EAL logged why its device was not taken. Ports that are \
         there: {present:?}"
    )]
    NotFound {
        /// The name or address that was asked for.
        name: String,
        /// The names of the ports that there are.
        present: Vec<String>,
    },
    /// Someone else owns the port.
    #[error("port {name:?} is in use already")]
    InUse {
        /// Its name.
        name: String,
    },
    /// The port could not be asked about itself.
    #[error("port {name:?} does not describe itself: {errno}")]
    Info {
        /// Its name.
        name: String,
        /// What DPDK said.
        errno: Errno,
    },
}

/// A port that is not started, owned.
#[derive(Debug)]
pub struct Port {
    claim: Arc<Claim>,
    info: Arc<PortInfo>,
}

impl Port {
    /// Returns the names of all ports that the EAL has.
    pub fn names(_eal: &Eal) -> Vec<String> {
        numbers().filter_map(name_of).collect()
    }

    /// Takes the port called `name`: of a vdev its name as in the EAL's argument, such as
    /// `net_pcap0`; of a PCI device its address, such as `0000:3b:00.0`.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn by_name(eal: &Eal, name: &str) -> Result<Self, PortError> {
        match number_of(name) {
            Some(number) => Self::take(eal, number, name),
            None => Err(not_found(eal, name)),
        }
    }

    /// Takes the port on the PCI device at `address`: the first one, if the device has several.
    ///
    /// # Errors
    ///
    /// [`PortError`].
    pub fn by_pci_address(eal: &Eal, address: PciAddress) -> Result<Self, PortError> {
        let name = address.to_string();
        let on_device = |&number: &u16| {
            info::raw(number).is_ok_and(|raw| info::device_name(&raw).as_deref() == Some(&*name))
        };
        match number_of(&name).or_else(|| numbers().find(on_device)) {
            Some(number) => Self::take(eal, number, &name),
            None => Err(not_found(eal, &name)),
        }
    }

    fn take(eal: &Eal, number: u16, asked: &str) -> Result<Self, PortError> {
        let claim = Claim::new(&eal.inner, number)
            .ok_or_else(|| PortError::InUse { name: asked.to_owned() })?;
        let name = name_of(number).unwrap_or_else(|| asked.to_owned());
        let info = PortInfo::read(number, name)
            .map_err(|errno| PortError::Info { name: asked.to_owned(), errno })?;
        Ok(Self { claim: Arc::new(claim), info: Arc::new(info) })
    }

    /// Returns what the port is and can do.
    pub fn info(&self) -> &PortInfo {
        &self.info
    }
}

/// The right to a port, of which there is one.
#[derive(Debug)]
pub(crate) struct Claim {
    eal: Arc<EalInner>,
    number: u16,
}

impl Claim {
    fn new(eal: &Arc<EalInner>, number: u16) -> Option<Self> {
        let mut taken = eal.ports_taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(number).then(|| Self { eal: Arc::clone(eal), number })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.eal.ports_taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// A port that runs. It stops when the last that holds this lets go: the [`StartedPort`] and each
/// of its queues.
#[derive(Debug)]
pub(crate) struct RunningPort {
    claim: Arc<Claim>,
    info: Arc<PortInfo>,
    /// Promiscuous mode was off before, and is to be off again.
    promiscuous_by_us: bool,
}

impl RunningPort {
    #[inline]
    pub(crate) fn number(&self) -> u16 {
        self.claim.number
    }

    #[inline]
    pub(crate) fn eal(&self) -> &Arc<EalInner> {
        &self.claim.eal
    }

    pub(crate) fn name(&self) -> &str {
        &self.info.name
    }

    pub(crate) fn info(&self) -> &PortInfo {
        &self.info
    }

    /// Stops the port and gives it back.
    fn into_stopped(self) -> Port {
        Port { claim: Arc::clone(&self.claim), info: Arc::clone(&self.info) }
    }
}

impl Drop for RunningPort {
    fn drop(&mut self) {
        let number = self.claim.number;
        if self.promiscuous_by_us {
            // SAFETY: DPDK checks the port's number. What it returns changes nothing here.
            unsafe { sys::rte_eth_promiscuous_disable(number) };
        }
        // SAFETY: no queue of the port is left, so nobody polls it; DPDK checks the number. A
        // driver that cannot stop has logged it, and there is nothing else to be done about it.
        unsafe { sys::rte_eth_dev_stop(number) };
    }
}

fn not_found(eal: &Eal, name: &str) -> PortError {
    PortError::NotFound { name: name.to_owned(), present: Port::names(eal) }
}

fn number_of(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut number = 0;
    // SAFETY: `name` is a C string and `number` a place to write to.
    let ret = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut number) };
    (ret == 0).then_some(number)
}

fn name_of(number: u16) -> Option<String> {
    let mut name: [c_char; sys::SHIM_DEVICE_NAME_BYTES as usize] =
        [0; sys::SHIM_DEVICE_NAME_BYTES as usize];
    // SAFETY: DPDK writes at most RTE_ETH_NAME_MAX_LEN bytes, the array's size, NUL and all.
    let ret = unsafe { sys::rte_eth_dev_get_name_by_port(number, name.as_mut_ptr()) };
    // SAFETY: on success the array holds a C string.
    (ret == 0).then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Returns DPDK's numbers of all ports that nobody inside DPDK (a bonding driver, say) owns.
fn numbers() -> impl Iterator<Item = u16> {
    let next = |from: u16| {
        // SAFETY: no preconditions; 0 is RTE_ETH_DEV_NO_OWNER.
        let number = unsafe { sys::rte_eth_find_next_owned_by(from, 0) };
        u16::try_from(number).ok().filter(|&n| u32::from(n) < sys::SHIM_MAX_ETHPORTS)
    };
    core::iter::successors(next(0), move |&number| next(number + 1))
}

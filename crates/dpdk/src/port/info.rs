//! What a port is and can do.

#![allow(unsafe_code, reason = "calls DPDK")]

use core::fmt;
use std::ffi::CStr;

use weir_dpdk_sys as sys;

use super::devargs;
use crate::Errno;

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The network interface of the kernel that a port stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInterface {
    /// Its name.
    pub name: String,
    /// Its index, where the driver tells it.
    pub index: Option<u32>,
}

/// The drivers that differ in what they tell, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// `net_null`: makes packets up, as many as are polled for.
    Null,
    /// `net_ring`: packets that this process itself put into a ring.
    Ring,
    /// `net_pcap` reading a capture file.
    PcapFile {
        /// Whether it starts over at the file's end, for ever.
        infinite: bool,
    },
    /// `net_pcap` listening on a kernel interface.
    PcapInterface,
    /// `net_af_packet`.
    AfPacket,
    /// `net_af_xdp`.
    AfXdp,
    /// `net_tap`.
    Tap,
    /// Any other: a NIC.
    Other,
}

impl DriverKind {
    fn of(driver: &str, device_args: &str) -> Self {
        match driver {
            "net_null" => Self::Null,
            "net_ring" => Self::Ring,
            "net_pcap" if devargs::values(device_args, "rx_pcap").next().is_some() => {
                let infinite = devargs::number(device_args, "infinite_rx").unwrap_or(0) != 0;
                Self::PcapFile { infinite }
            }
            "net_pcap" => Self::PcapInterface,
            "net_af_packet" => Self::AfPacket,
            "net_af_xdp" => Self::AfXdp,
            "net_tap" => Self::Tap,
            _ => Self::Other,
        }
    }

    /// Returns whether polling can pause and lose nothing: packets wait where they are (a file, a
    /// ring of our own) or are made when asked for. Other sources lose what they cannot hold.
    pub fn is_lossless(self) -> bool {
        matches!(self, Self::Null | Self::Ring | Self::PcapFile { .. })
    }

    /// Returns whether the driver sits on an interface of the kernel, which then knows more about
    /// link and loss than the driver does.
    pub(crate) fn is_kernel_backed(self) -> bool {
        matches!(self, Self::PcapInterface | Self::AfPacket | Self::AfXdp | Self::Tap)
    }

    /// Returns whether the driver takes receive queues only with as many transmit queues.
    pub(crate) fn needs_paired_queues(self) -> bool {
        matches!(self, Self::AfXdp | Self::Tap)
    }
}

/// What a port is and can do, as it said when it was found.
#[derive(Clone, Debug)]
pub struct PortInfo {
    /// Its name.
    pub name: String,
    /// Its driver's name, such as `net_ixgbe`.
    pub driver: String,
    /// What kind of driver that is.
    pub kind: DriverKind,
    /// What stood behind the device's name on the EAL's command line.
    pub device_args: String,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddress>,
    /// The NUMA node that it is at, if it is at one.
    pub socket: Option<u32>,
    /// The kernel interface that it stands on, if it does.
    pub kernel_interface: Option<KernelInterface>,
    /// The most receive queues that it has.
    pub rx_queues_max: u16,
    /// The longest packet that it says it receives, in bytes. Some drivers receive longer ones.
    pub packet_bytes_max: u32,
    /// The largest MTU that it can be given.
    pub mtu_max: u16,
    /// Its receive offloads, as DPDK's bits (`RTE_ETH_RX_OFFLOAD_*`).
    pub rx_offloads: u64,
    /// The kinds of flow that it can hash, as DPDK's bits (`RTE_ETH_RSS_*`).
    pub rss_flows: u64,
    /// The size of its RSS key in bytes; 0 where it has none.
    pub rss_key_bytes: u8,
    /// The size of its RSS redirection table; 0 where it has none.
    pub rss_table_entries: u16,
}

impl PortInfo {
    pub(super) fn read(number: u16, name: String) -> Result<Self, Errno> {
        let raw = raw(number)?;
        let driver = owned(raw.driver_name).unwrap_or_default();
        // SAFETY: the device is the one that the port said it is on, or null, which C checks.
        let device_args = owned(unsafe { sys::shim_device_args(raw.device) }).unwrap_or_default();
        let kind = DriverKind::of(&driver, &device_args);
        Ok(Self {
            name,
            kind,
            mac: mac(number),
            socket: socket(number),
            kernel_interface: kernel_interface(raw.if_index, &device_args),
            rx_queues_max: raw.max_rx_queues,
            packet_bytes_max: raw.max_rx_pktlen,
            mtu_max: mtu_max(&raw),
            rx_offloads: raw.rx_offload_capa,
            rss_flows: raw.flow_type_rss_offloads,
            rss_key_bytes: raw.hash_key_size,
            rss_table_entries: raw.reta_size,
            driver,
            device_args,
        })
    }

    /// Returns whether polling can pause and lose nothing; see [`DriverKind::is_lossless`].
    pub fn is_lossless(&self) -> bool {
        self.kind.is_lossless()
    }

    /// Returns the names of its receive offloads, as DPDK has them.
    pub fn rx_offload_names(&self) -> Vec<String> {
        (0..u64::BITS)
            .map(|bit| 1_u64 << bit)
            .filter(|offload| self.rx_offloads & offload != 0)
            // SAFETY: no preconditions; the answer is a C string that lives for ever.
            .filter_map(|offload| owned(unsafe { sys::rte_eth_dev_rx_offload_name(offload) }))
            .collect()
    }
}

/// Asks a port about itself.
pub(super) fn raw(number: u16) -> Result<sys::rte_eth_dev_info, Errno> {
    let mut raw = sys::rte_eth_dev_info::default();
    // SAFETY: DPDK checks the number; `raw` is a place to write to.
    Errno::check(unsafe { sys::rte_eth_dev_info_get(number, &raw mut raw) })?;
    Ok(raw)
}

/// Returns the name of the device that a port is on.
pub(super) fn device_name(raw: &sys::rte_eth_dev_info) -> Option<String> {
    if raw.device.is_null() {
        return None;
    }
    // SAFETY: the pointer is not null, and a port's device outlives the port.
    owned(unsafe { sys::rte_dev_name(raw.device) })
}

/// Copies one of DPDK's strings; `None` for null.
fn owned(text: *const core::ffi::c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: DPDK's strings end in NUL, and the device that they belong to is there.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Returns the largest MTU that DPDK will accept for the port. A driver that tells only its longest
/// packet leaves the MTU at its limit, and DPDK then counts header and checksum off.
fn mtu_max(raw: &sys::rte_eth_dev_info) -> u16 {
    if raw.max_mtu != u16::MAX {
        return raw.max_mtu;
    }
    let overhead_bytes = sys::SHIM_ETHER_HEADER_BYTES + sys::SHIM_ETHER_CRC_BYTES;
    u16::try_from(raw.max_rx_pktlen.saturating_sub(overhead_bytes)).unwrap_or(u16::MAX)
}

fn mac(number: u16) -> Option<MacAddress> {
    let mut mac = sys::rte_ether_addr::default();
    // SAFETY: DPDK checks the number; `mac` is a place to write to.
    let ret = unsafe { sys::rte_eth_macaddr_get(number, &raw mut mac) };
    (ret == 0).then_some(MacAddress(mac.addr_bytes))
}

fn socket(number: u16) -> Option<u32> {
    // SAFETY: DPDK checks the number. Any NUMA node is -1.
    u32::try_from(unsafe { sys::rte_eth_dev_socket_id(number) }).ok()
}

fn kernel_interface(index: u32, device_args: &str) -> Option<KernelInterface> {
    if index != 0 {
        let name = interface_name(index)?;
        return Some(KernelInterface { name, index: Some(index) });
    }
    ["iface", "rx_iface", "rx_iface_in"]
        .iter()
        .find_map(|key| devargs::values(device_args, key).next())
        .map(|name| KernelInterface { name: name.to_owned(), index: None })
}

fn interface_name(index: u32) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the array has the IF_NAMESIZE bytes that the function asks for.
    let written = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_uses_of_net_pcap_apart() {
        let kind = |args| DriverKind::of("net_pcap", args);
        assert_eq!(kind("rx_pcap=/a.pcap"), DriverKind::PcapFile { infinite: false });
        assert_eq!(
            kind("rx_pcap=/a.pcap,infinite_rx=1,tx_iface=x"),
            DriverKind::PcapFile { infinite: true }
        );
        assert_eq!(kind("rx_pcap=/a.pcap,infinite_rx=0"), DriverKind::PcapFile { infinite: false });
        assert_eq!(kind("rx_iface=veth0"), DriverKind::PcapInterface);
        assert_eq!(kind("iface=veth0"), DriverKind::PcapInterface);
    }

    #[test]
    fn only_what_waits_is_lossless() {
        assert!(DriverKind::PcapFile { infinite: false }.is_lossless());
        assert!(DriverKind::Null.is_lossless());
        assert!(DriverKind::Ring.is_lossless());
        for kind in [
            DriverKind::PcapInterface,
            DriverKind::AfPacket,
            DriverKind::AfXdp,
            DriverKind::Tap,
            DriverKind::of("net_ixgbe", ""),
        ] {
            assert!(!kind.is_lossless(), "{kind:?}");
        }
    }

    #[test]
    fn names_the_interface_of_the_arguments_where_the_driver_does_not() {
        let named = kernel_interface(0, "framesz=4096,iface=veth7").unwrap();
        assert_eq!(named, KernelInterface { name: "veth7".to_owned(), index: None });
        assert_eq!(kernel_interface(0, "rx_pcap=/a"), None);
        assert_eq!(kernel_interface(1, "").unwrap().name, "lo");
    }

    #[test]
    fn writes_mac_addresses_as_everyone_does() {
        assert_eq!(MacAddress([0, 0x1b, 0x21, 0xa, 0xff, 9]).to_string(), "00:1b:21:0a:ff:09");
    }
}

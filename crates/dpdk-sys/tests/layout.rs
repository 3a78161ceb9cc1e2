//! The bindings agree with the C that was compiled beside them, and with the DPDK that is linked.

#![allow(unsafe_code, reason = "asks DPDK about itself")]

use core::mem::size_of;
use std::ffi::{CStr, c_char};

use weir_dpdk_sys as sys;

fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    // SAFETY: the pointer is not null, and DPDK's names are C strings that live for ever.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

#[test]
fn sizes_agree_with_c() {
    let mut c = sys::shim_sizes::default();
    // SAFETY: `c` is a place to write to.
    unsafe { sys::shim_sizes(&raw mut c) };
    for (name, in_c, in_rust) in [
        ("shim_view", c.view, size_of::<sys::shim_view>()),
        ("shim_stamps", c.stamps, size_of::<sys::shim_stamps>()),
        ("rte_mbuf", c.mbuf, size_of::<sys::rte_mbuf>()),
        ("rte_eth_conf", c.eth_conf, size_of::<sys::rte_eth_conf>()),
        ("rte_eth_dev_info", c.eth_dev_info, size_of::<sys::rte_eth_dev_info>()),
        ("rte_eth_stats", c.eth_stats, size_of::<sys::rte_eth_stats>()),
        ("rte_eth_rxconf", c.eth_rxconf, size_of::<sys::rte_eth_rxconf>()),
        ("rte_eth_xstat", c.eth_xstat, size_of::<sys::rte_eth_xstat>()),
        ("rte_eth_xstat_name", c.eth_xstat_name, size_of::<sys::rte_eth_xstat_name>()),
        ("rte_ether_addr", c.ether_addr, size_of::<sys::rte_ether_addr>()),
        (
            "rte_malloc_socket_stats",
            c.malloc_socket_stats,
            size_of::<sys::rte_malloc_socket_stats>(),
        ),
    ] {
        assert_eq!(in_c, in_rust as u64, "{name}");
    }
}

#[test]
fn a_view_stays_small() {
    assert_eq!(size_of::<sys::shim_view>(), 32, "two to a cache line");
}

#[test]
fn mbuf_flags_are_the_linked_librarys() {
    for (flag, name) in [
        (sys::SHIM_F_VLAN, "RTE_MBUF_F_RX_VLAN"),
        (sys::SHIM_F_VLAN_STRIPPED, "RTE_MBUF_F_RX_VLAN_STRIPPED"),
        (sys::SHIM_F_QINQ, "RTE_MBUF_F_RX_QINQ"),
        (sys::SHIM_F_QINQ_STRIPPED, "RTE_MBUF_F_RX_QINQ_STRIPPED"),
        (sys::SHIM_F_RSS_HASH, "RTE_MBUF_F_RX_RSS_HASH"),
    ] {
        // SAFETY: no preconditions.
        assert_eq!(text(unsafe { sys::rte_get_rx_ol_flag_name(flag) }), name);
    }
}

#[test]
fn offloads_are_the_linked_librarys() {
    for (offload, name) in [
        (sys::SHIM_OFFLOAD_TIMESTAMP, "TIMESTAMP"),
        (sys::SHIM_OFFLOAD_SCATTER, "SCATTER"),
        (sys::SHIM_OFFLOAD_RSS_HASH, "RSS_HASH"),
        (sys::SHIM_OFFLOAD_VLAN_STRIP, "VLAN_STRIP"),
    ] {
        // SAFETY: no preconditions.
        assert_eq!(text(unsafe { sys::rte_eth_dev_rx_offload_name(offload) }), name);
    }
}

#[test]
fn the_linked_dpdk_is_the_one_of_the_headers() {
    // SAFETY: no preconditions.
    let linked = text(unsafe { sys::rte_version() });
    // A newer patch of the same release has the same ABI.
    let [year, month] = [sys::SHIM_VERSION >> 24, sys::SHIM_VERSION >> 16 & 0xff];
    let release = format!("{year:02}.{month:02}");
    assert!(linked.starts_with(&format!("DPDK {release}")), "{linked} is linked, not {release}");
    assert!(sys::DPDK_VERSION.starts_with(&release));
}

#[test]
fn views_say_different_things_with_different_bits() {
    let flags = [
        sys::SHIM_VIEW_CHAIN,
        sys::SHIM_VIEW_MALFORMED,
        sys::SHIM_VIEW_VLAN_STRIPPED,
        sys::SHIM_VIEW_QINQ_STRIPPED,
        sys::SHIM_VIEW_RSS,
        sys::SHIM_VIEW_SOURCE_TIME,
    ];
    assert!(flags.iter().all(|flag| flag.is_power_of_two()));
    assert_eq!(flags.iter().fold(0, |all, flag| all | flag).count_ones() as usize, flags.len());
}

//! Plans for ports that are not there.

use super::*;
use crate::port::DriverKind;

fn nic() -> PortInfo {
    PortInfo {
        name: "0000:3b:00.0".to_owned(),
        driver: "net_ice".to_owned(),
        kind: DriverKind::Other,
        device_args: String::new(),
        mac: None,
        socket: Some(0),
        kernel_interface: None,
        rx_queues_max: 8,
        packet_bytes_max: 9728,
        mtu_max: 9702,
        rx_offloads: u64::MAX,
        rss_flows: u64::MAX,
        rss_key_bytes: 52,
        rss_table_entries: 512,
    }
}

fn vdev(kind: DriverKind) -> PortInfo {
    PortInfo {
        name: "net_x".to_owned(),
        driver: "net_x".to_owned(),
        kind,
        rx_queues_max: 1,
        rx_offloads: 0,
        rss_flows: 0,
        rss_key_bytes: 0,
        rss_table_entries: 0,
        ..nic()
    }
}

#[test]
fn never_asks_to_strip_vlan_tags() {
    for rss in [true, false] {
        for timestamps in [true, false] {
            for mtu in [None, Some(1500), Some(9000)] {
                let config =
                    PortConfig { rss, timestamps, mtu, rx_queues: 4, ..PortConfig::default() };
                let plan = Plan::new(&nic(), &config, 2048).unwrap();
                assert_eq!(plan.rx_offloads & sys::SHIM_OFFLOAD_VLAN_STRIP, 0);
            }
        }
    }
}

#[test]
fn asks_for_nothing_that_is_not_offered() {
    let config = PortConfig { mtu: Some(9000), ..PortConfig::default() };
    for kind in [DriverKind::Null, DriverKind::AfPacket, DriverKind::Tap] {
        let plan = Plan::new(&vdev(kind), &config, 2048).unwrap();
        assert_eq!((plan.rx_offloads, plan.rss_flows), (0, 0));
        assert!(plan.rss_key.is_empty());
    }
}

#[test]
fn scatters_only_what_does_not_fit_into_one_mbuf() {
    let scatters = |mtu, room| {
        let config = PortConfig { mtu, ..PortConfig::default() };
        Plan::new(&nic(), &config, room).unwrap().rx_offloads & sys::SHIM_OFFLOAD_SCATTER != 0
    };
    assert!(!scatters(None, 2048));
    assert!(!scatters(Some(2030), 2048));
    assert!(scatters(Some(2031), 2048));
}

#[test]
fn sets_a_key_of_the_size_that_the_nic_has() {
    let plan = Plan::new(&nic(), &PortConfig::default(), 2048).unwrap();
    assert_eq!(plan.rss_key.len(), 52);
    assert_eq!(plan.rss_key[..4], [0x6d, 0x5a, 0x6d, 0x5a]);
    let off = PortConfig { rss: false, ..PortConfig::default() };
    let plan = Plan::new(&nic(), &off, 2048).unwrap();
    assert_eq!(plan.rss_flows, 0);
    assert_eq!(plan.rx_offloads & sys::SHIM_OFFLOAD_RSS_HASH, 0);
}

#[test]
fn pairs_queues_only_where_the_driver_wants_it() {
    let tx_queues = |kind| Plan::new(&vdev(kind), &PortConfig::default(), 2048).unwrap().tx_queues;
    assert_eq!(tx_queues(DriverKind::Tap), 1);
    assert_eq!(tx_queues(DriverKind::AfXdp), 1);
    assert_eq!(tx_queues(DriverKind::Other), 0);
    assert_eq!(tx_queues(DriverKind::Null), 0);
}

#[test]
fn refuses_more_than_the_port_has() {
    let queues = PortConfig { rx_queues: 2, ..PortConfig::default() };
    let error = Plan::new(&vdev(DriverKind::Null), &queues, 2048).unwrap_err();
    assert_eq!(error.to_string(), "port \"net_x\" (net_x) has 1 receive queues, not 2");
    let none = PortConfig { rx_queues: 0, ..PortConfig::default() };
    assert!(matches!(Plan::new(&nic(), &none, 2048), Err(StartError::NoQueue { .. })));
    let mtu = PortConfig { mtu: Some(9703), ..PortConfig::default() };
    assert!(matches!(
        Plan::new(&nic(), &mtu, 2048),
        Err(StartError::MtuTooLarge { mtu: 9703, mtu_max: 9702, .. })
    ));
}

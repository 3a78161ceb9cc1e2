//! The short way answers what the long way does, and is taken where it should be.

use std::vec::Vec;

use weir_model::LinkType;
use weir_testkit::{FrameBuilder, Hostile, TrafficMix, seed};

use super::{decode, decode_outer, decode_outer_slowly, decode_slowly};
use crate::fast;

fn assert_same(bytes: &[u8]) {
    let link_type = LinkType::ETHERNET;
    assert_eq!(decode_outer(link_type, bytes), decode_outer_slowly(link_type, bytes));
    assert_eq!(decode(link_type, bytes), decode_slowly(link_type, bytes));
}

#[test]
fn the_short_way_is_most_ways() {
    let mut short = 0;
    for packet in TrafficMix::new(1).take(20_000) {
        assert_same(&packet.bytes);
        short += u32::from(fast::read(&packet.bytes).is_some());
    }
    assert!(short > 15_000, "{short} of 20,000");
}

#[test]
fn both_ways_agree_on_hostile_frames() {
    seed::for_each_seed(10, |seed| {
        for packet in Hostile::new(seed).take(3_000) {
            assert_same(&packet.bytes);
        }
    });
}

/// Each byte of the headers of each ordinary frame, with each value.
#[test]
fn both_ways_agree_on_any_byte_of_an_ordinary_frame() {
    let (one, other) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let mut frames = Vec::new();
    for link in [
        FrameBuilder::ethernet(),
        FrameBuilder::ethernet().vlan(5),
        FrameBuilder::ethernet().service_vlan(0).vlan(6),
    ] {
        for network in [link.clone().ipv4(one, other), link.ipv6([1; 16], [2; 16])] {
            frames.push(network.clone().tcp(5, 6, 0x12).payload(&[7; 40]).build());
            frames.push(network.udp(7, 8).payload(&[7; 40]).build_padded());
        }
    }
    for frame in frames {
        assert!(fast::read(&frame).is_some());
        for length in 0..frame.len() {
            assert_same(&frame[..length]);
        }
        for at in 12..frame.len().min(90) {
            let mut changed = frame.clone();
            for value in 0..=255 {
                changed[at] = value;
                assert_same(&changed);
            }
        }
    }
}

/// Each type or length, before each beginning of a payload, in frames of each length.
#[test]
fn both_ways_agree_on_frames_without_ip() {
    for announced in 0..=u16::MAX {
        let [high, low] = announced.to_be_bytes();
        for sap in [0x00, 0x42, 0xaa] {
            let mut frame = std::vec![2; 80];
            frame[12..14].copy_from_slice(&[high, low]);
            frame[14..17].copy_from_slice(&[sap, sap, 0x03]);
            let is_unrouted = fast::read_unrouted(&frame).is_some();
            assert!(is_unrouted || fast::read(&frame).is_none());
            for length in [12, 14, 15, 16, 17, 18, 60, 80] {
                assert_same(&frame[..length]);
            }
        }
    }
    let mut bridge_hello = std::vec![0; 60];
    bridge_hello[13..17].copy_from_slice(&[38, 0x42, 0x42, 0x03]);
    assert!(fast::read_unrouted(&bridge_hello).is_some());
    bridge_hello[14..17].copy_from_slice(&[0xaa, 0xaa, 0x03]);
    assert!(fast::read_unrouted(&bridge_hello).is_none());
}

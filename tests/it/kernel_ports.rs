//! Promise: what the kernel's interfaces carry arrives in the file byte for byte, and what does
//! not arrive is told, or said to be unknown; never is it 0 and not true.

use std::time::Duration;

use rustix::process::Signal;
use toml::Value;

use crate::support::eventually;
use crate::support::law;
use crate::support::namespace::{Namespace, Sender, numbered_frame};
use crate::support::weir::{Ended, Setup, Weir};

/// A driver that captures from the kernel.
struct Driver {
    vdev: &'static str,
    /// The interface that frames are sent out of, for the driver to receive.
    peer: &'static str,
    /// Whether the test makes the interface, or the driver does.
    makes_interface: bool,
    /// The TPID of a tag that was sent as 802.1ad (88a8).
    service_tag: [u8; 2],
    /// More frames than wait for a process that is stopped.
    overrun_frames: u64,
}

/// The kernel takes a tag out of every frame; net_af_packet puts it back as 8100, whatever it was.
const DRIVERS: [Driver; 4] = [
    Driver {
        vdev: "net_af_packet0,iface=cap1",
        peer: "cap0",
        makes_interface: false,
        service_tag: [0x81, 0x00],
        overrun_frames: 5_000,
    },
    Driver {
        vdev: "net_af_xdp0,iface=cap1",
        peer: "cap0",
        makes_interface: false,
        service_tag: [0x88, 0xa8],
        overrun_frames: 20_000,
    },
    Driver {
        vdev: "net_tap0,iface=weirtap",
        peer: "weirtap",
        makes_interface: true,
        service_tag: [0x88, 0xa8],
        overrun_frames: 5_000,
    },
    Driver {
        vdev: "net_pcap0,rx_iface=cap1",
        peer: "cap0",
        makes_interface: false,
        service_tag: [0x88, 0xa8],
        overrun_frames: 100_000,
    },
];

/// A capture through a driver, and who sends to it.
struct Wired {
    weir: Weir,
    sender: Sender,
    namespace: Namespace,
}

impl Driver {
    /// Starts a capture in a namespace of its own, or says why there is none.
    fn start(&self) -> Option<Wired> {
        let namespace = Namespace::new()?;
        if !self.makes_interface {
            namespace.wire("cap0", "cap1");
        }
        let mut weir = Setup::new()
            .in_namespace(namespace.name())
            .port(self.vdev, &[("rx_descriptors", Value::from(512))])
            .set("buffers.mbufs", 8_191)
            .set("buffers.flush_interval_ms", 50)
            .start();
        drop(weir.client());
        let sender = namespace.sender(self.peer);
        Some(Wired { weir, sender, namespace })
    }
}

/// Returns a frame with a tag put in behind the addresses.
fn tagged(frame: &[u8], tpid: [u8; 2], id: u8) -> Vec<u8> {
    [&frame[..12], &tpid, &[0x20, id], &frame[12..]].concat()
}

/// Returns frames of every length, some of them tagged, once as they are sent and once as they
/// must arrive.
fn frames(driver: &Driver) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut frames = Vec::new();
    for (number, bytes) in (60..=1514).step_by(13).chain([1514]).enumerate() {
        let frame = numbered_frame(number as u64, bytes);
        frames.push((frame.clone(), frame.clone()));
        // With a tag it is no longer than the interface carries.
        if bytes > 1_506 {
            continue;
        }
        let customer = tagged(&frame, [0x81, 0x00], 7);
        frames.push((customer.clone(), customer.clone()));
        let service = tagged(&frame, [0x88, 0xa8], 9);
        frames.push((service, tagged(&frame, driver.service_tag, 9)));
        // Only the outer tag is taken out of the frame on its way.
        let both = tagged(&customer, [0x88, 0xa8], 9);
        frames.push((both, tagged(&customer, driver.service_tag, 9)));
    }
    frames
}

#[test]
fn frames_arrive_byte_for_byte() {
    for driver in &DRIVERS {
        let Some(Wired { mut weir, mut sender, namespace }) = driver.start() else { return };
        let frames = frames(driver);
        let mut sent = 0;
        // Fewer at once than any driver's ring holds.
        for some in frames.chunks(100) {
            some.iter().for_each(|(frame, _)| sender.send(frame));
            sent += some.len() as u64;
            weir.wait_until("frames arrive", |stats| stats.accounting.received_packets >= sent);
        }
        let ended = weir.stop();
        let stats = ended.stats();
        assert_eq!(stats.accounting.received_packets, sent, "{}", driver.vdev);
        assert!(matches!(stats.ports[0].nic.missed_packets.value, None | Some(0)));
        let capture = ended.capture();
        let stored: Vec<&[u8]> = capture.packets().map(|packet| &packet.data[..]).collect();
        assert_eq!(stored.len(), frames.len());
        for (index, (stored, (_, expected))) in stored.iter().zip(&frames).enumerate() {
            assert!(stored == expected, "{}: frame {index} is not as it was sent", driver.vdev);
        }
        assert!(capture.packets().all(|packet| packet.wire_bytes as usize == packet.data.len()));
        drop((sender, namespace));
    }
}

/// Stops the process for as long as it takes to send more than any buffer holds.
fn overrun(driver: &Driver) -> Option<Ended> {
    let Wired { mut weir, mut sender, namespace } = driver.start()?;
    weir.signal(Signal::STOP);
    for number in 0..driver.overrun_frames {
        sender.send(&numbered_frame(number, 60));
    }
    weir.signal(Signal::CONT);
    let mut last = 0;
    weir.wait_until("what was buffered arrives", |stats| {
        let received = stats.accounting.received_packets;
        std::thread::sleep(Duration::from_millis(300));
        let is_quiet = received > 0 && received == last;
        last = received;
        is_quiet
    });
    // After the loss comes another packet, which tells it.
    sender.send(&numbered_frame(driver.overrun_frames, 60));
    weir.wait_until("one more arrives", |stats| stats.accounting.received_packets > last);
    let ended = weir.stop();
    drop((sender, namespace));
    Some(ended)
}

#[test]
fn what_an_overrun_costs_is_told_or_said_to_be_unknown() {
    for driver in &DRIVERS {
        let Some(ended) = overrun(driver) else { return };
        let stats = ended.stats();
        let (name, sent) = (driver.vdev, driver.overrun_frames + 1);
        let received = stats.accounting.received_packets;
        assert!(received < sent, "{name} lost nothing of {sent}");
        let [port] = &stats.ports[..] else { panic!("one port") };
        let missed = &port.nic.missed_packets;
        println!("{name}: {received} of {sent} received, {missed:?}");
        match missed.value {
            Some(value) => {
                assert_eq!(value, sent - received, "{name}");
                assert_eq!(port.offered_packets, Some(sent), "{name}");
            }
            None => {
                assert!(missed.reason.is_some(), "{name}");
                assert_eq!(port.offered_packets, None, "{name}");
            }
        }
        // The file tells it as well: in all, and in the packet behind the loss.
        let capture = ended.capture();
        let [statistics] = capture.segments[0].statistics[..] else { panic!("one interface") };
        assert_eq!(statistics.ifdrop, missed.value, "{name}");
        if let Some(value) = missed.value {
            let told: u64 = capture.packets().map(|packet| packet.dropped).sum();
            assert_eq!(told, value, "{name}");
        }
    }
}

#[test]
fn a_link_that_goes_down_or_away_is_seen_and_capture_goes_on() {
    for driver in DRIVERS.iter().filter(|driver| !driver.makes_interface) {
        let Some(Wired { mut weir, mut sender, namespace }) = driver.start() else { return };
        let up = |stats: &weir_telemetry::Stats| {
            stats.ports.first().is_some_and(|port| port.link.up == Some(true))
        };
        let down = |stats: &weir_telemetry::Stats| {
            stats.ports.first().is_some_and(|port| port.link.up == Some(false))
        };
        weir.wait_until("the link is up", up);
        namespace.ip(&["link", "set", "cap0", "down"]);
        weir.wait_until("the link is seen to be down", down);
        namespace.ip(&["link", "set", "cap0", "up"]);
        weir.wait_until("the link is seen to be up again", up);
        let before = weir.client().stats().accounting.received_packets;
        // The kernel may need a moment to carry again.
        eventually("frames arrive again", || {
            sender.try_send(&numbered_frame(1, 60));
            let stats = weir.client().stats();
            law::assert_holds(&stats);
            (stats.accounting.received_packets > before).then_some(())
        });
        drop(sender);
        namespace.ip(&["link", "del", "cap0"]);
        let gone = weir.wait_until("the interface is seen to be gone", down);
        // No error for each poll of an interface that is not there.
        assert!(gone.ports[0].nic.error_packets.value.unwrap_or(0) < 100, "{:#?}", gone.ports[0]);
        let ended = weir.stop();
        assert!(ended.stats().accounting.received_packets > before, "{}", driver.vdev);
        ended.capture();
    }
}

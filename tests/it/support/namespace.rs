//! Network namespaces of a test's own, with pairs of interfaces to send through.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use pcap::{Active, Capture};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::skip;

/// A namespace. Dropped, it goes with every interface in it.
pub(crate) struct Namespace {
    name: String,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip_succeeds(&["netns", "del", &self.name]);
    }
}

impl Namespace {
    /// Makes a namespace in which the kernel sends nothing of its own, or says why it cannot.
    pub(crate) fn new() -> Option<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-it-{}-{number}", std::process::id());
        if !ip_succeeds(&["netns", "add", &name]) {
            skip("no network namespace can be made (it takes root, and iproute2)");
            return None;
        }
        let namespace = Self { name };
        namespace.inside(|| {
            for scope in ["all", "default"] {
                let path = format!("/proc/sys/net/ipv6/conf/{scope}");
                let _ = std::fs::write(format!("{path}/disable_ipv6"), "1");
            }
        });
        Some(namespace)
    }

    /// Returns its name, for `ip netns exec`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, arguments: &[&str]) {
        let all: Vec<&str> = ["-n", &self.name].iter().chain(arguments).copied().collect();
        assert!(ip_succeeds(&all), "ip {}", all.join(" "));
    }

    /// Makes two interfaces that are each other's wire, both up and silent.
    pub(crate) fn wire(&self, one: &str, other: &str) {
        self.ip(&["link", "add", one, "type", "veth", "peer", "name", other]);
        for end in [one, other] {
            self.ip(&["link", "set", end, "arp", "off", "up"]);
        }
    }

    /// Opens an interface to send through.
    pub(crate) fn sender(&self, interface: &str) -> Sender {
        let open = || Capture::from_device(interface).unwrap().buffer_size(1 << 20).open().unwrap();
        Sender(self.inside(open))
    }

    /// Runs something on a thread that lives in the namespace.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), kind).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }
}

fn ip_succeeds(arguments: &[&str]) -> bool {
    let run = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Sends whole frames out of an interface.
pub(crate) struct Sender(Capture<Active>);

impl Sender {
    /// Sends a frame, and returns whether the kernel took it: a socket tells once that its
    /// interface was down.
    pub(crate) fn try_send(&mut self, frame: &[u8]) -> bool {
        self.0.sendpacket(frame).is_ok()
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.0.sendpacket(frame).unwrap();
    }
}

/// Makes a frame of `bytes` bytes that says its number in bytes 14 to 21, with an EtherType for
/// experiments (IEEE 802) that nothing in the kernel answers.
pub(crate) fn numbered_frame(number: u64, bytes: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..bytes).map(|index| (index as u64 * 7 + number) as u8).collect();
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[14..22].copy_from_slice(&number.to_be_bytes());
    frame
}

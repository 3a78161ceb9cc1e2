//! A network namespace for one test, with pairs of interfaces to send through.

#![allow(unsafe_code, reason = "raw packet sockets")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "WEIR_TEST_INSIDE_NETNS";

/// Deletes the namespace, and with it all interfaces in it, however the test ends.
struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Returns true inside a namespace of its own. Outside, runs this program's test `test` again in
/// one, fails if that fails, and returns false. Where no namespace can be made, says so.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        quieten();
        return true;
    }
    let namespace = Namespace(format!("weir-dpdk-{}", std::process::id()));
    if !ip_succeeds(&["netns", "add", &namespace.0]) {
        println!("skipped: no network namespace can be made (it takes root, and iproute2)");
        return false;
    }
    let status = Command::new("ip")
        .args(["netns", "exec", &namespace.0])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "failed inside the namespace");
    false
}

/// Keeps the kernel from sending anything of its own, so that every packet is the test's.
fn quieten() {
    for scope in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
        // A kernel without IPv6 is quiet already.
        let _ = fs::write(path, "1");
    }
}

pub(crate) fn ip(args: &[&str]) {
    assert!(ip_succeeds(args), "ip {}", args.join(" "));
}

fn ip_succeeds(args: &[&str]) -> bool {
    let run = Command::new("ip").args(args).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Makes two interfaces that are each other's wire, both up.
pub(crate) fn wire(one: &str, other: &str) {
    ip(&["link", "add", one, "type", "veth", "peer", "name", other]);
    for end in [one, other] {
        ip(&["link", "set", end, "arp", "off", "up"]);
    }
}

/// Sends whole frames out of an interface.
pub(crate) struct Sender {
    socket: OwnedFd,
    index: i32,
}

impl Sender {
    pub(crate) fn on(interface: &str) -> Self {
        let name = std::ffi::CString::new(interface).unwrap();
        // SAFETY: `name` is a C string.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        assert_ne!(index, 0, "there is no interface {interface}");
        // SAFETY: no preconditions. Protocol 0 receives nothing.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        assert!(socket >= 0, "no packet socket");
        // SAFETY: the socket was just made, and is this function's own.
        Self { socket: unsafe { OwnedFd::from_raw_fd(socket) }, index: index.cast_signed() }
    }

    /// Sends a frame, and returns whether the kernel took it.
    pub(crate) fn send(&self, frame: &[u8]) -> bool {
        // SAFETY: all bytes zero are a valid `sockaddr_ll`, which is plain data.
        let mut to: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = self.index;
        // SAFETY: the frame and the address are as long as they are said to be.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                size_of_val(&to) as libc::socklen_t,
            )
        };
        sent == frame.len() as isize
    }

    /// Sends `count` numbered frames.
    pub(crate) fn send_many(&self, count: u64) {
        for n in 0..count {
            assert!(self.send(&numbered_frame(n)), "frame {n} was not taken");
        }
    }
}

/// Makes a frame that says its number in bytes 14 to 21.
pub(crate) fn numbered_frame(n: u64) -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    // An EtherType for experiments (IEEE 802), which nothing in the kernel answers.
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[14..22].copy_from_slice(&n.to_be_bytes());
    frame
}

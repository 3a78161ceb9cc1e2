//! What the kernel knows about the interface beneath a port.
//!
//! The files are opened when the port starts and read again and again, so that reading them needs
//! neither a path nor a privilege later. Once the interface is gone, they cannot be read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::KernelInterface;

/// Where the kernel shows the interfaces of this network namespace.
const SYSFS_NET: &str = "/sys/class/net";

/// A kernel interface, watched.
#[derive(Debug)]
pub(crate) struct KernelWatch {
    operstate: File,
    carrier: File,
    speed: File,
    mtu: File,
}

/// One of the kernel's counters for an interface.
#[derive(Debug)]
pub(crate) struct KernelCounter(File);

/// How the kernel sees an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelLink {
    Up { speed_mbps: Option<u32> },
    Down,
    Gone,
}

impl KernelWatch {
    /// Opens what is to be watched. `None` where the kernel does not show that interface here: no
    /// sysfs, or that of another network namespace.
    pub(crate) fn open(interface: &KernelInterface) -> Option<Self> {
        let path = shown(interface)?;
        let open = |file: &str| File::open(path.join(file)).ok();
        Some(Self {
            operstate: open("operstate")?,
            carrier: open("carrier")?,
            speed: open("speed")?,
            mtu: open("mtu")?,
        })
    }

    pub(crate) fn link(&self) -> KernelLink {
        let Some(operstate) = read(&self.operstate) else { return KernelLink::Gone };
        // Reading the carrier of an interface that is down is an error. Drivers that do not keep
        // the state (tap) leave it "unknown", and it is the carrier that counts.
        let carrier = read(&self.carrier).is_some_and(|carrier| carrier == "1");
        if !carrier || !matches!(operstate.as_str(), "up" | "unknown") {
            return KernelLink::Down;
        }
        // An unknown speed is -1, or an error.
        let speed_mbps = read(&self.speed).and_then(|speed| speed.parse().ok());
        KernelLink::Up { speed_mbps: speed_mbps.filter(|&speed| speed > 0) }
    }

    pub(crate) fn mtu_bytes(&self) -> Option<u32> {
        read(&self.mtu)?.parse().ok()
    }
}

impl KernelCounter {
    /// Opens a counter by the name that it has in the interface's `statistics`.
    pub(crate) fn open(interface: &KernelInterface, name: &str) -> Option<Self> {
        let path = shown(interface)?.join("statistics").join(name);
        File::open(path).ok().map(Self)
    }

    /// Returns its value; `None` once the interface is gone.
    pub(crate) fn read(&self) -> Option<u64> {
        read(&self.0)?.parse().ok()
    }
}

/// Returns where the kernel shows the interface, if what it shows by that name is the same one.
fn shown(interface: &KernelInterface) -> Option<PathBuf> {
    if interface.name.contains('/') || interface.name.starts_with('.') {
        return None;
    }
    let path = Path::new(SYSFS_NET).join(&interface.name);
    let index: u32 = std::fs::read_to_string(path.join("ifindex")).ok()?.trim().parse().ok()?;
    interface.index.is_none_or(|expected| expected == index).then_some(path)
}

/// Reads a sysfs file from its start. Its contents never exceed the buffer: numbers and words.
fn read(file: &File) -> Option<String> {
    let mut buffer = [0; 64];
    let bytes = file.read_at(&mut buffer, 0).ok()?;
    let text = core::str::from_utf8(&buffer[..bytes]).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: Option<u32>) -> KernelInterface {
        KernelInterface { name: name.to_owned(), index }
    }

    #[test]
    fn watches_the_loopback() {
        let Some(watch) = KernelWatch::open(&interface("lo", Some(1))) else {
            println!("skipped: no /sys/class/net/lo here");
            return;
        };
        assert!(matches!(watch.link(), KernelLink::Up { .. } | KernelLink::Down));
        assert!(watch.mtu_bytes().unwrap() > 0);
        let counter = KernelCounter::open(&interface("lo", None), "rx_packets").unwrap();
        assert!(counter.read().is_some());
    }

    #[test]
    fn refuses_another_interface_of_that_name() {
        assert!(KernelWatch::open(&interface("lo", Some(99_999))).is_none());
        assert!(KernelWatch::open(&interface("no-such-one", None)).is_none());
        assert!(KernelWatch::open(&interface("../net/lo", None)).is_none());
    }
}

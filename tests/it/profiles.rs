//! Promise: every profile in `dpdk-config/` is a configuration that can be run, and those whose
//! devices any machine has do run.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::namespace::{Namespace, numbered_frame};
use crate::support::weir::{Setup, WEIR};
use crate::support::{captures, repository};

fn profile(name: &str) -> PathBuf {
    repository().join("dpdk-config").join(name)
}

#[test]
fn every_profile_has_a_plan() {
    let paths: Vec<PathBuf> = std::fs::read_dir(repository().join("dpdk-config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(paths.len() >= 7, "{paths:?}");
    // A plan makes nothing: not where it is asked for, and not here.
    let place = TempDir::new().unwrap();
    for path in paths {
        let ended = Command::new(WEIR)
            .args(["run", "--plan", "--config", path.to_str().unwrap()])
            .current_dir(place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{}: {said}", path.display());
        let plan = String::from_utf8(ended.stdout).unwrap();
        for word in ["shape ", "lcore ", "mbufs ", "eal "] {
            assert!(plan.contains(word), "{}: no {word:?} in {plan}", path.display());
        }
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_profile_for_ci_replays_the_sample() {
    let ended = Setup::new().profile(&profile("ci-net-pcap.toml")).run();
    let sample = repository().join("tests/samples/first-light.pcap");
    let expected = captures::read(&sample).unwrap().packets.len();
    assert_eq!(ended.capture().packets().count(), expected);
}

#[test]
fn the_profile_without_a_source_runs() {
    let ended = Setup::new()
        .profile(&profile("net-null.toml"))
        .argument("--stop-after-packets")
        .argument("5000")
        .run();
    assert_eq!(ended.stats().accounting.received_packets, 5_000);
    ended.capture();
}

#[test]
fn the_profiles_for_the_kernel_s_interfaces_capture_from_them() {
    for (name, interface, peer) in [
        ("tap.toml", None, "weirtap0"),
        ("af-packet.toml", Some("cap0"), "cap1"),
        ("af-xdp.toml", Some("cap0"), "cap1"),
    ] {
        let Some(namespace) = Namespace::new() else { return };
        if let Some(interface) = interface {
            namespace.wire(interface, peer);
        }
        let mut weir = Setup::new().in_namespace(namespace.name()).profile(&profile(name)).start();
        drop(weir.client());
        let mut sender = namespace.sender(peer);
        (0..50).for_each(|number| sender.send(&numbered_frame(number, 200)));
        weir.wait_until(name, |stats| stats.accounting.received_packets >= 50);
        let ended = weir.stop();
        let capture = ended.capture();
        let stored: Vec<&[u8]> = capture.packets().map(|packet| &packet.data[..]).collect();
        assert_eq!(stored.len(), 50, "{name}");
        for (number, stored) in stored.iter().enumerate() {
            assert!(*stored == numbered_frame(number as u64, 200), "{name}: frame {number}");
        }
    }
}

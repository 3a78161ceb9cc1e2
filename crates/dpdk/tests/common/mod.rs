//! What all tests with an EAL share. An EAL can be started once in a process, so each of these
//! tests is a program of its own, with one test function.

#![allow(dead_code, reason = "each test uses some of it")]

use std::path::PathBuf;

use weir_dpdk::{AffinityMask, Eal, Mempool, MempoolConfig};

/// Starts an EAL without hugepages, devices or files of its own, and with `more` arguments.
pub(crate) fn eal(more: &[&str]) -> Eal {
    let prefix = format!("--file-prefix=weir-test-{}", std::process::id());
    let fixed = ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "256", &prefix];
    let args: Vec<String> = fixed.iter().chain(more).map(|&arg| arg.to_owned()).collect();
    Eal::init(&args).expect("the EAL starts without hugepages")
}

/// Returns two CPUs that this process may use; the same one twice where there is one.
pub(crate) fn two_cpus() -> [usize; 2] {
    let cpus = AffinityMask::of_current_thread().unwrap().cpus();
    [cpus[0], *cpus.get(1).unwrap_or(&cpus[0])]
}

/// Makes a mempool of ordinary mbufs.
pub(crate) fn pool(eal: &Eal, name: &str, mbufs: u32) -> Mempool {
    pool_of(eal, name, mbufs, MempoolConfig::DATA_ROOM_BYTES_DEFAULT)
}

pub(crate) fn pool_of(eal: &Eal, name: &str, mbufs: u32, data_room_bytes: u16) -> Mempool {
    let config = MempoolConfig {
        name: name.to_owned(),
        mbufs,
        cache_mbufs: 32,
        data_room_bytes,
        socket: None,
    };
    Mempool::create(eal, config).expect("256 MiB are enough")
}

/// Returns the folder of captures, or says that the test is skipped.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("WEIR_PCAPS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
        PathBuf::from,
    );
    if folder.join("MANIFEST.tsv").exists() {
        return Some(folder);
    }
    println!("skipped: no captures at {}", folder.display());
    None
}

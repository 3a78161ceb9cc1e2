//! Lcores: giving them work, and getting it back; and the EAL's start, which happens once.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{eal, two_cpus};
use weir_dpdk::{AffinityMask, Eal, EalError, LaunchError};
use weir_model::LcoreId;

#[test]
fn lcores() {
    let before = AffinityMask::of_current_thread().unwrap();
    nul_bytes_are_refused();
    // Three lcores, of which two share a CPU, as on a small machine; the last may float.
    let [first, second] = two_cpus();
    let lcores = format!("--lcores=0@{first},1@{first},2@{second},5@({first},{second})");
    let eal = eal(&[&lcores]);
    assert_eq!(Eal::init(&[]).unwrap_err(), EalError::AlreadyStarted);
    assert!(eal.version().starts_with("DPDK "), "{}", eal.version());
    listing(&eal, first, second);
    affinity(&eal, &before, first);
    results(&eal, second);
    refusals(&eal);
    panics(&eal);
    all_at_once(&eal);
    detached(&eal);
    let registered = eal.register_thread();
    drop(registered);
}

fn nul_bytes_are_refused() {
    let args = ["--no-huge".to_owned(), "a\0b".to_owned()];
    assert_eq!(Eal::init(&args).unwrap_err(), EalError::NulInArgument { index: 1 });
}

fn listing(eal: &Eal, first: usize, second: usize) {
    let lcores = eal.lcores();
    let seen: Vec<_> = lcores.iter().map(|lcore| (lcore.id.0, lcore.cpu, lcore.is_main)).collect();
    assert_eq!(seen, [(0, first, true), (1, first, false), (2, second, false), (5, first, false)]);
    let workers: Vec<_> = eal.worker_lcores().iter().map(|lcore| lcore.id.0).collect();
    assert_eq!(workers, [1, 2, 5]);
}

fn affinity(eal: &Eal, before: &AffinityMask, first: usize) {
    assert_eq!(eal.affinity_before(), before);
    assert_eq!(
        AffinityMask::of_current_thread().unwrap().cpus(),
        [first],
        "the EAL pins its main lcore"
    );
    let mask = eal.affinity_before().clone();
    let (inherited, restored) = std::thread::spawn(move || {
        let inherited = AffinityMask::of_current_thread().unwrap();
        mask.apply_to_current_thread().unwrap();
        (inherited, AffinityMask::of_current_thread().unwrap())
    })
    .join()
    .unwrap();
    assert_eq!(inherited.cpus(), [first], "threads inherit the pin");
    assert_eq!(&restored, before);
}

fn results(eal: &Eal, second: usize) {
    for _ in 0..100 {
        let join = eal.launch(LcoreId(2), || AffinityMask::of_current_thread().unwrap()).unwrap();
        assert_eq!(join.lcore(), LcoreId(2));
        assert_eq!(join.join().unwrap().cpus(), [second]);
    }
    let owned = String::from("six ch");
    let join = eal.launch(LcoreId(1), move || owned.len()).unwrap();
    assert_eq!(join.join(), Ok(6));
}

fn refusals(eal: &Eal) {
    let (release, held) = mpsc::channel::<()>();
    let dropped = mpsc::channel::<()>();
    let join = eal.launch(LcoreId(1), move || held.recv().is_err()).unwrap();
    assert!(!join.is_finished());
    let not_taken = dropped.0;
    let busy = eal.launch(LcoreId(1), move || drop(not_taken)).unwrap_err();
    assert_eq!(busy, LaunchError::Busy { lcore: LcoreId(1) });
    assert!(dropped.1.recv().is_err(), "work that is refused is dropped");
    let main = eal.launch(LcoreId(0), || ()).unwrap_err();
    assert_eq!(main, LaunchError::MainLcore { lcore: LcoreId(0) });
    for missing in [3, 127, 128, u16::MAX] {
        let error = eal.launch(LcoreId(missing), || ()).unwrap_err();
        assert_eq!(error, LaunchError::NoSuchLcore { lcore: LcoreId(missing) });
    }
    drop(release);
    assert_eq!(join.join(), Ok(true));
}

fn panics(eal: &Eal) {
    let join = eal.launch::<(), _>(LcoreId(1), || panic!("on purpose: {}", 7)).unwrap();
    let panic = join.join().unwrap_err();
    assert_eq!((panic.lcore, &*panic.message), (LcoreId(1), "on purpose: 7"));
    let join = eal.launch::<(), _>(LcoreId(1), || std::panic::panic_any(7_u8)).unwrap();
    assert_eq!(&*join.join().unwrap_err().message, "a panic without a message");
    // The lcore has survived both.
    assert_eq!(eal.launch(LcoreId(1), || 5).unwrap().join(), Ok(5));
}

fn all_at_once(eal: &Eal) {
    let (sender, receiver) = mpsc::channel();
    let joins: Vec<_> = eal
        .worker_lcores()
        .into_iter()
        .map(|lcore| {
            let sender = sender.clone();
            eal.launch(lcore.id, move || sender.send(lcore.id).unwrap()).unwrap()
        })
        .collect();
    drop(sender);
    let mut seen: Vec<_> = receiver.iter().collect();
    seen.sort();
    assert_eq!(seen, [LcoreId(1), LcoreId(2), LcoreId(5)]);
    for join in joins {
        join.join().unwrap();
    }
}

/// Work goes on when nobody waits for it, and the lcore is free afterwards.
fn detached(eal: &Eal) {
    let (sender, receiver) = mpsc::channel();
    drop(eal.launch(LcoreId(1), move || sender.send(3).unwrap()).unwrap());
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(3));
    let mut again = eal.launch(LcoreId(1), || 4);
    for _ in 0..1_000 {
        if !matches!(again, Err(LaunchError::Busy { .. })) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        again = eal.launch(LcoreId(1), || 4);
    }
    assert_eq!(again.unwrap().join(), Ok(4));
}

//! The disk keeps what it promises, and nothing more.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use weir_model::{Clock, Storage, StorageFile, Timestamp};

use crate::seed::for_each_seed;
use crate::{CrashModel, DiskOp, Fault, Latency, ManualClock, SimDisk};

const SMALL_SECTORS: CrashModel = CrashModel { sector_bytes: 512, garble: false };

#[test]
fn reads_back_what_was_appended() {
    let mut disk = SimDisk::new(0);
    let mut file = disk.create("a").unwrap();
    assert_eq!(file.append(b"hello ").unwrap(), 6);
    assert_eq!(file.append(b"world").unwrap(), 5);
    file.truncate(7).unwrap();
    file.append(b"eir").unwrap();
    assert_eq!(disk.contents("a").unwrap(), b"hello weir");
    assert_eq!(disk.contents("b"), None);
    assert_eq!(disk.list().unwrap(), ["a"]);
}

#[test]
fn refuses_names_that_are_taken_or_absent() {
    let mut disk = SimDisk::new(0);
    disk.create("a").unwrap();
    disk.create("b").unwrap();
    assert_eq!(disk.create("a").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.rename("a", "b").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.rename("c", "d").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove("c").unwrap_err().kind(), ErrorKind::NotFound);
    disk.rename("a", "c").unwrap();
    disk.remove("b").unwrap();
    assert_eq!(disk.names(), ["c"]);
}

#[test]
fn is_full_at_the_exact_byte() {
    for free in 0..20 {
        let mut disk = SimDisk::new(0);
        disk.set_free_bytes(Some(free));
        let mut file = disk.create("a").unwrap();
        let mut written = 0;
        let error = loop {
            match file.append(&[7; 8]) {
                Ok(count) => written += count as u64,
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), written), (ErrorKind::StorageFull, free));
        // Space comes back by cutting, by removing, and by decree.
        file.truncate(free / 2).unwrap();
        assert_eq!(disk.free_bytes(), Some(free - free / 2));
        disk.remove("a").unwrap();
        assert_eq!(disk.free_bytes(), Some(free));
        disk.set_free_bytes(None);
        assert_eq!(file.append(&[7; 8]).unwrap(), 8);
    }
}

#[test]
fn runs_out_of_inodes() {
    let mut disk = SimDisk::new(0);
    disk.set_free_inodes(Some(1));
    disk.create("a").unwrap();
    assert_eq!(disk.create("b").unwrap_err().kind(), ErrorKind::StorageFull);
    disk.remove("a").unwrap();
    disk.create("b").unwrap();
}

#[test]
fn hits_the_operations_it_was_told_to() {
    let mut disk = SimDisk::new(0);
    disk.inject(Fault::nth(DiskOp::Append, 2, libc::EIO).times(2));
    disk.inject(Fault::nth(DiskOp::Rename, 1, libc::EROFS).forever());
    let mut file = disk.create("a").unwrap();
    let outcomes: Vec<bool> = (0..5).map(|_| file.append(b"x").is_ok()).collect();
    assert_eq!(outcomes, [true, false, false, true, true]);
    assert_eq!(disk.contents("a").unwrap(), b"xxx", "a failed append writes nothing");
    for _ in 0..3 {
        assert_eq!(disk.rename("a", "b").unwrap_err().raw_os_error(), Some(libc::EROFS));
    }
    disk.clear_faults();
    disk.rename("a", "b").unwrap();
}

#[test]
fn writes_short_and_is_interrupted_yet_loses_nothing() {
    for_each_seed(50, |seed| {
        let mut disk = SimDisk::new(seed);
        disk.set_short_writes(0.5);
        disk.set_interrupts(0.3);
        disk.inject(Fault::short(3, 0));
        let mut file = disk.create("a").unwrap();
        let whole: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let (mut rest, mut calls) = (&whole[..], 0);
        while !rest.is_empty() {
            calls += 1;
            match file.append(&rest[..rest.len().min(700)]) {
                Ok(count) => {
                    assert!(count > 0);
                    rest = &rest[count..];
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
            }
        }
        assert_eq!(disk.contents("a").unwrap(), whole);
        assert!(calls > 8, "some of {calls} calls were short or interrupted");
    });
}

#[test]
fn takes_the_time_it_was_told_to() {
    let mut clock = ManualClock::new(Timestamp::EPOCH);
    let mut disk = SimDisk::new(0);
    let latency = Latency { append_ns: 10, append_ns_per_kib: 1_000, sync_ns: 500 };
    disk.set_latency(clock.clone(), latency);
    disk.inject(Fault::slow(DiskOp::Sync, 2, 2_000_000_000));
    let mut file = disk.create("a").unwrap();
    file.append(&[0; 2_048]).unwrap();
    assert_eq!(clock.monotonic_ns(), 2_010);
    file.sync().unwrap();
    assert_eq!(clock.monotonic_ns(), 2_510);
    file.sync().unwrap();
    assert_eq!(clock.monotonic_ns(), 2_000_003_010);
}

#[test]
fn keeps_what_was_synced_through_any_crash() {
    for_each_seed(300, |seed| {
        let mut disk = SimDisk::new(seed);
        let mut file = disk.create("a").unwrap();
        disk.sync_directory().unwrap();
        file.append(&[1; 3_000]).unwrap();
        file.sync().unwrap();
        file.append(&[2; 3_000]).unwrap();
        let after = disk.crash(CrashModel::WORST);
        let found = after.contents("a").expect("the name was durable");
        assert_eq!(found[..3_000], [1; 3_000]);
        assert!(found.len() <= 6_000);
        assert_eq!(after.durable_contents("a"), Some(found), "what a restart finds is durable");
        assert!(disk.is_off() && file.append(b"x").is_err() && disk.create("b").is_err());
    });
}

/// Every way to lose data that the model knows must come up, or tests prove less than they say.
#[test]
fn loses_in_every_way_what_was_not_synced() {
    let mut seen = BTreeSet::new();
    for_each_seed(400, |seed| {
        let mut disk = SimDisk::new(seed);
        let mut file = disk.create("a").unwrap();
        disk.sync_directory().unwrap();
        file.append(&[1; 1_300]).unwrap();
        file.append(&[1; 1_300]).unwrap();
        let found = disk.crash(SMALL_SECTORS).contents("a").unwrap();
        let has_hole = found.contains(&0);
        let ends_in_sector = found.len().is_multiple_of(512);
        seen.insert(match found.len() {
            0 => "nothing",
            2_600 if has_hole => "later bytes without earlier ones",
            2_600 => "everything",
            _ if has_hole => "some writes, with holes",
            1_300 => "whole writes",
            _ if ends_in_sector => "torn at a sector",
            _ => "torn where a write ended",
        });
    });
    if std::env::var_os("WEIR_SEED").is_none() {
        assert_eq!(seen.len(), 6, "{seen:?}");
    }
}

#[test]
fn never_shows_bytes_that_were_cut_off_before_the_ones_that_replaced_them() {
    for_each_seed(200, |seed| {
        let mut disk = SimDisk::new(seed);
        let mut file = disk.create("a").unwrap();
        disk.sync_directory().unwrap();
        file.append(&[1; 600]).unwrap();
        file.sync().unwrap();
        file.truncate(100).unwrap();
        file.append(&[2; 600]).unwrap();
        let found = disk.crash(SMALL_SECTORS).contents("a").unwrap();
        assert_eq!(found[..100], [1; 100]);
        let rest = &found[100..];
        let old = rest == [1; 500];
        let new = rest.iter().all(|byte| *byte == 2 || *byte == 0);
        assert!(old || new, "{rest:?}");
    });
}

/// What `fsync` lost is lost, whatever it says later.
#[test]
fn a_failed_sync_dooms_what_was_not_durable() {
    for_each_seed(100, |seed| {
        let mut disk = SimDisk::new(seed);
        disk.inject(Fault::nth(DiskOp::Sync, 2, libc::EIO));
        let mut file = disk.create("a").unwrap();
        disk.sync_directory().unwrap();
        file.append(&[1; 10]).unwrap();
        file.sync().unwrap();
        file.append(&[2; 10]).unwrap();
        assert!(file.sync().is_err());
        file.append(&[3; 10]).unwrap();
        file.sync().unwrap();
        let everything = [[1; 10], [2; 10], [3; 10]].concat();
        assert_eq!(disk.contents("a").unwrap(), everything, "a reader still sees it");
        let left = [[1; 10], [0; 10], [3; 10]].concat();
        assert_eq!(disk.crash(SMALL_SECTORS).contents("a").unwrap(), left);
    });
}

#[test]
fn a_rename_that_was_not_synced_leaves_one_name_or_the_other() {
    let mut seen = BTreeSet::new();
    for_each_seed(200, |seed| {
        let mut disk = SimDisk::new(seed);
        let mut file = disk.create("a.part").unwrap();
        disk.sync_directory().unwrap();
        file.append(b"x").unwrap();
        file.sync().unwrap();
        disk.rename("a.part", "a").unwrap();
        disk.create("b.part").unwrap();
        let after = disk.crash(SMALL_SECTORS);
        let names = after.names();
        let of_a: Vec<&String> = names.iter().filter(|name| name.starts_with('a')).collect();
        assert_eq!(of_a.len(), 1, "{names:?}");
        assert_eq!(after.contents(of_a[0]).unwrap(), b"x");
        seen.insert(names);
    });
    if std::env::var_os("WEIR_SEED").is_none() {
        assert_eq!(seen.len(), 4, "both changes are lost and kept, each for itself: {seen:?}");
    }
}

/// A name that is given away and taken again: whatever is lost, the old file is somewhere.
#[test]
fn a_lost_change_of_a_name_takes_later_ones_with_it() {
    for_each_seed(200, |seed| {
        let mut disk = SimDisk::new(seed);
        disk.put("a", b"old".to_vec());
        disk.rename("a", "b").unwrap();
        disk.create("a").unwrap();
        let after = disk.crash(SMALL_SECTORS);
        let found: Vec<Vec<u8>> =
            after.names().iter().filter_map(|name| after.contents(name)).collect();
        assert!(found.contains(&b"old".to_vec()), "{:?}", after.names());
    });
}

#[test]
fn a_sync_without_power_may_or_may_not_have_been_one() {
    let mut outcomes = BTreeSet::new();
    for_each_seed(60, |seed| {
        let disk = SimDisk::new(seed);
        disk.put("a", Vec::new());
        let mut file = disk.open("a").unwrap();
        file.append(&[1; 100]).unwrap();
        disk.power_off_at(disk.ops());
        assert!(file.sync().is_err());
        outcomes.insert(disk.durable_contents("a").unwrap().len());
    });
    if std::env::var_os("WEIR_SEED").is_none() {
        assert_eq!(outcomes, BTreeSet::from([0, 100]));
    }
}

#[test]
fn loses_power_in_the_middle_of_any_operation() {
    let mut outcomes = BTreeSet::new();
    for_each_seed(100, |seed| {
        for op in 0.. {
            let mut disk = SimDisk::new(seed);
            disk.power_off_at(op);
            let acknowledged = write_durably(&mut disk);
            let found = disk.crash(CrashModel::WORST).contents("a");
            if acknowledged.is_ok() {
                assert_eq!(found.as_deref(), Some(&b"data"[..]));
                assert_eq!(op, 4, "four operations were counted");
                break;
            }
            outcomes.insert((op, found.as_deref() == Some(b"data")));
        }
    });
    if std::env::var_os("WEIR_SEED").is_none() {
        assert!(outcomes.contains(&(3, true)) && outcomes.contains(&(3, false)), "{outcomes:?}");
    }
}

fn write_durably(disk: &mut SimDisk) -> std::io::Result<()> {
    let mut file = disk.create("a")?;
    file.append(b"data")?;
    file.sync()?;
    disk.sync_directory()
}

#[test]
fn forks_into_independent_disks() {
    let mut disk = SimDisk::new(0);
    let mut file = disk.create("a").unwrap();
    disk.sync_directory().unwrap();
    file.append(&[1; 2_000]).unwrap();
    let lengths: BTreeSet<usize> = (0..40)
        .map(|seed| disk.fork(seed).crash(SMALL_SECTORS).contents("a").unwrap().len())
        .collect();
    assert!(lengths.len() > 2, "{lengths:?}");
    assert!(!disk.is_off());
    assert_eq!(disk.open("a").unwrap().append(b"x").unwrap(), 1);
    assert_eq!(disk.contents("a").unwrap().len(), 2_001);
}

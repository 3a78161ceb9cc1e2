//! The real storage: modes, links, locks, names.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;
use weir_model::{ReadableStorage, Storage, StorageFile, StorageReader};
use weir_segment::{Directory, DirectoryError, Recovered, recover_all, verify};

use crate::support::{
    LEVEL_1, create, fill_blocks, run, statistics, synthetic_packets, write_segment,
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// F3: with umask 0 as with a strict one, what is created is for its owner alone.
#[test]
fn f3_modes_do_not_depend_on_the_umask() {
    let parent = tempdir().unwrap();
    for umask in ["000", "777"] {
        let path = parent.path().join(format!("{umask}/below/captures"));
        // The umask is the whole process's, so it is set in one that does nothing else.
        let status = Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "directory::f3_child", "--ignored"])
            .env("WEIR_TEST_DIRECTORY", &path)
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
        assert_eq!(mode(&path.join("a.part")), 0o600);
        assert_eq!(mode(&path.join(".weir.lock")), 0o600);
    }
}

#[test]
#[ignore = "it is the process that the test above starts"]
fn f3_child() {
    let path = std::env::var_os("WEIR_TEST_DIRECTORY").expect("the test above sets it");
    let mut directory = Directory::open(Path::new(&path)).unwrap();
    directory.create("a.part").unwrap();
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("captures");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    Directory::open(&path).unwrap();
    assert_eq!(mode(&path), 0o750);
}

#[test]
fn what_is_no_directory_is_refused_with_its_path() {
    let parent = tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = Directory::open(&file).unwrap_err();
    assert!(matches!(refused, DirectoryError::Open { .. }), "{refused}");
    assert!(refused.to_string().contains(file.to_str().unwrap()));
    let below = Directory::open(&file.join("below")).unwrap_err();
    assert!(matches!(below, DirectoryError::Create { .. }), "{below}");
}

#[test]
fn links_are_not_followed() {
    let parent = tempdir().unwrap();
    let real = parent.path().join("real");
    let mut directory = Directory::open(&real).unwrap();
    let link = parent.path().join("link");
    symlink(&real, &link).unwrap();
    let refused = Directory::open(&link).unwrap_err();
    assert!(matches!(refused, DirectoryError::Open { .. }), "{refused}");

    let target = parent.path().join("target");
    fs::write(&target, b"precious").unwrap();
    symlink(&target, real.join("a.part")).unwrap();
    symlink(parent.path().join("nowhere"), real.join("b.part")).unwrap();
    for name in ["a.part", "b.part"] {
        assert_eq!(directory.create(name).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(directory.open(name).is_err());
        assert!(directory.reopen(name).is_err());
    }
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(!parent.path().join("nowhere").exists());
}

#[test]
fn a_file_is_never_overwritten() {
    let parent = tempdir().unwrap();
    let mut directory = Directory::open(parent.path()).unwrap();
    directory.create("a").unwrap().append(b"a").unwrap();
    directory.create("b").unwrap().append(b"b").unwrap();
    assert_eq!(directory.create("a").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(directory.rename("a", "b").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(parent.path().join("b")).unwrap(), b"b");
    directory.rename("a", "c").unwrap();
    assert_eq!(fs::read(parent.path().join("c")).unwrap(), b"a");
    assert_eq!(directory.rename("a", "d").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn names_do_not_lead_out_of_the_directory() {
    let parent = tempdir().unwrap();
    let mut directory = Directory::open(&parent.path().join("in")).unwrap();
    for name in ["", ".", "..", "../out", "/tmp/out", "a/b", "a\0b"] {
        let kind = ErrorKind::InvalidInput;
        assert_eq!(directory.create(name).unwrap_err().kind(), kind, "{name:?}");
        assert_eq!(directory.open(name).unwrap_err().kind(), kind, "{name:?}");
        assert_eq!(directory.rename("a", name).unwrap_err().kind(), kind, "{name:?}");
        assert_eq!(directory.remove(name).unwrap_err().kind(), kind, "{name:?}");
    }
}

#[test]
fn files_are_cut_and_written_on() {
    let parent = tempdir().unwrap();
    let mut directory = Directory::open(parent.path()).unwrap();
    let mut file = directory.create("a").unwrap();
    file.append(b"0123456789").unwrap();
    file.truncate(4).unwrap();
    file.append(b"ab").unwrap();
    file.sync().unwrap();
    drop(file);
    let mut file = directory.reopen("a").unwrap();
    file.append(b"c").unwrap();
    let mut reader = directory.open("a").unwrap();
    assert_eq!(reader.length_bytes().unwrap(), 7);
    let mut out = [0; 5];
    assert_eq!(reader.read_at(3, &mut out).unwrap(), 4);
    assert_eq!(&out[..4], b"3abc");
    assert_eq!(reader.read_at(7, &mut out).unwrap(), 0);
    directory.remove("a").unwrap();
    assert_eq!(directory.open("a").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(directory.reopen("a").unwrap_err().kind(), ErrorKind::NotFound);
}

/// F17: a second user of the directory is refused, in this process or another, until the first one
/// has let go.
#[test]
fn f17_a_directory_has_one_user() {
    let parent = tempdir().unwrap();
    let directory = Directory::open(parent.path()).unwrap();
    let refused = Directory::open(parent.path()).unwrap_err();
    assert!(matches!(&refused, DirectoryError::InUse { path } if path == parent.path()));
    let lock = parent.path().join(".weir.lock");
    let arguments = ["--nonblock", lock.to_str().unwrap(), "true"];
    let Some(output) = run("flock", &arguments) else { return };
    assert_eq!(output.status.code(), Some(1), "another process got the lock");
    drop(directory);
    assert!(run("flock", &arguments).unwrap().status.success());
    Directory::open(parent.path()).unwrap();
}

/// A12: the path is taken away and replaced by a link while a capture runs.
#[test]
fn a12_the_directory_is_held_not_its_path() {
    let parent = tempdir().unwrap();
    let (path, moved, decoy) =
        (parent.path().join("captures"), parent.path().join("moved"), parent.path().join("decoy"));
    fs::create_dir(&decoy).unwrap();
    let mut directory = Directory::open(&path).unwrap();
    let mut writer = create(&mut directory, LEVEL_1);
    fs::rename(&path, &moved).unwrap();
    symlink(&decoy, &path).unwrap();
    let block = &fill_blocks(&synthetic_packets(20, 1), 1 << 20)[0];
    writer.append_block(&block.raw, &block.tally).unwrap();
    let sealed = writer.seal(&mut directory, &statistics(20)).unwrap();
    assert!(moved.join(sealed.name.to_string()).exists());
    assert_eq!(fs::read_dir(&decoy).unwrap().count(), 0);
}

#[test]
fn the_lock_is_not_listed_and_other_names_are() {
    let parent = tempdir().unwrap();
    let mut directory = Directory::open(parent.path()).unwrap();
    directory.create("a.part").unwrap();
    fs::write(parent.path().join("b"), b"").unwrap();
    let mut names = directory.list().unwrap();
    names.sort();
    assert_eq!(names, ["a.part", "b"]);
    // Again: a listing does not use the directory up.
    assert_eq!(directory.list().unwrap().len(), 2);
}

/// A killed writer's segment is recovered from the real file system, and the next one is numbered
/// above it.
#[test]
fn b1_a_killed_writer_loses_nothing_that_was_durable() {
    let parent = tempdir().unwrap();
    let blocks = fill_blocks(&synthetic_packets(300, 9), 60_000);
    let (name, durable) = {
        let mut directory = Directory::open(parent.path()).unwrap();
        let mut writer = create(&mut directory, LEVEL_1);
        for block in &blocks[..3] {
            writer.append_block(&block.raw, &block.tally).unwrap();
        }
        let durable = writer.sync(&mut directory).unwrap();
        (writer.name().clone(), durable)
    };
    // What a kill in the middle of the next write leaves.
    let path = parent.path().join(name.part());
    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, durable.stored_bytes);
    bytes.extend_from_within(..500);
    fs::write(&path, &bytes).unwrap();

    let mut directory = Directory::open(parent.path()).unwrap();
    let recovered = recover_all(&mut directory).unwrap();
    let [file] = &recovered[..] else { panic!("{recovered:?}") };
    let Ok(Recovered::Sealed(segment)) = &file.outcome else { panic!("{file:?}") };
    assert_eq!((&file.name, segment.tally.packets), (&name, durable.packets));
    let verified = verify(directory.open(&name.to_string()).unwrap()).unwrap();
    assert!(verified.is_clean() && verified.is_sealed);
    let next = write_segment(&mut directory, LEVEL_1, &blocks);
    assert_eq!(next.name.sequence, name.sequence + 1);
}

/// A1: a real file system that is full.
#[test]
fn a1_a_full_file_system_keeps_what_fits() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("full");
    fs::create_dir(&path).unwrap();
    let target = path.to_str().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs", target])
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let kept = std::panic::catch_unwind(|| fill_up(&path));
    assert!(Command::new("umount").arg(target).status().unwrap().success());
    assert!(kept.unwrap(), "the file system never was full");
}

/// Writes until the disk is full and somewhat on, seals, and returns whether it was full.
fn fill_up(path: &Path) -> bool {
    let mut directory = Directory::open(path).unwrap();
    let mut writer = create(&mut directory, LEVEL_1);
    let mut was_full = false;
    for block in fill_blocks(&synthetic_packets(3_000, 4), 100_000) {
        if let Err(error) = writer.append_block(&block.raw, &block.tally) {
            assert_eq!(error.storage_cause(), Some(weir_segment::StorageCause::DiskFull));
            assert!(writer.is_sound());
            was_full = true;
        }
    }
    let packets = writer.written().packets;
    let sealed = writer.seal(&mut directory, &statistics(packets)).unwrap();
    let verified = verify(directory.open(&sealed.name.to_string()).unwrap()).unwrap();
    assert!(verified.is_clean() && verified.is_sealed, "{verified:?}");
    assert_eq!(verified.tally.packets, packets);
    was_full
}

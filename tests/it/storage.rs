//! Promise: whatever the disk does, capture goes on, what is lost is counted, and what is written
//! can be read; and segments turn and are named as documented.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::segment::{Capture, Packet, read_capture, read_torn, sealed, unsealed};
use crate::support::weir::{Setup, WEIR};
use crate::support::{repository, skip, tools};

/// A file system of a few MiB in memory. Dropped, it is unmounted.
struct SmallDisk {
    directory: TempDir,
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it until it ends.
        let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
    }
}

impl SmallDisk {
    /// Mounts one, or says why there is none.
    fn mount(megabytes: usize) -> Option<Self> {
        let directory = TempDir::with_prefix("weir-it-disk-").unwrap();
        let options = format!("size={megabytes}m,mode=700");
        let path = directory.path().to_str().unwrap();
        let mounted = tools::run("mount", &["-t", "tmpfs", "-o", &options, "weir-it", path])?;
        if !mounted.status.success() {
            skip("no file system may be mounted here");
            return None;
        }
        Some(Self { directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Reads sealed and left segments.
fn packets_on(directory: &Path) -> Vec<Packet> {
    let sealed = read_capture(directory).segments;
    let left = unsealed(directory).into_iter().map(|path| read_torn(&path));
    sealed.into_iter().chain(left).flat_map(|segment| segment.packets).collect()
}

fn onto(disk: &Path) -> Setup {
    Setup::new()
        .set("output.directory", disk.join("out").to_str().unwrap())
        .set("output.compression", "none")
        .set("buffers.block_bytes", 1 << 19)
        // Few against the disk, so that what is filled after a loss still finds room.
        .set("buffers.blocks", 8)
}

#[test]
fn a_full_disk_costs_packets_and_not_the_capture() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    for shape in ["fused", "pipeline"] {
        let directory = disk.path().join("out");
        let ended = onto(disk.path())
            .set("topology.shape", shape)
            .set("topology.lcores", 3)
            .vdev("net_null0,size=1000")
            .set("capture.stop_after_packets", 40_000)
            .run();
        // The segment could not be sealed, or it could: either way all is accounted for.
        let stats = if ended.status.success() { ended.stats() } else { ended.stats_of_failure() };
        let it = &stats.accounting;
        assert_eq!(it.received_packets, 40_000);
        assert!(it.lost.disk_full_packets > 20_000, "{:#?}", it.lost);
        assert_eq!(it.lost.io_error_packets, 0);
        assert!(stats.output.storage_errors > 0);
        assert!(ended.stderr.contains("blocks are being lost"), "{}", ended.stderr);
        // The log tells it once, not once for each block.
        assert!(ended.stderr.lines().count() < 40, "{}", ended.stderr);
        let packets = packets_on(&directory);
        assert_eq!(packets.len() as u64, it.stored_packets, "{shape}");
        assert!(packets.iter().all(|packet| packet.data.len() == 1000));
        for path in sealed(&directory).iter().chain(&unsealed(&directory)) {
            if let Some(lines) = tools::tshark(path, &["frame.len"]) {
                assert!(lines.iter().all(|bytes| bytes == "1000"));
            }
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn writing_goes_on_when_there_is_room_again() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 12 << 20]).unwrap();
    let mut weir = onto(disk.path()).vdev("net_null0,size=1000").start();
    let full =
        weir.wait_until("the disk is full", |stats| stats.accounting.lost.disk_full_packets > 0);
    std::fs::remove_file(filler).unwrap();
    // More than all blocks that were on their way when the first was lost: what is filled after
    // them tells of the loss. Ten of the twelve megabytes that are free now.
    let more = full.accounting.stored_packets + 10_000;
    let again = weir
        .wait_until("blocks are written again", |stats| stats.accounting.stored_packets >= more);
    let ended = weir.stop();
    assert!(ended.stderr.contains("blocks are written again"), "{}", ended.stderr);
    let stats = if ended.status.success() { ended.stats() } else { ended.stats_of_failure() };
    let packets = packets_on(ended.output());
    assert_eq!(packets.len() as u64, stats.accounting.stored_packets);
    // The loss is told by the first packet behind it.
    let told: u64 = packets.iter().map(|packet| packet.dropped).sum();
    assert!(told >= full.accounting.lost.disk_full_packets, "{told} told");
    assert!(again.accounting.stored_packets <= stats.accounting.stored_packets);
}

#[test]
fn a_directory_has_one_capture_at_a_time() {
    let mut first = Setup::new().vdev("net_null0").start();
    drop(first.client());
    let directory = first.output().to_str().unwrap().to_owned();
    let second = Setup::new().vdev("net_null0").set("output.directory", directory.as_str()).run();
    let (code, said) = second.error();
    assert_eq!(code, Some(1));
    assert!(said.starts_with("weir: ") && said.contains("in use by another process"), "{said}");
    assert!(said.contains(&directory), "{said}");
    // What is dropped takes its directory with it.
    let first = first.stop();
    first.stats();
    // With the first gone, its lock is gone.
    let third = Setup::new()
        .vdev("net_null0")
        .set("output.directory", directory.as_str())
        .set("capture.stop_after_packets", 10)
        .run();
    assert!(third.status.success(), "{}", third.stderr);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_starts() {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    std::fs::create_dir(at("elsewhere")).unwrap();
    std::os::unix::fs::symlink(at("elsewhere"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    let outputs: [PathBuf; 5] = [
        at("file"),
        at("link"),
        at("dangling"),
        at("file/below"),
        // Nobody can make a directory there, root neither.
        "/proc/self/weir-it".into(),
    ];
    for output in outputs {
        let output = output.to_str().unwrap();
        let ended = Setup::new().vdev("net_null0").set("output.directory", output).run();
        let (code, said) = ended.error();
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("weir: the output cannot be used: "), "{said}");
        assert!(said.contains(output), "{said}");
    }
    assert_eq!(std::fs::read_dir(at("elsewhere")).unwrap().count(), 0);
}

#[test]
fn files_are_their_owner_s_alone_whatever_the_umask() {
    for umask in ["0", "777"] {
        let script = format!("umask {umask}; exec \"$@\"");
        let setup = Setup::new();
        // The numbers' file is made by the umask, as any tool makes one: not looked at here.
        let directory = setup.path("deep/er");
        let mut weir = setup
            .by(&["sh", "-c", &script, "sh"])
            .set("output.directory", directory.to_str().unwrap())
            .set("output.segment_bytes_max", 1 << 16)
            .set("output.compression", "none")
            .set("buffers.block_bytes", 1 << 19)
            // Few against the disk, so that what is filled after a loss still finds room.
            .set("buffers.blocks", 8)
            .vdev("net_null0,size=400")
            .start();
        weir.wait_until("a segment is sealed", |stats| stats.output.sealed_segments > 0);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&weir.path("socket")), 0o600);
        for directory in [directory.parent().unwrap(), &directory] {
            assert_eq!(mode(directory), 0o700, "{}", directory.display());
        }
        let ended = weir.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
        let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

/// Asserts that names are distinct and count on, and returns them.
fn assert_named_in_sequence(capture: &Capture, first: u64) -> Vec<String> {
    let names: Vec<String> = capture
        .segments
        .iter()
        .map(|segment| segment.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    for (index, name) in names.iter().enumerate() {
        let begin = format!("weir-{:010}-", first + index as u64);
        assert!(name.starts_with(&begin), "{names:?}");
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    names
}

#[test]
fn segments_turn_by_size_and_count_on_over_runs() {
    let place = TempDir::new().unwrap();
    let run = || {
        onto(place.path())
            .set("output.segment_bytes_max", 1 << 20)
            .vdev("net_null0,size=1000")
            .set("capture.stop_after_packets", 5_000)
            .run()
    };
    let (one, two) = (run(), run());
    let [segments_one, segments_two] =
        [&one, &two].map(|ended| ended.stats().output.sealed_segments);
    assert!(segments_one >= 3, "{segments_one}");
    let capture = read_capture(one.output());
    assert_eq!(capture.segments.len() as u64, segments_one + segments_two);
    assert_named_in_sequence(&capture, 0);
    for (index, segment) in capture.segments.iter().enumerate() {
        let bytes = std::fs::metadata(&segment.path).unwrap().len();
        // The block that goes over the limit is the last.
        let most = (1 << 20) + (1 << 19) + 4_096;
        assert!(bytes < most, "{bytes} bytes in segment {index}");
        let is_last = [segments_one, segments_two + segments_one].contains(&(index as u64 + 1));
        assert!(is_last || bytes >= 1 << 20, "{bytes} bytes in segment {index}");
    }
    assert_eq!(capture.packets().count(), 10_000);
}

#[test]
fn segments_turn_with_the_clock_on_a_silent_link_too() {
    let sample = repository().join("tests/samples/first-light.pcap");
    let ended = Setup::new()
        .vdev(&format!("net_pcap0,rx_pcap={}", sample.display()))
        .set("output.segment_interval_seconds", 1)
        .set("capture.duration_seconds", 3.5)
        .run();
    let capture = ended.capture();
    // In three and a half seconds there are three edges, or four.
    assert!((4..=5).contains(&capture.segments.len()), "{}", capture.segments.len());
    assert_named_in_sequence(&capture, 0);
    let times: Vec<(u64, u64)> = capture
        .statistics()
        .map(|statistics| (statistics.start_ns.unwrap(), statistics.end_ns.unwrap()))
        .collect();
    let second = |ns: u64| ns / 1_000_000_000;
    for pair in times.windows(2) {
        let [(begin, end), (next_begin, _)] = *pair else { unreachable!() };
        assert!(begin < end && end <= next_begin, "{times:?}");
        // It ended in the second after it began, when its second was over.
        assert_eq!(second(end), second(begin) + 1, "{times:?}");
        // At the edge, but for what a busy machine may take to get there.
        assert!(end % 1_000_000_000 < 500_000_000, "{times:?}");
    }
    // Nothing came in the later ones.
    let packets: Vec<usize> =
        capture.segments.iter().map(|segment| segment.packets.len()).collect();
    assert!(packets[0] > 0 && packets[2..].iter().all(|&packets| packets == 0), "{packets:?}");
}

#[test]
fn segments_turn_when_told_to() {
    let mut weir = Setup::new().vdev("net_null0").set("buffers.flush_interval_ms", 20).start();
    drop(weir.client());
    for sealed in 1..=3 {
        let socket = weir.path("socket");
        let told = Command::new(WEIR)
            .args(["ctl", "--socket", socket.to_str().unwrap(), "rotate"])
            .output()
            .unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        weir.wait_until("a segment is sealed", |stats| stats.output.sealed_segments >= sealed);
    }
    let ended = weir.stop();
    assert_eq!(ended.stats().output.sealed_segments, 4);
    let names = sealed(ended.output());
    assert_eq!(names.len(), 4);
}

/// The table at the end and the log are for people, of whom nobody may be there.
#[test]
fn a_log_that_nobody_takes_does_not_end_a_capture() {
    let sample = repository().join("tests/samples/first-light.pcap");
    let ended = Setup::new()
        .vdev(&format!("net_pcap0,rx_pcap={}", sample.display()))
        .argument("--stop-after-idle")
        .argument("0.5")
        .by(&["sh", "-c", "exec \"$@\" >/dev/full 2>/dev/full", "sh"])
        .run();
    assert!(ended.stats().accounting.stored_packets > 0);
    ended.capture();
}

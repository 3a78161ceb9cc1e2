//! Ordinary tools read segments as they are (promise 2: a capture file is an ordinary file).

use std::path::PathBuf;
use std::process::{Command, Stdio};

use weir_segment::{Compression, Directory};

use crate::support::{
    LEVEL_1, Packet, captures, create, fill_blocks, read_classic, run, statistics,
    synthetic_packets, tshark_packets, write_segment,
};

struct Written {
    /// Keeps the file.
    _directory: tempfile::TempDir,
    path: PathBuf,
    packets: usize,
}

fn write(packets: &[Packet], block_bytes: usize, compression: Compression) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let mut storage = Directory::open(directory.path()).unwrap();
    let blocks = fill_blocks(packets, block_bytes);
    let sealed = write_segment(&mut storage, compression, &blocks);
    let path = directory.path().join(sealed.name.to_string());
    assert_eq!(sealed.tally.packets, packets.len() as u64);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), sealed.stored_bytes);
    Written { _directory: directory, path, packets: packets.len() }
}

/// Captures of several MiB: what is compressed reaches far beyond tshark's first read of 128 KiB,
/// where files of several zstd frames break.
fn large_captures() -> Vec<(String, Vec<Packet>)> {
    let mut all = vec![("synthetic".to_owned(), synthetic_packets(6_000, 1))];
    if let Some(folder) = captures() {
        let name = "mix_ndpi_merged.pcap";
        all.push((name.to_owned(), read_classic(&folder.join(name))));
    }
    all
}

#[test]
fn tshark_reads_every_packet_of_large_segments() {
    for (name, packets) in large_captures() {
        for (block_bytes, compression) in [
            (1 << 20, LEVEL_1),
            (64 << 10, Compression::Zstd { level: -5 }),
            (4 << 20, Compression::Zstd { level: 9 }),
            (256 << 10, Compression::None),
        ] {
            let written = write(&packets, block_bytes, compression);
            let Some(read) = tshark_packets(&written.path) else { return };
            assert_eq!(read, (written.packets, true), "{name} {block_bytes} {compression:?}");
        }
    }
}

#[test]
fn tshark_reads_the_packets_as_they_were() {
    let Some(folder) = captures() else { return };
    let packets = read_classic(&folder.join("ndpi_gnutella_snap64.pcap"));
    let written = write(&packets, 100_000, LEVEL_1);
    let fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name"];
    let mut arguments = vec!["-n", "-r", written.path.to_str().unwrap(), "-T", "fields"];
    fields.iter().for_each(|field| arguments.extend(["-e", field]));
    let Some(output) = run("tshark", &arguments) else { return };
    let expected: String = packets
        .iter()
        .map(|packet| {
            let fields = &packet.fields;
            format!(
                "{}\t{}\t{}\ttap0\n",
                fields.timestamp, fields.wire_bytes, fields.captured_bytes
            )
        })
        .collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn capinfos_reports_head_and_statistics() {
    let written = write(&synthetic_packets(2_000, 2), 1 << 20, LEVEL_1);
    let Some(output) = run("capinfos", &["-M", written.path.to_str().unwrap()]) else { return };
    assert!(output.status.success());
    let report = String::from_utf8(output.stdout).unwrap();
    for line in [
        "Number of packets:   2000",
        "Capture oper-sys:    Linux",
        "Capture application: weir test",
        "Capture hardware:    a machine",
        "Number of interfaces in file: 2",
        "Name = tap0",
        "Description = the north tap",
        "Filter string = tcp port 80",
        "Speed = 40000000000",
        "Time precision = nanoseconds (9)",
        "Capture length = 262144",
        "Number of stat entries = 1",
    ] {
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

#[test]
fn zstd_tests_and_tcpdump_reads_what_zstdcat_writes() {
    for (name, packets) in large_captures() {
        let written = write(&packets, 1 << 20, LEVEL_1);
        let path = written.path.to_str().unwrap();
        let Some(output) = run("zstd", &["-q", "-t", path]) else { return };
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        if run("tcpdump", &["--version"]).is_none() {
            return;
        }
        let mut zstdcat = Command::new("zstdcat").arg(path).stdout(Stdio::piped()).spawn().unwrap();
        let output = Command::new("tcpdump")
            .args(["-n", "--count", "-r", "-"])
            .stdin(zstdcat.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(zstdcat.wait().unwrap().success());
        let count = String::from_utf8(output.stdout).unwrap();
        assert_eq!(count, format!("{} packets\n", written.packets), "{name}");
    }
}

#[test]
fn an_open_segment_is_read_to_its_last_chunk() {
    let directory = tempfile::tempdir().unwrap();
    let mut storage = Directory::open(directory.path()).unwrap();
    let mut writer = create(&mut storage, LEVEL_1);
    let path = directory.path().join(writer.name().part());
    for block in fill_blocks(&synthetic_packets(3_000, 3), 500_000) {
        writer.append_block(&block.raw, &block.tally).unwrap();
        let Some((packets, clean)) = tshark_packets(&path) else { return };
        assert_eq!((packets as u64, clean), (writer.written().packets, true));
    }
    writer.seal(&mut storage, &statistics(3_000)).unwrap();
}

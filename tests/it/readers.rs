//! Promise: a capture file is an ordinary file. tshark, capinfos, zstd and tcpdump read every
//! sealed one whole, and what a kill left up to its last whole piece.

use crate::support::segment::{
    COMMENT, Capture, IF_DESCRIPTION, IF_FILTER, IF_HARDWARE, IF_NAME, IF_OS, IF_TSRESOL, Segment,
    read_torn, unsealed,
};
use crate::support::weir::{Ended, Setup};
use crate::support::{captures, repository, tools};

/// A capture of several segments, from real traffic where there is some.
fn capture_of_several_segments(compression: &str) -> (Ended, Capture) {
    let setup = Setup::new()
        .set("output.compression", compression)
        .set("output.segment_bytes_max", 1 << 20)
        .set("buffers.block_bytes", 1 << 19);
    let setup = match captures::file("mix_ndpi_merged.pcap") {
        Some(mix) => setup
            .vdev(&format!("net_pcap0,rx_pcap={}", mix.display()))
            .set("capture.stop_after_packets", 21_873),
        None => setup.vdev("net_null0,size=600").set("capture.stop_after_packets", 20_000),
    };
    let ended = setup.run();
    let capture = ended.capture();
    assert!(capture.segments.len() > 1 || compression == "zstd");
    (ended, capture)
}

fn assert_tools_read(segment: &Segment) {
    let (path, packets) = (&segment.path, segment.packets.len());
    let name = path.to_str().unwrap();
    if let Some(lines) = tools::tshark(path, &["frame.number"]) {
        assert_eq!(lines.len(), packets, "tshark {name}");
    }
    if let Some(report) = tools::print("capinfos", &["-c", "-M", name]) {
        assert!(report.contains(&format!("Number of packets:   {packets}\n")), "{report}");
    }
    if name.ends_with(".zst") {
        tools::print("zstd", &["-q", "-t", name]);
        if let Some(counted) = tools::zstdcat_tcpdump(path) {
            assert_eq!(counted, packets, "zstdcat {name} | tcpdump");
        }
    } else if let Some(counted) = tools::print("tcpdump", &["-n", "--count", "-r", name]) {
        assert_eq!(counted, format!("{packets} packets\n"), "tcpdump {name}");
    }
}

#[test]
fn every_tool_reads_compressed_segments_whole() {
    let (_ended, capture) = capture_of_several_segments("zstd");
    for segment in &capture.segments {
        assert!(segment.path.to_str().unwrap().ends_with(".pcapng.zst"));
        assert_tools_read(segment);
    }
}

#[test]
fn every_tool_reads_plain_segments_whole() {
    let (_ended, capture) = capture_of_several_segments("none");
    for segment in &capture.segments {
        assert!(segment.path.to_str().unwrap().ends_with(".pcapng"));
        assert_tools_read(segment);
    }
}

#[test]
fn a_segment_describes_its_interfaces_and_accounts_for_each() {
    let sample = repository().join("tests/samples/first-light.pcap");
    let packets = captures::read(&sample).unwrap().packets.len() as u64;
    let port = [("description", "the north tap".into())];
    let ended = Setup::new()
        .port(&format!("net_pcap0,rx_pcap={}", sample.display()), &port)
        .vdev("net_null1,size=80")
        .argument("--filter")
        .argument("ip or ip6")
        .set("capture.snaplen_bytes", 96)
        .set("topology.lcores", 1)
        .set("capture.stop_after_packets", 4 * packets as i64)
        .run();
    let capture = ended.capture();
    let [segment] = &capture.segments[..] else { panic!("one segment") };
    let [file, null] = &segment.interfaces[..] else { panic!("two interfaces") };
    for (interface, name, hardware, source) in
        [(file, "net_pcap0", "DPDK net_pcap", "pmd"), (null, "net_null1", "DPDK net_null", "tsc")]
    {
        assert_eq!(interface.text(IF_NAME), Some(name));
        assert_eq!(interface.bytes(IF_TSRESOL), Some(&[9][..]));
        assert_eq!(interface.text(IF_HARDWARE), Some(hardware));
        assert!(interface.text(IF_OS).unwrap().starts_with("Linux "));
        // A filter string: the first byte says that it is one.
        assert_eq!(interface.text(IF_FILTER), Some("\0ip or ip6"));
        assert_eq!(interface.snaplen_bytes, 96);
        let comment = interface.text(COMMENT).unwrap();
        let begin = format!("timestamp_source={source} timestamp_error_bound_ns=");
        let bound = comment.strip_prefix(&begin).unwrap_or_else(|| panic!("{comment}"));
        let digits: String = bound.chars().take_while(char::is_ascii_digit).collect();
        assert!(digits.parse::<u64>().is_ok_and(|ns| ns < 1_000_000_000), "{comment}");
    }
    assert_eq!(file.text(IF_DESCRIPTION), Some("the north tap"));
    assert_eq!(segment.statistics.len(), 2);
    for statistics in &segment.statistics {
        let port = &ended.stats().ports[statistics.interface as usize];
        let stored = capture.of_interface(statistics.interface as usize).len() as u64;
        assert_eq!(statistics.ifrecv, Some(port.received_packets));
        assert_eq!(statistics.usrdeliv, Some(stored));
        assert_eq!(statistics.filteraccept, Some(stored));
        assert_eq!(statistics.osdrop, Some(0));
        assert!(statistics.start_ns < statistics.end_ns);
    }
    let received: u64 = segment.statistics.iter().map(|it| it.ifrecv.unwrap()).sum();
    let delivered: u64 = segment.statistics.iter().map(|it| it.usrdeliv.unwrap()).sum();
    let it = &ended.stats().accounting;
    assert!(it.filtered_packets > 0);
    assert_eq!(received, delivered + it.filtered_packets + it.lost_packets);
    let Some(report) = tools::print("capinfos", &[segment.path.to_str().unwrap()]) else { return };
    for line in ["Name = net_pcap0", "Filter string = ip or ip6", "nanoseconds (9)"] {
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

/// Everything that a whole piece of the file holds is there for every reader, and that is at least
/// what the program said was durable.
#[test]
fn what_a_kill_left_is_read_to_its_last_whole_piece() {
    let sample = repository().join("tests/samples/first-light.pcap");
    let looped = format!("net_pcap0,rx_pcap={},infinite_rx=1", sample.display());
    for (vdev, compression, lcores) in [
        (&*looped, "zstd", 1),
        ("net_null0,size=500", "zstd", 2),
        ("net_null0,size=500", "none", 1),
    ] {
        let mut weir = Setup::new()
            .vdev(vdev)
            .set("buffers.mbufs", 32_767)
            .set("buffers.flush_interval_ms", 10)
            .set("buffers.block_bytes", 1 << 19)
            .set("output.compression", compression)
            .set("output.sync_interval_ms", 10)
            .set("topology.lcores", lcores)
            .start();
        let stats = weir.wait_until("something is durable", |stats| {
            stats.output.durable_packets > 0 && stats.output.blocks > 8
        });
        let ended = weir.kill();
        let left = unsealed(ended.output());
        let [part] = &left[..] else { panic!("one segment is open: {left:?}") };
        let torn = read_torn(part);
        let packets = torn.packets.len() as u64;
        let durable = stats.output.durable_packets;
        assert!(packets >= durable, "{packets} can be read, {durable} were durable");
        assert_eq!(torn.interfaces.len(), 1);
        // tshark names what is missing at the end by an exit code, or does not miss it.
        let arguments = ["-n", "-r", part.to_str().unwrap(), "-T", "fields", "-e", "frame.number"];
        let Some(output) = tools::run("tshark", &arguments) else { return };
        let read = output.stdout.iter().filter(|&&byte| byte == b'\n').count() as u64;
        println!("{vdev} {compression}: {packets} packets left, tshark reads {read}");
        assert!(read >= durable, "tshark reads {read}, {durable} were durable");
        assert_eq!(read, packets, "tshark reads as much as there is");
    }
}

//! What a filter costs for one packet of a real mix, by engine.
//!
//! - `filter/EXPRESSION`: native code, the interpreter, and libpcap's own `bpf_filter` as the pcap
//!   crate calls it.
//! - `chain/COUNT`: that many filters of which none matches most packets, as one native chain, as
//!   one interpreted chain, and as separate native filters.
//! - `compile`: from text to a program, and from a program to native code.
//! - `prune`: one abstract run on what a flow fixes.
//!
//! The packets are every seventh of `mix_ndpi_merged.pcap`, in order; where the captures are
//! absent there is nothing to measure. Throughput is in packets.
// A benchmark that cannot set up has nothing else to do than fail.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use weir_filter::{AbstractPacket, Chain, Matcher, Program, may_match};
use weir_model::LinkType;

const SNAPLEN_BYTES: u32 = 262_144;

const EXPRESSIONS: [&str; 8] = [
    "ip",
    "len > 1000",
    "tcp port 443",
    "host 192.168.1.10",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "not (net 10.0.0.0/8 or net 172.16.0.0/12 or net 192.168.0.0/16)",
    "port 21 or port 22 or port 25 or port 80 or port 110 or port 143 or port 443 or port 993",
    "(tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420)",
];

struct Packet {
    bytes: Vec<u8>,
    wire_bytes: u32,
}

fn packets() -> Option<Vec<Packet>> {
    let folder = std::env::var_os("WEIR_PCAPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pcaps"),
        PathBuf::from,
    );
    let Ok(mut capture) = pcap::Capture::from_file(folder.join("mix_ndpi_merged.pcap")) else {
        println!("skipped: no captures in {}", folder.display());
        return None;
    };
    let mut packets = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        packets.push(Packet { bytes: packet.data.to_vec(), wire_bytes: packet.header.len });
    }
    Some(packets.into_iter().step_by(7).collect())
}

fn compile(expression: &str) -> Program {
    Program::compile(expression, LinkType::ETHERNET, SNAPLEN_BYTES).unwrap()
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    packets: &[Packet],
    run: impl Fn(&Packet) -> u32,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| packets.iter().fold(0, |sum: u32, packet| sum.wrapping_add(run(packet))));
    });
}

fn filters(criterion: &mut Criterion) {
    let Some(packets) = packets() else { return };
    let handle = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
    for expression in EXPRESSIONS {
        let mut group = criterion.benchmark_group(format!("filter/{expression}"));
        group.throughput(Throughput::Elements(packets.len() as u64));
        let program = compile(expression);
        for matcher in [Matcher::of_program(&program), Matcher::interpreting_program(&program)] {
            let engine = matcher.engine().as_str();
            measure(&mut group, engine, &packets, |p| matcher.run(&p.bytes, p.wire_bytes));
        }
        let theirs = handle.compile(expression, true).unwrap();
        measure(&mut group, "libpcap", &packets, |p| u32::from(theirs.filter(&p.bytes)));
    }
}

fn chains(criterion: &mut Criterion) {
    let Some(packets) = packets() else { return };
    for count in [10, 50, 200] {
        let mut group = criterion.benchmark_group(format!("chain/{count}"));
        group.throughput(Throughput::Elements(packets.len() as u64));
        let programs: Vec<_> = (0..count)
            .map(|rule| match rule % 3 {
                0 => format!("host 203.0.113.{rule}"),
                1 => format!("src net 198.51.{rule}.0/24 and tcp"),
                _ => format!("tcp dst port {}", 30_000 + rule),
            })
            .map(|expression| compile(&expression))
            .collect();
        let chain = Chain::new(&programs).unwrap();
        for matcher in [Matcher::of_chain(&chain), Matcher::interpreting_chain(&chain)] {
            let engine = matcher.engine().as_str();
            measure(&mut group, engine, &packets, |p| matcher.run(&p.bytes, p.wire_bytes));
        }
        let matchers: Vec<_> = programs.iter().map(Matcher::of_program).collect();
        measure(&mut group, "separate native", &packets, |p| {
            let accepts = |matcher: &Matcher| matcher.run(&p.bytes, p.wire_bytes) != 0;
            matchers.iter().position(accepts).map_or(0, |first| first as u32 + 1)
        });
    }
}

fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for (name, terms) in [("tcp port 443", 1), ("64 ports", 64)] {
        let expression: Vec<_> =
            (0..terms).map(|term| format!("tcp port {}", 443 + term)).collect();
        let expression = expression.join(" or ");
        let program = compile(&expression);
        group.bench_function(format!("{name}, to a program"), |bencher| {
            bencher.iter(|| compile(&expression));
        });
        group.bench_function(format!("{name}, to native code"), |bencher| {
            bencher.iter(|| Matcher::of_program(&program));
        });
    }
}

fn prune(criterion: &mut Criterion) {
    let Some(packets) = packets() else { return };
    let mut flow = AbstractPacket::new();
    let tcp = packets.iter().find(|p| p.bytes.len() > 58 && p.bytes[12..14] == [8, 0]).unwrap();
    let mut group = criterion.benchmark_group("prune");
    for expression in ["tcp port 443", "host 10.9.8.7", "vlan and host 10.9.8.7"] {
        let program = compile(expression);
        group.bench_function(expression, |bencher| {
            bencher.iter(|| {
                flow.clear();
                flow.set_bytes(12, &tcp.bytes[12..15]);
                flow.set_bits(20, 0, 0x1f);
                flow.set_bytes(21, &[0]);
                flow.set_bytes(23, &tcp.bytes[23..24]);
                flow.set_bytes(26, &tcp.bytes[26..38]);
                may_match(black_box(&program), &flow)
            });
        });
    }
}

criterion_group!(benches, filters, chains, compiling, prune);
criterion_main!(benches);

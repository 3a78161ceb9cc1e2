//! What reading a packet's headers costs.
//!
//! Cases: `decode_outer` (the data path's), `decode` (with tunnels), `flow_hash` and
//! `community_id`, over single frames of one shape and over a mix of traffic, whose branches the
//! processor cannot foresee.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_model::LinkType;
use weir_packet::{FlowKey, community_id, decode, decode_outer, flow_hash};
use weir_testkit::{FrameBuilder, Layer, TrafficMix};

const ONE: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 2];
const MIX_PACKETS: usize = 4_096;

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let ethernet = FrameBuilder::ethernet;
    let payload = [7; 400];
    [
        ("ipv4_tcp", ethernet().ipv4(ONE, OTHER).tcp(1, 2, 0x10)),
        ("ipv4_udp", ethernet().ipv4(ONE, OTHER).udp(1, 2)),
        ("ipv6_tcp", ethernet().ipv6([1; 16], [2; 16]).tcp(1, 2, 0x10)),
        ("vlan_ipv4_tcp", ethernet().vlan(5).ipv4(ONE, OTHER).tcp(1, 2, 0x10)),
        ("qinq_ipv6_udp", ethernet().service_vlan(5).vlan(6).ipv6([1; 16], [2; 16]).udp(1, 2)),
        ("mpls_ipv4_tcp", ethernet().mpls(5).mpls(6).ipv4(ONE, OTHER).tcp(1, 2, 0x10)),
        (
            "arp",
            ethernet().layer(Layer::Raw { ethertype: 0x0806, ip_protocol: 0, bytes: vec![0; 28] }),
        ),
        ("ipv6_extensions", ethernet().ipv6([1; 16], [2; 16]).extension(0).extension(60).udp(1, 2)),
        ("vxlan", ethernet().ipv4(ONE, OTHER).vxlan(5).ipv4(OTHER, ONE).tcp(1, 2, 0x10)),
        ("gtp", ethernet().ipv4(ONE, OTHER).gtp_user(5).ipv4(OTHER, ONE).tcp(1, 2, 0x10)),
    ]
    .map(|(name, frame)| (name, frame.payload(&payload).build()))
    .to_vec()
}

fn mix() -> Vec<Vec<u8>> {
    TrafficMix::new(1).take(MIX_PACKETS).map(|packet| packet.bytes).collect()
}

fn bench_function<T>(c: &mut Criterion, name: &str, function: impl Fn(&[u8]) -> T) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    for (shape, frame) in shapes() {
        group.bench_function(shape, |b| {
            b.iter(|| {
                black_box(&function(black_box(&frame)));
            })
        });
    }
    let mix = mix();
    group.throughput(Throughput::Elements(mix.len() as u64));
    group.bench_function("mix", |b| {
        b.iter(|| {
            for frame in &mix {
                black_box(&function(black_box(frame)));
            }
        });
    });
    group.finish();
}

fn bench_decode(c: &mut Criterion) {
    bench_function(c, "decode_outer", |frame| decode_outer(LinkType::ETHERNET, frame));
    bench_function(c, "decode", |frame| decode(LinkType::ETHERNET, frame));
    bench_function(c, "flow_hash", |frame| flow_hash(frame, 1));
}

fn bench_keys(c: &mut Criterion) {
    let keys: Vec<FlowKey> = mix()
        .iter()
        .filter_map(|frame| decode_outer(LinkType::ETHERNET, frame).outer.flow)
        .map(|flow| flow.key)
        .collect();
    let mut group = c.benchmark_group("key");
    group.throughput(Throughput::Elements(keys.len() as u64));
    group.bench_function("hash64", |b| {
        b.iter(|| keys.iter().fold(0, |sum, key| sum ^ black_box(key).hash64(1)));
    });
    group.bench_function("community_id", |b| {
        b.iter(|| {
            for key in &keys {
                black_box(community_id(black_box(key), 0));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, bench_decode, bench_keys);
criterion_main!(benches);

//! What a packet and a block cost on their way into a segment.
//!
//! - `epb/SIZE/OPTIONS`: one Enhanced Packet Block written into a block of 1 MiB, with no options,
//!   or with queue and hash; `memcpy` is the packet's bytes copied and nothing else.
//! - `encode/LEVEL`: a block of 1 MiB compressed and hashed, ready for the file; half of each packet
//!   is text, half is random.
//! - `encode/incompressible`: the same for bytes that do not shrink.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::{Rng, RngExt, SeedableRng};
use weir_model::Timestamp;
use weir_segment::pcapng::{EPB_OVERHEAD_BYTES_MAX, EpbFields, write_epb};
use weir_segment::{BlockEncoder, Compression};

const BLOCK_BYTES: usize = 1 << 20;
const PACKETS_PER_ITERATION: usize = 512;

fn epb(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epb");
    for size in [64_usize, 512, 1500] {
        let packet = vec![0x5A; size];
        let mut block = vec![0; PACKETS_PER_ITERATION * (size + EPB_OVERHEAD_BYTES_MAX)];
        group.throughput(Throughput::Elements(PACKETS_PER_ITERATION as u64));
        let bare = EpbFields {
            timestamp: Timestamp::from_ns(1_714_566_896_123_456_789),
            captured_bytes: size as u32,
            wire_bytes: size as u32,
            ..EpbFields::default()
        };
        let full = EpbFields { queue: Some(3), hash: Some(0x51CC_C178), ..bare };
        for (name, fields) in [("bare", bare), ("queue_and_hash", full)] {
            group.bench_function(format!("{size}/{name}"), |bencher| {
                bencher.iter(|| {
                    let mut at = 0;
                    for _ in 0..PACKETS_PER_ITERATION {
                        let fields = black_box(&fields);
                        let fill = |area: &mut [u8]| area.copy_from_slice(&packet);
                        at += write_epb(&mut block[at..], fields, fill);
                    }
                    black_box(at)
                });
            });
        }
        group.bench_function(format!("{size}/memcpy"), |bencher| {
            bencher.iter(|| {
                for area in block.chunks_exact_mut(size).take(PACKETS_PER_ITERATION) {
                    area.copy_from_slice(black_box(&packet));
                }
                black_box(&mut block);
            });
        });
    }
    group.finish();
}

/// A block full of packets of 60 to 1,514 bytes, of which `random_of_two` halves are random.
fn fill_block(random_of_two: usize) -> Vec<u8> {
    let mut rng = rand_pcg::Pcg64::seed_from_u64(1);
    let text = b"GET /index.html HTTP/1.1\r\nHost: example.net\r\nAccept: */*\r\n";
    let mut block = vec![0; BLOCK_BYTES];
    let mut at = 0;
    loop {
        let bytes = rng.random_range(60..=1514_usize);
        if at + bytes + EPB_OVERHEAD_BYTES_MAX > block.len() {
            break;
        }
        let fields = EpbFields {
            timestamp: Timestamp::from_ns(1_714_566_896_123_456_789 + at as u64),
            captured_bytes: bytes as u32,
            wire_bytes: bytes as u32,
            queue: Some(0),
            ..EpbFields::default()
        };
        at += write_epb(&mut block[at..], &fields, |area| {
            let (head, tail) = area.split_at_mut(bytes - bytes * random_of_two / 2);
            head.iter_mut().zip(text.iter().cycle()).for_each(|(to, from)| *to = *from);
            rng.fill_bytes(tail);
        });
    }
    block.truncate(at);
    block
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.measurement_time(Duration::from_secs(3)).sample_size(20);
    let mixed = fill_block(1);
    let random = fill_block(2);
    let cases = [
        ("-5", &mixed, Compression::Zstd { level: -5 }),
        ("-1", &mixed, Compression::Zstd { level: -1 }),
        ("1", &mixed, Compression::Zstd { level: 1 }),
        ("3", &mixed, Compression::Zstd { level: 3 }),
        ("none", &mixed, Compression::None),
        ("incompressible", &random, Compression::Zstd { level: -1 }),
    ];
    for (name, block, compression) in cases {
        let mut encoder = BlockEncoder::new(compression).expect("zstd has these levels");
        group.throughput(Throughput::Bytes(block.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| encoder.encode(black_box(block)).map(|encoded| encoded.stored_bytes()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = epb, encode
}
criterion_main!(benches);

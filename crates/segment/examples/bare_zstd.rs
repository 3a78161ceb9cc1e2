//! zstd alone, going round the blocks of a file: what the writer is measured against.
//!
//! `bare_zstd FILE LEVEL BLOCK_BYTES WINDOW_MS WINDOWS` compresses FILE (a raw segment) in blocks,
//! each as one frame with a checksum, over and over, and prints a line of JSON for each window:
//! the raw bytes, and the nanoseconds of the wall clock and of the thread. The first window is for
//! warming up. `benches/side-by-side` runs it and reads it.

use std::error::Error;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, level, block_bytes, window_ms, windows] = &arguments[..] else {
        return Err("bare_zstd FILE LEVEL BLOCK_BYTES WINDOW_MS WINDOWS".into());
    };
    let raw = std::fs::read(file)?;
    let block_bytes: usize = block_bytes.parse()?;
    let window = Duration::from_millis(window_ms.parse()?);
    let mut compressor = Compressor::new(level.parse()?)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut compressed = vec![0; compress_bound(block_bytes)];
    let mut blocks = raw.chunks_exact(block_bytes).cycle();
    for _ in 0..windows.parse()? {
        let (started, cpu_ns) = (Instant::now(), thread_cpu_ns());
        let mut raw_bytes = 0;
        while started.elapsed() < window {
            let block = blocks.next().ok_or("the file is shorter than a block")?;
            compressor.compress_to_buffer(block, &mut compressed)?;
            raw_bytes += block.len();
        }
        let wall_ns = started.elapsed().as_nanos();
        let cpu_ns = thread_cpu_ns() - cpu_ns;
        println!("{{\"units\":{raw_bytes},\"wall_ns\":{wall_ns},\"cpu_ns\":{cpu_ns}}}");
    }
    Ok(())
}

fn thread_cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

//! Checks a configuration, one relation after another, and reports everything that is wrong.

use std::path::PathBuf;
use std::time::Duration;

use weir_capture::{BLOCK_OVERHEAD_BYTES, Shape};
use weir_filter::Program;
use weir_model::{LinkType, SNAPLEN_BYTES_MAX};
use weir_segment::{BLOCK_BYTES_MAX, Compression, NamePrefix, RotationPolicy};

use super::raw::{
    RawBuffers, RawCapture, RawCompression, RawConfig, RawEal, RawHugepages, RawOutput, RawPort,
    RawShape, RawStats, RawTopology, RawWhenFull,
};
use super::{
    Buffers, Capture, Config, ConfigError, Device, Eal, Output, Port, Problem, Stats, Topology,
};

/// The most seconds of a duration: a hundred years.
const SECONDS_MAX: f64 = 100.0 * 365.0 * 86_400.0;

/// Everything that is wrong so far.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Returns `value` or `default`, and reports what is out of range.
    fn within<T: Copy + PartialOrd + Into<i128>>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> T {
        let value = value.unwrap_or(default);
        if !range.contains(&value) {
            let (min, max) = ((*range.start()).into(), (*range.end()).into());
            self.add(Problem::OutOfRange { key, value: value.into(), min, max });
        }
        value
    }

    /// As [`within`](Self::within), for sizes.
    fn within_size(
        &mut self,
        key: &'static str,
        value: Option<usize>,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let wide = |size: usize| size as u64;
        let wide_range = wide(*range.start())..=wide(*range.end());
        let checked = self.within(key, value.map(wide), wide(default), wide_range);
        usize::try_from(checked).unwrap_or(default)
    }

    fn duration(&mut self, key: &'static str, seconds: Option<f64>) -> Option<Duration> {
        let value = seconds?;
        if (0.0..=SECONDS_MAX).contains(&value) {
            return Some(Duration::from_secs_f64(value));
        }
        self.add(Problem::NotADuration { key, value });
        None
    }
}

/// Makes a configuration that can be run.
///
/// # Errors
///
/// [`ConfigError::Invalid`], with everything that is wrong.
pub(super) fn validate(raw: RawConfig) -> Result<Config, ConfigError> {
    let mut problems = Problems::default();
    let eal = eal(raw.eal, &mut problems);
    let stats = stats(raw.stats, &eal.file_prefix);
    let capture = capture(raw.capture, &mut problems);
    let ports = ports(raw.ports, &mut problems);
    let topology = topology(raw.topology, &mut problems);
    let buffers = buffers(&raw.buffers, &mut problems);
    match output(raw.output, &mut problems) {
        Some(output) if problems.0.is_empty() => {
            Ok(Config { capture, ports, topology, buffers, output, eal, stats })
        }
        _ => Err(ConfigError::Invalid(problems.0)),
    }
}

fn capture(raw: RawCapture, problems: &mut Problems) -> Capture {
    let snaplen_bytes = problems.within(
        "capture.snaplen_bytes",
        raw.snaplen_bytes,
        SNAPLEN_BYTES_MAX,
        1..=SNAPLEN_BYTES_MAX,
    );
    Capture {
        filter: raw.filter.and_then(|expression| filter(expression, problems)),
        snaplen_bytes,
        stop_after_packets: raw.stop_after_packets,
        stop_after_idle: problems
            .duration("capture.stop_after_idle_seconds", raw.stop_after_idle_seconds),
        duration: problems.duration("capture.duration_seconds", raw.duration_seconds),
        record_queue: raw.record_queue.unwrap_or(true),
        record_hash: raw.record_hash.unwrap_or(true),
    }
}

fn filter(expression: String, problems: &mut Problems) -> Option<Program> {
    if expression.trim().is_empty() {
        return None;
    }
    // The filter sees the packet before it is sliced, whatever the snaplen.
    match Program::compile(&expression, LinkType::ETHERNET, SNAPLEN_BYTES_MAX) {
        Ok(program) => Some(program),
        Err(cause) => {
            problems.add(Problem::Filter { expression, cause });
            None
        }
    }
}

fn ports(raw: Vec<RawPort>, problems: &mut Problems) -> Vec<Port> {
    if raw.is_empty() {
        problems.add(Problem::NoPort);
    }
    let ports: Vec<Port> =
        raw.into_iter().enumerate().filter_map(|(index, raw)| port(index, raw, problems)).collect();
    for (index, port) in ports.iter().enumerate() {
        let name = port.device.name();
        if ports[..index].iter().any(|other| other.device.name() == name) {
            problems.add(Problem::SameDevice { name: name.to_owned() });
        }
    }
    ports
}

fn port(index: usize, raw: RawPort, problems: &mut Problems) -> Option<Port> {
    let device = match (raw.vdev, raw.pci) {
        (Some(arguments), None) if is_vdev(&arguments) => Device::Vdev(arguments),
        (None, Some(address)) if is_pci_address(&address) => Device::Pci(address),
        (Some(arguments), None) => {
            problems.add(Problem::NotAVdev { index, arguments });
            return None;
        }
        (None, Some(address)) => {
            problems.add(Problem::NotAPciAddress { index, address });
            return None;
        }
        (None, None) => {
            problems.add(Problem::NoDevice { index });
            return None;
        }
        (Some(_), Some(_)) => {
            problems.add(Problem::TwoDevices { index });
            return None;
        }
    };
    Some(Port {
        device,
        description: raw.description,
        rx_queues: problems.within("ports.rx_queues", raw.rx_queues, 1, 1..=256),
        rx_descriptors: problems.within(
            "ports.rx_descriptors",
            raw.rx_descriptors,
            1024,
            32..=32_768,
        ),
        promiscuous: raw.promiscuous.unwrap_or(true),
        mtu_bytes: raw
            .mtu_bytes
            .map(|mtu| problems.within("ports.mtu_bytes", Some(mtu), 0, 68..=65_535)),
        when_full: raw.when_full.unwrap_or(RawWhenFull::Auto),
    })
}

/// A driver's name and a number, with or without arguments behind it.
fn is_vdev(arguments: &str) -> bool {
    let name = arguments.split(',').next().unwrap_or_default();
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !arguments.contains('\0')
}

/// `DOMAIN:BUS:DEVICE.FUNCTION`, in hexadecimal digits.
fn is_pci_address(address: &str) -> bool {
    const FORM: &[u8; 12] = b"xxxx:xx:xx.x";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'x' => byte.is_ascii_hexdigit(),
        separator => byte == *separator,
    };
    address.len() == FORM.len() && address.bytes().zip(FORM).all(fits)
}

fn topology(raw: RawTopology, problems: &mut Problems) -> Topology {
    let allowed = allowed_cpus();
    let cpus = raw.cpus.unwrap_or_else(|| allowed.clone());
    if cpus.is_empty() {
        problems.add(Problem::NoCpu);
    }
    for (index, &cpu) in cpus.iter().enumerate() {
        if !allowed.contains(&cpu) {
            problems.add(Problem::CpuNotAllowed { cpu, allowed: allowed.clone() });
        }
        if cpus[..index].contains(&cpu) {
            problems.add(Problem::CpuTwice { cpu });
        }
    }
    let shape = match raw.shape {
        None | Some(RawShape::Auto) => None,
        Some(RawShape::Pipeline) => Some(Shape::Pipeline),
        Some(RawShape::Fused) => Some(Shape::Fused),
    };
    let RawTopology { lcores, processing, output, .. } = raw;
    Topology { shape, cpus, lcores, processings: processing, outputs: output }
}

/// Returns the CPUs that this process may use.
fn allowed_cpus() -> Vec<usize> {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let cpus: Vec<usize> = cpus.into_iter().map(|cpu| cpu.id).collect();
    if cpus.is_empty() { vec![0] } else { cpus }
}

fn buffers(raw: &RawBuffers, problems: &mut Problems) -> Buffers {
    let ring_packets =
        problems.within("buffers.ring_packets", raw.ring_packets, 1024, 64..=1 << 20);
    if !ring_packets.is_power_of_two() {
        let nearest = ring_packets.next_power_of_two();
        problems.add(Problem::NotAPowerOfTwo {
            key: "buffers.ring_packets",
            value: ring_packets,
            nearest,
        });
    }
    let block_bytes_min = SNAPLEN_BYTES_MAX as usize + BLOCK_OVERHEAD_BYTES;
    Buffers {
        mbufs: raw.mbufs,
        mbuf_data_room_bytes: problems.within(
            "buffers.mbuf_data_room_bytes",
            raw.mbuf_data_room_bytes,
            2176,
            256..=u16::MAX,
        ),
        ring_packets,
        blocks: raw.blocks,
        block_bytes: problems.within_size(
            "buffers.block_bytes",
            raw.block_bytes,
            1 << 20,
            block_bytes_min..=BLOCK_BYTES_MAX,
        ),
        flush_interval: Duration::from_millis(problems.within(
            "buffers.flush_interval_ms",
            raw.flush_interval_ms,
            1000,
            1..=3_600_000,
        )),
    }
}

fn output(raw: RawOutput, problems: &mut Problems) -> Option<Output> {
    let level =
        problems.within("output.compression_level", raw.compression_level, -1, -131_072..=22);
    let compression = match raw.compression {
        Some(RawCompression::None) => {
            if raw.compression_level.is_some() {
                problems.add(Problem::LevelWithoutCompression);
            }
            Compression::None
        }
        Some(RawCompression::Zstd) | None => Compression::Zstd { level },
    };
    let prefix = prefix(raw.prefix.as_deref().unwrap_or("weir"), problems);
    let segment_bytes_max = problems.within(
        "output.segment_bytes_max",
        raw.segment_bytes_max,
        1 << 30,
        1 << 16..=1 << 50,
    );
    let interval_seconds = raw.segment_interval_seconds.map(|seconds| {
        problems.within("output.segment_interval_seconds", Some(seconds), 1, 1..=31_536_000)
    });
    let sync_interval_ms =
        problems.within("output.sync_interval_ms", raw.sync_interval_ms, 1000, 1..=3_600_000);
    let sync_bytes = problems.within("output.sync_bytes", raw.sync_bytes, 64 << 20, 1..=1 << 50);
    let Some(directory) = raw.directory.filter(|directory| *directory != PathBuf::new()) else {
        problems.add(Problem::NoOutputDirectory);
        return None;
    };
    Some(Output {
        directory,
        prefix: prefix?,
        compression,
        rotation: RotationPolicy {
            segment_bytes_max: Some(segment_bytes_max),
            interval_ns: interval_seconds.map(|seconds| seconds * 1_000_000_000),
        },
        sync_interval: Duration::from_millis(sync_interval_ms),
        sync_bytes,
    })
}

fn prefix(prefix: &str, problems: &mut Problems) -> Option<NamePrefix> {
    match NamePrefix::new(prefix) {
        Ok(prefix) => Some(prefix),
        Err(cause) => {
            problems.add(Problem::Prefix { prefix: prefix.to_owned(), cause });
            None
        }
    }
}

fn eal(raw: RawEal, problems: &mut Problems) -> Eal {
    let file_prefix = raw.file_prefix.unwrap_or_else(|| format!("weir-{}", std::process::id()));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if file_prefix.is_empty() || file_prefix.len() > 64 || !file_prefix.chars().all(is_allowed) {
        problems.add(Problem::FilePrefix { prefix: file_prefix.clone() });
    }
    Eal {
        hugepages: raw.hugepages.unwrap_or(RawHugepages::Auto),
        file_prefix,
        extra_args: raw.extra_args,
    }
}

fn stats(raw: RawStats, file_prefix: &str) -> Stats {
    let default_socket = || {
        let directory = crate::socket::runtime_directory()?;
        Some(directory.join(format!("{file_prefix}.sock")))
    };
    Stats { file: raw.file, socket: raw.socket.or_else(default_socket) }
}

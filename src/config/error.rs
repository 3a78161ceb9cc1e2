//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use weir_filter::CompileError;
use weir_segment::PrefixError;

/// There is no configuration to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The file is no file, or far larger than a configuration.
    #[error("the configuration {} is not a regular file of at most {max_bytes} bytes", path.display())]
    NotAConfiguration { path: PathBuf, max_bytes: u64 },
    /// The file is not UTF-8.
    #[error("the configuration {} is not UTF-8: byte {offset} cannot be read", path.display())]
    NotUtf8 { path: PathBuf, offset: usize },
    /// The file is not TOML, or has a key that is not known.
    #[error("the configuration {} cannot be understood: {cause}", path.display())]
    Parse { path: PathBuf, cause: Box<toml::de::Error> },
    /// Values that cannot be.
    #[error("the configuration cannot be run:{}", List(.0))]
    Invalid(Vec<Problem>),
}

struct List<'a>(&'a [Problem]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("there is no port: name one with --vdev, or in [[ports]]")]
    NoPort,
    #[error("there is no output directory: name one with --output, or as output.directory")]
    NoOutputDirectory,
    #[error("ports[{index}] names no device: give it `vdev` or `pci`")]
    NoDevice { index: usize },
    #[error("ports[{index}] names two devices: give it `vdev` or `pci`, not both")]
    TwoDevices { index: usize },
    #[error(
        "ports[{index}]: \"{arguments}\" is no virtual device: it must be NAME or NAME,KEY=VALUE,…, \
         as in net_pcap0,rx_pcap=FILE"
    )]
    NotAVdev { index: usize, arguments: String },
    #[error("ports[{index}]: \"{address}\" is no PCI address: it must look like 0000:03:00.0")]
    NotAPciAddress { index: usize, address: String },
    #[error("two ports are the same device, \"{name}\": name each once")]
    SameDevice { name: String },
    #[error("{key} is {value}: it must be from {min} to {max}")]
    OutOfRange { key: &'static str, value: i128, min: i128, max: i128 },
    #[error("{key} is {value}: it must be a power of two, for example {nearest}")]
    NotAPowerOfTwo { key: &'static str, value: u32, nearest: u32 },
    #[error("{key} is {value}: it must be a number of seconds that is not negative")]
    NotADuration { key: &'static str, value: f64 },
    #[error(
        "topology.cpus names CPU {cpu}, which this process may not use: it may use {allowed:?}"
    )]
    CpuNotAllowed { cpu: usize, allowed: Vec<usize> },
    #[error("topology.cpus names CPU {cpu} twice")]
    CpuTwice { cpu: usize },
    #[error("topology.cpus is empty: leave it out to use every CPU")]
    NoCpu,
    #[error(
        "the filter \"{expression}\" cannot be used: {}",
        weir_telemetry::ErrorChain(.cause)
    )]
    Filter { expression: String, cause: CompileError },
    #[error("output.prefix \"{prefix}\" cannot be used: {cause}")]
    Prefix { prefix: String, cause: PrefixError },
    #[error("output.compression_level is given, but output.compression is \"none\"")]
    LevelWithoutCompression,
    #[error("eal.file_prefix \"{prefix}\" cannot be used: only letters, digits, `-`, `_` and `.`")]
    FilePrefix { prefix: String },
}

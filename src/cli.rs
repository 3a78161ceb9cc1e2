//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Captures packets by DPDK into compressed files that Wireshark opens, and accounts for
/// every packet.
#[derive(Debug, Parser)]
#[command(name = "weir", version = crate::build_info::LONG_VERSION)]
pub(crate) struct Cli {
    /// How log lines on standard error look; by default for people on a terminal, else JSON only
    /// when asked for.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug, trace) or tracing's filter directives.
    #[arg(long, global = true, default_value = "info", value_name = "LEVEL")]
    pub(crate) log_level: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    Human,
    /// A JSON object on each line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Capture until stopped.
    Run(Box<RunArgs>),
    /// Show the numbers of a running capture.
    Stats(StatsArgs),
    /// Give a running capture an order.
    Ctl(CtlArgs),
}

/// `weir run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The configuration file; what stands on the command line overrides it.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Capture from this DPDK virtual device, as for EAL's --vdev; given, the configuration's
    /// ports are not used. May be repeated.
    #[arg(long, value_name = "ARGS")]
    pub(crate) vdev: Vec<String>,
    /// The directory that segments are written to; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Keep only packets that match this pcap-filter(7) expression.
    #[arg(long, value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// Keep at most so many bytes of each packet.
    #[arg(long, value_name = "BYTES")]
    pub(crate) snaplen: Option<u32>,
    /// Stop after exactly so many packets were received.
    #[arg(long, value_name = "N")]
    pub(crate) stop_after_packets: Option<u64>,
    /// Stop when nothing was received for so long.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_after_idle: Option<f64>,
    /// Stop after so long.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) duration: Option<f64>,
    /// Write the last numbers to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
    /// Serve the numbers live on this Unix socket.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print what would run where, and EAL's arguments, and exit.
    #[arg(long)]
    pub(crate) plan: bool,
    /// More arguments for EAL, checked against those that the configuration makes.
    #[arg(last = true, value_name = "EAL ARGUMENTS")]
    pub(crate) eal: Vec<String>,
}

/// `weir stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The capture's socket; needed only where several captures run.
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print the JSON as it is.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir ctl`.
#[derive(Debug, Args)]
pub(crate) struct CtlArgs {
    /// The capture's socket; needed only where several captures run.
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) socket: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) order: CtlOrder,
}

/// What a running capture can be told.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CtlOrder {
    /// Seal the open segments and begin new ones.
    Rotate,
    /// Take no more packets, write what is inside, and end.
    Stop,
}

//! How the program ends: what is printed, and the exit code (`docs/operations.md`).

use std::io::Write;
use std::process::ExitCode;

use weir_telemetry::ErrorChain;

use crate::config::ConfigError;
use crate::socket::SocketError;

/// The program could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The configuration, or the command line, is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A running capture could not be asked.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The capture could not be started, or not ended as it should.
    #[cfg(feature = "dpdk")]
    #[error(transparent)]
    Run(#[from] crate::run::RunError),
    /// The program has no DPDK.
    #[cfg(not(feature = "dpdk"))]
    #[error(
        "this weir was built without DPDK and cannot capture: build it with the feature `dpdk`"
    )]
    WithoutDpdk,
}

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything was done, and every packet is accounted for.
    Done = 0,
    /// Something failed while running; standard error says what.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was started.
    Usage = 2,
    /// The capture ended, but some packet or mbuf is unexplained: a bug.
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture ends so"))]
    Unexplained = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl AppError {
    /// Returns the exit code of the error.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Usage,
            Self::Socket(_) => Exit::Failed,
            #[cfg(feature = "dpdk")]
            Self::Run(error) if error.is_usage() => Exit::Usage,
            #[cfg(feature = "dpdk")]
            Self::Run(_) => Exit::Failed,
            #[cfg(not(feature = "dpdk"))]
            Self::WithoutDpdk => Exit::Usage,
        }
    }
}

/// Prints an error with everything that caused it, and returns its exit code.
pub(crate) fn report(error: &AppError) -> Exit {
    // Where nobody takes it, the exit code still says it; `eprintln!` would panic.
    let _ = writeln!(std::io::stderr(), "weir: {}", ErrorChain(error));
    error.exit()
}

//! Why a capture did not start, or did not end as it should.

use std::io;
use std::path::PathBuf;

use weir_capture::{AssembleError, PlanError};
use weir_dpdk::{EalError, LaunchError, MempoolError, PortError, StartError, StopError};
use weir_model::LcoreId;
use weir_segment::{DirectoryError, PrefixError};

use super::memory::MemoryError;
use crate::eal_args::EalArgsError;
use crate::socket::SocketError;

/// Why a capture did not start, or did not end as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    EalArguments(#[from] EalArgsError),
    #[error("signals cannot be caught")]
    Signals(#[source] io::Error),
    #[error("the output cannot be used")]
    Directory(#[from] DirectoryError),
    #[error("the names of segments cannot be made")]
    Prefix(#[from] PrefixError),
    #[error("the segments in {} cannot be listed", path.display())]
    Scan {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("DPDK did not start")]
    Eal(#[from] EalError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the mbufs cannot be had")]
    Mempool(#[from] MempoolError),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("the thread of lcore {lcore} cannot be made")]
    Thread {
        lcore: LcoreId,
        #[source]
        cause: io::Error,
    },
    #[error(
        "lcore {lcore} panicked: {message}; what it held is lost, and open segments are left as .part"
    )]
    Panicked { lcore: LcoreId, message: String },
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("the statistics cannot be written to {}", path.display())]
    StatsFile {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl RunError {
    /// Returns whether the command line or the configuration is at fault, and nothing was started.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Plan(_) | Self::Memory(_) | Self::EalArguments(_) | Self::Prefix(_))
    }
}

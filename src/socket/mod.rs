//! The Unix socket of a running capture: where it is, what is said over it, and both ends.
//!
//! One JSON object on a line asks, one answers (`docs/control.md`). The socket is 0600 in a
//! directory of 0700, so that only who runs the capture, and root, can ask.

mod client;
mod protocol;
#[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture serves"))]
mod server;

pub(crate) use client::{ask, find};
pub(crate) use protocol::{PROTOCOL_VERSION, Reply, Request, Verb};
#[cfg(feature = "dpdk")]
pub(crate) use server::{Answer, Server};

use std::io;
use std::path::PathBuf;

/// A running capture could not be asked, or could not offer to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("no running capture was found in {}: name its socket with --socket", directory.display())]
    NoCapture { directory: PathBuf },
    #[error("there is no directory for sockets: set XDG_RUNTIME_DIR, or name one with --socket")]
    NoDirectory,
    #[error(
        "several captures run, name one with --socket:{}",
        sockets.iter().map(|path| format!("\n  {}", path.display())).collect::<String>()
    )]
    SeveralCaptures { sockets: Vec<PathBuf> },
    #[error("no capture answers at {}", path.display())]
    Connect {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the capture at {} did not answer", path.display())]
    Exchange {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the capture at {} answered what cannot be understood: {cause}", path.display())]
    Answer { path: PathBuf, cause: serde_json::Error },
    #[error("the capture refused: {message}")]
    Refused { message: String },
    #[error("the socket {} is in use by a running capture: choose another", path.display())]
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture serves"))]
    InUse { path: PathBuf },
    #[error("{} is there and is not a socket: choose another path", path.display())]
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture serves"))]
    NotASocket { path: PathBuf },
    #[error("the socket path {} is {bytes} bytes long: at most {max} are possible", path.display())]
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture serves"))]
    PathTooLong { path: PathBuf, bytes: usize, max: usize },
    #[error("cannot serve the socket {}", path.display())]
    #[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture serves"))]
    Serve {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Returns where sockets are by default: `/run/weir` for root, `$XDG_RUNTIME_DIR/weir` for others.
pub(crate) fn runtime_directory() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/run/weir"));
    }
    std::env::var_os("XDG_RUNTIME_DIR").map(|directory| PathBuf::from(directory).join("weir"))
}

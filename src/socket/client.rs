//! The asking end.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{PROTOCOL_VERSION, Reply, Request, SocketError, Verb, runtime_directory};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Returns the socket of the one capture that runs, or `given`.
pub(crate) fn find(given: Option<&Path>) -> Result<PathBuf, SocketError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let directory = runtime_directory().ok_or(SocketError::NoDirectory)?;
    let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut sockets: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| entry.path())
        // A capture that was killed leaves its socket behind.
        .filter(|path| UnixStream::connect(path).is_ok())
        .collect();
    sockets.sort();
    match sockets.pop() {
        None => Err(SocketError::NoCapture { directory }),
        Some(only) if sockets.is_empty() => Ok(only),
        Some(last) => {
            sockets.push(last);
            Err(SocketError::SeveralCaptures { sockets })
        }
    }
}

/// Asks a capture, and returns what it answered.
pub(crate) fn ask(path: &Path, verb: Verb) -> Result<Option<serde_json::Value>, SocketError> {
    let stream = UnixStream::connect(path)
        .map_err(|cause| SocketError::Connect { path: path.to_owned(), cause })?;
    let line = exchange(&stream, verb)
        .map_err(|cause| SocketError::Exchange { path: path.to_owned(), cause })?;
    let reply: Reply = serde_json::from_str(&line)
        .map_err(|cause| SocketError::Answer { path: path.to_owned(), cause })?;
    if reply.ok {
        Ok(reply.data)
    } else {
        Err(SocketError::Refused { message: reply.error.unwrap_or_default() })
    }
}

fn exchange(mut stream: &UnixStream, verb: Verb) -> std::io::Result<String> {
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let request = serde_json::to_string(&Request { version: PROTOCOL_VERSION, verb })?;
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

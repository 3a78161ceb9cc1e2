//! The answering end: a thread of its own, so that no client can slow a packet or the control core.
//!
//! Bounded in everything that a client decides: how many there are, how long they take, how much
//! they say.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::{PROTOCOL_VERSION, Reply, Request, SocketError, Verb};

/// Clients at the same time; one more is turned away.
const CLIENTS_MAX: usize = 16;

/// The longest request.
const REQUEST_BYTES_MAX: u64 = 4096;

/// How long a client may take to ask, and to take its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one connection may stay.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// How often the thread looks whether it is to end.
const ACCEPT_POLL: Duration = Duration::from_millis(20);

/// The longest path of a Unix socket on Linux (`sun_path` less its NUL).
const PATH_BYTES_MAX: usize = 107;

/// What answers requests.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, verb: Verb) -> Reply;
}

/// A socket that is served until this is dropped.
pub(crate) struct Server {
    path: PathBuf,
    identity: (u64, u64),
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `path`, and makes its directory if it is not there.
    ///
    /// # Errors
    ///
    /// [`SocketError`], if something else is there already.
    pub(crate) fn start(path: &Path, answer: impl Answer) -> Result<Self, SocketError> {
        make_room(path)?;
        let failed = |cause| SocketError::Serve { path: path.to_owned(), cause };
        let (listener, identity) = bind(path).map_err(failed)?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ending);
        let thread = std::thread::Builder::new()
            .name("weir-socket".to_owned())
            .spawn(move || serve(&listener, &Arc::new(answer), &ending))
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), identity, is_ending, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Only if it is still ours: somebody may have put another in its place.
        if identity_of(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Makes the directory, and takes away a socket that nobody serves any more.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        return Err(SocketError::PathTooLong { path: path.to_owned(), bytes, max: PATH_BYTES_MAX });
    }
    let failed = |cause| SocketError::Serve { path: path.to_owned(), cause };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    match std::fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(failed(cause)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(SocketError::NotASocket { path: path.to_owned() })
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(cause) if cause.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)
            }
            _ => Err(SocketError::InUse { path: path.to_owned() }),
        },
    }
}

/// Binds the socket so that it never has a mode but 0600: `bind` makes it by the umask, which is
/// the whole process's; so it is made under a name of its own in a directory that only we can
/// enter, and moved to its place when its mode is right.
fn bind(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let nursery = parent.join(format!(".{}-{}", std::process::id(), unique_number()));
    std::fs::DirBuilder::new().mode(0o700).create(&nursery)?;
    let made = nursery.join("s");
    let bound = (|| {
        // The process's directory does not change: a relative path stays what it is.
        let listener = UnixListener::bind(&made)?;
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
        // A hard link does not replace what came there in the meantime; a rename would.
        std::fs::hard_link(&made, path)?;
        listener.set_nonblocking(true)?;
        Ok((listener, identity_of(path)?))
    })();
    let _ = std::fs::remove_file(&made);
    let _ = std::fs::remove_dir(&nursery);
    bound
}

/// Returns a number that no earlier process with our process id has left behind.
fn unique_number() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos())
}

fn serve<A: Answer>(listener: &UnixListener, answer: &Arc<A>, ending: &AtomicBool) {
    let clients = Arc::new(AtomicUsize::new(0));
    while !ending.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => admit(stream, answer, &clients),
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => std::thread::sleep(ACCEPT_POLL),
            Err(cause) => {
                warn!(%cause, "a client could not be accepted");
                std::thread::sleep(ACCEPT_POLL);
            }
        }
    }
}

/// Gives a client a thread, unless there are too many.
fn admit<A: Answer>(stream: UnixStream, answer: &Arc<A>, clients: &Arc<AtomicUsize>) {
    if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS_MAX {
        clients.fetch_sub(1, Ordering::Relaxed);
        let _ = stream.set_nonblocking(true);
        let _ = reply(&stream, &Reply::refused("too many clients: try again later"));
        return;
    }
    let (answer, clients_left) = (Arc::clone(answer), Arc::clone(clients));
    let spawned = std::thread::Builder::new().name("weir-client".to_owned()).spawn(move || {
        if let Err(cause) = converse(&stream, &*answer) {
            debug!(%cause, "a client was cut off");
        }
        clients_left.fetch_sub(1, Ordering::Relaxed);
    });
    if spawned.is_err() {
        clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads until a moment: a timeout of the socket alone begins anew with each byte that comes.
struct Patient<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

/// Answers a client's requests until it has no more, or takes too long.
fn converse(stream: &UnixStream, answer: &dyn Answer) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let started_at = Instant::now();
    let patient = Patient { stream, until: started_at };
    let mut reader = BufReader::with_capacity(REQUEST_BYTES_MAX as usize, patient);
    while started_at.elapsed() < CONNECTION_TIME_MAX {
        let mut line = Vec::new();
        reader.get_mut().until = Instant::now() + CLIENT_TIMEOUT;
        let read_bytes = (&mut reader).take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read_bytes == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && read_bytes as u64 == REQUEST_BYTES_MAX {
            reply(stream, &Reply::refused("the request is too long"))?;
            return Ok(());
        }
        reply(stream, &answer_line(&line, answer))?;
    }
    Ok(())
}

fn answer_line(line: &[u8], answer: &dyn Answer) -> Reply {
    match serde_json::from_slice::<Request>(line) {
        Ok(request) if request.version != PROTOCOL_VERSION => Reply::refused(format!(
            "version {} is not spoken here: this is version {PROTOCOL_VERSION}",
            request.version
        )),
        Ok(request) => answer.answer(request.verb),
        Err(cause) => Reply::refused(format!("the request cannot be understood: {cause}")),
    }
}

fn reply(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}

#[cfg(test)]
mod tests;

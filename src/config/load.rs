//! Reads the configuration file and lays the command line over it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::raw::{RawConfig, RawPort};
use super::validate::validate;
use super::{Config, ConfigError};
use crate::cli::RunArgs;

/// The largest configuration that is read.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Makes the configuration of the file and the command line.
///
/// # Errors
///
/// [`ConfigError`], with everything that is wrong.
pub(crate) fn load(arguments: &RunArgs) -> Result<Config, ConfigError> {
    let mut raw = match &arguments.config {
        Some(path) => read(path)?,
        None => RawConfig::default(),
    };
    override_by(&mut raw, arguments);
    validate(raw)
}

/// Reads a file, once, and bounded: it may be a device, or grow while it is read.
fn read(path: &Path) -> Result<RawConfig, ConfigError> {
    let failed = |cause| ConfigError::Read { path: path.to_owned(), cause };
    // Not opened before it is known to be a file: opening a FIFO waits for a writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let refused =
        || ConfigError::NotAConfiguration { path: path.to_owned(), max_bytes: CONFIG_BYTES_MAX };
    if !metadata.is_file() {
        return Err(refused());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(refused());
    }
    parse(path, &bytes)
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<RawConfig, ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|cause| ConfigError::NotUtf8 {
        path: path.to_owned(),
        offset: cause.valid_up_to(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    toml::from_str(text)
        .map_err(|cause| ConfigError::Parse { path: path.to_owned(), cause: Box::new(cause) })
}

fn override_by(raw: &mut RawConfig, arguments: &RunArgs) {
    if !arguments.vdev.is_empty() {
        let port = |vdev: &String| RawPort { vdev: Some(vdev.clone()), ..RawPort::default() };
        raw.ports = arguments.vdev.iter().map(port).collect();
    }
    set(&mut raw.output.directory, &arguments.output);
    set(&mut raw.capture.filter, &arguments.filter);
    set(&mut raw.capture.snaplen_bytes, &arguments.snaplen);
    set(&mut raw.capture.stop_after_packets, &arguments.stop_after_packets);
    set(&mut raw.capture.stop_after_idle_seconds, &arguments.stop_after_idle);
    set(&mut raw.capture.duration_seconds, &arguments.duration);
    set(&mut raw.stats.file, &arguments.stats);
    set(&mut raw.stats.socket, &arguments.socket);
    raw.eal.extra_args.extend(arguments.eal.iter().cloned());
}

fn set<T: Clone>(value: &mut Option<T>, by: &Option<T>) {
    if by.is_some() {
        value.clone_from(by);
    }
}

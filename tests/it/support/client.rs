//! The asking end of the control socket, apart from the program's own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_telemetry::Stats;

/// A connection to a running capture.
pub(crate) struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects to a socket.
    pub(crate) fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Asks, and returns what was asked for.
    ///
    /// # Panics
    ///
    /// If that is refused.
    pub(crate) fn ask(&mut self, verb: &str) -> Value {
        let request = serde_json::json!({ "version": 1, "verb": verb });
        writeln!(self.reader.get_mut(), "{request}").unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut reply: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(reply["ok"], true, "{line}");
        reply["data"].take()
    }

    /// Asks for the numbers.
    pub(crate) fn stats(&mut self) -> Stats {
        serde_json::from_value(self.ask("stats")).unwrap()
    }
}

//! Runs of `weir`: each with its own directory, configuration, socket and EAL prefix, and each
//! ended when the test ends, however it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use toml::{Table, Value};
use weir_telemetry::Stats;

use super::client::Client;
use super::segment::{Capture, read_capture};
use super::{PATIENCE, eventually, law};

/// The `weir` that was built with these tests.
pub(crate) const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// A run that is being put together.
pub(crate) struct Setup {
    directory: TempDir,
    config: Table,
    ports: Vec<Value>,
    arguments: Vec<String>,
    /// What `weir` is run by: a command that ends as an exec, so that its process is `weir`.
    wrapper: Vec<String>,
}

impl Setup {
    /// Makes a run that shares nothing with any other on the machine. One CPU, so that its lcores
    /// give way to each other and to everybody else's.
    pub(crate) fn new() -> Self {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let directory = TempDir::with_prefix("weir-it-").unwrap();
        let cpus = cpus();
        let setup = Self {
            config: Table::new(),
            ports: Vec::new(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
            directory,
        };
        let (output, stats) = (setup.path("out"), setup.path("stats.json"));
        let socket = setup.path("socket");
        setup
            .set("eal.hugepages", "off")
            .set("eal.file_prefix", format!("weir-it-{}-{run}", std::process::id()))
            .set("output.directory", text(&output))
            .set("stats.file", text(&stats))
            .set("stats.socket", text(&socket))
            .set("topology.cpus", vec![Value::from(cpus[run % cpus.len()] as i64)])
    }

    /// Sets a key of the configuration: `capture.filter`.
    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (section, key) = key.split_once('.').unwrap();
        let section = self.config.entry(section).or_insert_with(|| Table::new().into());
        section.as_table_mut().unwrap().insert(key.to_owned(), value.into());
        self
    }

    /// Takes everything of a configuration file that does not keep runs apart.
    pub(crate) fn profile(mut self, path: &Path) -> Self {
        let mut config: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        for (section, own) in std::mem::take(&mut self.config) {
            let section = config.entry(section).or_insert_with(|| Table::new().into());
            section.as_table_mut().unwrap().extend(own.as_table().unwrap().clone());
        }
        self.config = config;
        self
    }

    /// Adds a port.
    pub(crate) fn vdev(self, vdev: &str) -> Self {
        self.port(vdev, &[])
    }

    /// Adds a port with keys of its own. It has few descriptors, so that many ports are cheap.
    pub(crate) fn port(mut self, vdev: &str, keys: &[(&str, Value)]) -> Self {
        let mut port = Table::new();
        port.insert("vdev".to_owned(), vdev.into());
        port.insert("rx_descriptors".to_owned(), 64.into());
        port.extend(keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.ports.push(port.into());
        self
    }

    /// Adds an argument of the command line.
    pub(crate) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Has it run by another command, which ends as an exec.
    pub(crate) fn by(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Has it run in a network namespace.
    pub(crate) fn in_namespace(self, namespace: &str) -> Self {
        self.by(&["ip", "netns", "exec", namespace])
    }

    /// Returns a path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration and starts `weir run`.
    pub(crate) fn start(mut self) -> Weir {
        if !self.ports.is_empty() {
            self.config.insert("ports".to_owned(), std::mem::take(&mut self.ports).into());
        }
        let config = self.path("weir.toml");
        std::fs::write(&config, toml::to_string(&self.config).unwrap()).unwrap();
        let words: Vec<&str> = self.wrapper.iter().map(String::as_str).chain([WEIR]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.args(["run", "--config", text(&config)]).args(&self.arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(self.path("stdout")).unwrap())
            .stderr(File::create(self.path("stderr")).unwrap())
            .spawn()
            .unwrap();
        let output = self.config["output"]["directory"].as_str().unwrap().into();
        Weir { child, directory: self.directory, output }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns the CPUs that tests may use.
pub(crate) fn cpus() -> Vec<usize> {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    assert!(!cpus.is_empty(), "no CPU may be used");
    cpus.into_iter().map(|cpu| cpu.id).collect()
}

/// A run that was started. Dropped, it is killed.
pub(crate) struct Weir {
    child: Child,
    directory: TempDir,
    output: PathBuf,
}

impl Drop for Weir {
    fn drop(&mut self) {
        // Both fail only if it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Weir {
    /// Returns a path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the directory of its segments.
    pub(crate) fn output(&self) -> &Path {
        &self.output
    }

    /// Returns its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Returns what it has said so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// Waits until it answers, and returns the connection.
    pub(crate) fn client(&mut self) -> Client {
        eventually("weir serves its socket", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("weir has ended with {status}: {}", self.stderr());
            }
            Client::connect(&self.path("socket")).ok()
        })
    }

    /// Asks for the numbers until they are as wanted, and returns them.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&Stats) -> bool,
    ) -> Stats {
        let started = Instant::now();
        loop {
            // A connection lives for a minute at most.
            let stats = self.client().stats();
            law::assert_holds(&stats);
            if is_so(&stats) {
                return stats;
            }
            assert!(started.elapsed() < PATIENCE, "waited too long: {what}: {stats:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> Ended {
        drop(self.client());
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Kills it where it stands, and returns what it left.
    pub(crate) fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "weir does not end: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |name: &str| std::fs::read_to_string(self.path(name));
        let ended = Ended {
            status,
            stdout: read("stdout").unwrap(),
            stderr: read("stderr").unwrap(),
            stats: read("stats.json").ok().map(|json| serde_json::from_str(&json).unwrap()),
            output: self.output.clone(),
            directory: TempDir::new().unwrap(),
        };
        // The directory goes with what was left in it.
        Ended { directory: std::mem::replace(&mut self.directory, ended.directory), ..ended }
    }
}

/// A run that has ended, and what it left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    stats: Option<Stats>,
    output: PathBuf,
    directory: TempDir,
}

impl Ended {
    /// Returns a path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the directory of its segments.
    pub(crate) fn output(&self) -> &Path {
        &self.output
    }

    /// Returns the last numbers, of a capture that went as it should: every packet is accounted
    /// for, nothing leaked, and the exit code says so.
    pub(crate) fn stats(&self) -> &Stats {
        assert!(self.status.success(), "{}: {}", self.status, self.stderr);
        let stats = self.stats.as_ref().expect("a capture that ends writes its numbers");
        law::assert_holds(stats);
        law::assert_at_rest(stats);
        stats
    }

    /// Returns what it wrote, read back and held against its numbers.
    pub(crate) fn capture(&self) -> Capture {
        let capture = read_capture(&self.output);
        law::assert_written(self.stats(), &capture);
        capture
    }

    /// Returns the last numbers of a capture that lost something for good: the law holds, and the
    /// exit code is 1.
    pub(crate) fn stats_of_failure(&self) -> &Stats {
        assert_eq!(self.status.code(), Some(1), "{}", self.stderr);
        let stats = self.stats.as_ref().expect("a capture that ends writes its numbers");
        law::assert_holds(stats);
        stats
    }

    /// Returns the error of a run that failed: its exit code and what it said.
    pub(crate) fn error(&self) -> (Option<i32>, &str) {
        assert!(!self.status.success(), "it did not fail: {}", self.stdout);
        (self.status.code(), self.stderr.trim_end())
    }
}

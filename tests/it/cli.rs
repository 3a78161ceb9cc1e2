//! Promise: the command line says what is wrong, where, and what to do, before anything starts;
//! and its exit codes mean what `docs/operations.md` says.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use weir_telemetry::{State, Stats};

use crate::support::weir::{Setup, WEIR};
use crate::support::{repository, skip, tools};

/// The longest that a refusal may take, on a machine that has much else to do.
const REFUSAL: Duration = Duration::from_secs(2);

/// Runs `weir` where it must end soon, and ends it where it does not.
fn weir(arguments: &[&str]) -> Output {
    let mut child = Command::new(WEIR)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    // What it prints fits into a pipe.
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > 5 * REFUSAL {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{arguments:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap().trim_end().to_owned()
}

/// Asserts that a command line is refused as a whole: nothing is started, nothing printed but what
/// is wrong, each in one line.
fn assert_refused(arguments: &[&str], lines: &[&str]) {
    let place = TempDir::new().unwrap();
    let output = place.path().join("out");
    let mut all = arguments.to_vec();
    let at = all.iter().position(|word| *word == "--").unwrap_or(all.len());
    all.splice(at..at, ["--output", output.to_str().unwrap()]);
    let started = Instant::now();
    let ended = weir(&all);
    let said = said(&ended);
    assert_eq!(ended.status.code(), Some(2), "{all:?}: {said}");
    assert!(started.elapsed() < REFUSAL, "{all:?} took {:?}", started.elapsed());
    assert!(ended.stdout.is_empty());
    assert!(!output.exists(), "{all:?} made its output");
    let told: Vec<&str> = match said.strip_prefix("weir: the configuration cannot be run:\n") {
        Some(list) => list.lines().map(|line| line.strip_prefix("  - ").unwrap_or(line)).collect(),
        None => vec![said.strip_prefix("weir: ").unwrap_or_else(|| panic!("{said}"))],
    };
    assert_eq!(told.len(), lines.len(), "{said}");
    for (told, expected) in told.iter().zip(lines) {
        assert!(told.contains(expected), "no {expected:?} in {told:?}");
    }
}

#[test]
fn what_is_wrong_with_the_command_line_is_said_in_a_line_each() {
    assert_refused(&["run"], &["there is no port: name one with --vdev"]);
    assert_refused(
        &["run", "--vdev", "net null"],
        &["ports[0]: \"net null\" is no virtual device"],
    );
    let null = ["run", "--vdev", "net_null0"];
    let with = |more: &[&'static str]| [&null[..], more].concat();
    assert_refused(&with(&["--snaplen", "0"]), &["capture.snaplen_bytes is 0: it must be from 1"]);
    // libpcap's own words, and where.
    assert_refused(&with(&["--filter", "tcp port"]), &["\"tcp port\" cannot be used: "]);
    assert_refused(&with(&["--filter", "tcp and and udp"]), &["syntax error"]);
    assert_refused(&with(&["--filter", "host 1.2.3.4 adn tcp"]), &["`adn` at byte 13"]);
    assert_refused(&with(&["--vdev", "net_null0,size=9"]), &["two ports are the same device"]);
    assert_refused(
        &["run", "--vdev", "n n", "--snaplen", "300000", "--filter", "(", "--duration=-1"],
        &["300000", "\"(\"", "capture.duration_seconds is -1", "no virtual device"],
    );
}

#[test]
fn eal_arguments_that_contradict_the_configuration_are_refused() {
    for (argument, instead) in [
        ("-l", "topology.cpus"),
        ("-l0", "topology.cpus"),
        ("--lcores=0@0", "topology.cpus"),
        ("--lcor=0@0", "topology.cpus"),
        ("--main-lcore", "topology.cpus"),
        ("--vdev=net_null1", "--vdev before the --"),
        ("-a0000:00:00.0", "ports.pci"),
        ("--file-prefix=x", "eal.file_prefix"),
        ("--no-huge", "eal.hugepages"),
        ("--proc-type=secondary", "primary"),
        ("--help", "help"),
    ] {
        assert_refused(&["run", "--vdev", "net_null0", "--", argument], &[argument]);
        assert_refused(&["run", "--vdev", "net_null0", "--", argument], &[instead]);
    }
}

#[test]
fn a_device_that_is_not_there_is_named() {
    for (vdev, name) in [
        ("net_pcap3,rx_pcap=/nonexistent.pcap", "net_pcap3"),
        ("net_nonsense4", "net_nonsense4"),
        ("net_pcap5,no_such_key=1", "net_pcap5"),
        ("net_af_packet6,iface=weir-none", "net_af_packet6"),
    ] {
        let ended = Setup::new().vdev("net_null0").vdev(vdev).run();
        let (code, said) = ended.error();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.lines().last().unwrap().starts_with("weir: "), "{said}");
        assert!(said.contains(name), "{said}");
    }
}

/// Runs with a file as configuration, and returns what was said.
fn refused_configuration(path: &Path) -> String {
    let started = Instant::now();
    let ended = weir(&["run", "--config", path.to_str().unwrap()]);
    let said = said(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(started.elapsed() < REFUSAL, "{} took {:?}", path.display(), started.elapsed());
    said
}

#[test]
fn what_is_no_configuration_is_refused_at_once() {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    tools::print("mkfifo", &[at("fifo").to_str().unwrap()]).unwrap();
    File::create(at("sparse")).unwrap().set_len(1 << 30).unwrap();
    std::fs::write(at("binary"), [0x5b, 0xff, 0xfe, 0x00]).unwrap();
    symlink("loop", at("loop")).unwrap();
    let regular = "is not a regular file of at most";
    for (path, expected) in [
        (at("fifo"), regular),
        (place.path().to_owned(), regular),
        (at("sparse"), regular),
        ("/dev/zero".into(), regular),
        (at("binary"), "is not UTF-8: byte 1 "),
        (at("loop"), "cannot read the configuration"),
        (at("nowhere"), "cannot read the configuration"),
    ] {
        let said = refused_configuration(&path);
        assert!(said.contains(expected) && said.contains(path.to_str().unwrap()), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn what_is_wrong_in_a_configuration_is_said_with_its_line() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("weir.toml");
    for (text, expected) in [
        ("[output]\n\ndirectroy = \"x\"\n", &["line 3", "directroy", "directory"][..]),
        ("[capture]\nsnaplen_bytes = \"long\"\n", &["line 2", "snaplen_bytes", "expected u32"]),
        ("[capture]\nsnaplen_bytes = -1\n", &["line 2"]),
        ("[capture]\nsnaplen_bytes = 1\nsnaplen_bytes = 2\n", &["line 3", "duplicate"]),
        ("[topology]\nshape = \"round\"\n", &["line 2", "round", "pipeline"]),
        ("nonsense", &["line 1"]),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = refused_configuration(&path);
        for expected in expected {
            assert!(said.contains(expected), "no {expected:?} in {said}");
        }
    }
    // Everything at once, so that nobody has to mend one thing after the other.
    std::fs::write(
        &path,
        "[buffers]\nring_packets = 100\nblock_bytes = 1\n[topology]\ncpus = [0, 0, 4096]\n\
         [[ports]]\n[[ports]]\npci = \"x\"\nvdev = \"y\"\n[eal]\nfile_prefix = \"a/b\"\n",
    )
    .unwrap();
    let said = refused_configuration(&path);
    for expected in [
        "ring_packets is 100: it must be a power of two, for example 128",
        "block_bytes is 1: it must be from",
        "CPU 0 twice",
        "CPU 4096, which this process may not use",
        "ports[0] names no device",
        "ports[1] names two devices",
        "eal.file_prefix \"a/b\"",
        "no output directory",
    ] {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
}

#[test]
fn a_plan_is_printed_and_nothing_started() {
    let setup = Setup::new()
        .vdev("net_null0")
        .vdev("net_null1")
        .set("topology.shape", "pipeline")
        .set("topology.processing", 2)
        .argument("--plan");
    let ended = setup.run();
    assert!(ended.status.success(), "{}", ended.stderr);
    for line in [
        "shape     pipeline: as configured",
        "ring      input 0.0 -> processing 1",
        "blocks    processing 1 -> output 0",
        "mbufs     ",
        "--file-prefix=weir-it-",
        "--vdev net_null0 --vdev net_null1",
    ] {
        assert!(ended.stdout.contains(line), "no {line:?} in {}", ended.stdout);
    }
    for made in ["out", "socket", "stats.json"] {
        assert!(!ended.path(made).exists(), "{made} was made");
    }
}

#[test]
fn asking_where_nobody_captures_says_so() {
    let place = TempDir::new().unwrap();
    let none = place.path().join("none");
    for command in [&["stats"][..], &["ctl", "rotate"]] {
        let ended = weir(&[command, &["--socket", none.to_str().unwrap()]].concat());
        assert_eq!(ended.status.code(), Some(1));
        let said = said(&ended);
        assert!(
            said.starts_with("weir: no capture answers at ") && said.contains("none"),
            "{said}"
        );
    }
    // In a namespace with an empty /run, so that no other capture of the machine is found.
    let script = "mount -t tmpfs weir-it /run && exec \"$0\" stats";
    let Some(ended) = tools::run("unshare", &["-m", "sh", "-c", script, WEIR]) else { return };
    let said = said(&ended);
    if said.contains("unshare") || said.contains("mount") {
        return skip("no mount namespace can be made");
    }
    assert_eq!(ended.status.code(), Some(1));
    assert!(said.starts_with("weir: no running capture was found in /run/weir"), "{said}");
    assert!(said.contains("--socket"), "{said}");
}

#[test]
fn signals_drain_a_capture_and_end_it_well() {
    for (signal, name) in
        [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")]
    {
        let mut weir = Setup::new().vdev("net_null0").set("topology.shape", "pipeline").start();
        weir.wait_until("packets come", |stats| stats.accounting.received_packets > 0);
        weir.signal(signal);
        let ended = weir.wait();
        let stats = ended.stats();
        assert_eq!(ended.status.code(), Some(0));
        assert_eq!(stats.state, State::Stopped);
        assert_eq!(stats.accounting.stored_packets, stats.accounting.received_packets);
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
        assert!(!ended.path("socket").exists(), "the socket was left");
    }
    let mut weir = Setup::new().vdev("net_null0").start();
    weir.client().ask("stop");
    weir.wait().stats();
}

#[test]
fn log_lines_are_json_where_that_is_asked_for() {
    let ended = Setup::new()
        .vdev("net_null0")
        .argument("--log-format")
        .argument("json")
        .set("capture.stop_after_packets", 100)
        .run();
    ended.stats();
    // The EAL writes lines of its own.
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("EAL: ")).collect();
    assert!(lines.len() >= 3, "{}", ended.stderr);
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
}

#[test]
fn the_numbers_are_printed_for_people_and_for_programs() {
    let mut weir_run = Setup::new().vdev("net_null0").start();
    drop(weir_run.client());
    let path = weir_run.path("socket");
    let socket = path.to_str().unwrap();
    let table = weir(&["stats", "--socket", socket]);
    let table = String::from_utf8(table.stdout).unwrap();
    for word in ["capturing", "received", "= stored", "+ in flight", "unexplained", "net_null0"] {
        assert!(table.contains(word), "no {word:?} in {table}");
    }
    let json = weir(&["stats", "--json", "--socket", socket]).stdout;
    assert!(schema_errors(&serde_json::from_slice(&json).unwrap()).is_empty());
    let stats: Stats = serde_json::from_slice(&json).unwrap();
    assert_eq!(stats.state, State::Capturing);
    weir_run.stop().stats();
}

fn schema() -> Value {
    serde_json::to_value(weir_telemetry::stats_schema()).unwrap()
}

fn schema_errors(stats: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    validator.iter_errors(stats).map(|error| error.to_string()).collect()
}

#[test]
fn the_numbers_are_as_their_schema_says() {
    let ended = Setup::new()
        .vdev("net_null0")
        .set("topology.shape", "pipeline")
        .set("capture.stop_after_packets", 1_000)
        .run();
    ended.stats();
    let json = std::fs::read_to_string(ended.path("stats.json")).unwrap();
    let mut stats: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(schema_errors(&stats), Vec::<String>::new());
    // A validator that finds nothing wrong with anything would show nothing.
    stats["accounting"]["received_packets"] = "many".into();
    stats["state"] = "asleep".into();
    stats["ports"][0].as_object_mut().unwrap().remove("name");
    assert_eq!(schema_errors(&stats).len(), 3);
}

/// The schema that ships is that of the program. `WEIR_BLESS=1` writes it anew.
#[test]
fn the_schema_that_ships_is_the_program_s() {
    let path = repository().join("docs/stats.schema.json");
    let schema = format!("{:#}\n", schema());
    if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &schema).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == schema, "{} is not the program's: run with WEIR_BLESS=1", path.display());
}

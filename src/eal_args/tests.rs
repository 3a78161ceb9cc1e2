use std::path::Path;

use clap::Parser;
use weir_capture::{PlannedPort, Wanted};
use weir_model::PortId;

use super::*;
use crate::cli::{Cli, Command};

/// Makes a configuration of a command line's arguments after `weir run`.
fn config(arguments: &[&str]) -> Config {
    let line = ["weir", "run", "--output", "/nowhere"].iter().chain(arguments);
    let Command::Run(arguments) = Cli::parse_from(line).command else { panic!("it is a run") };
    crate::config::load(&arguments).unwrap()
}

fn plan(queues: u16) -> Plan {
    Plan::new(&Wanted {
        ports: vec![PlannedPort { port: PortId(0), rx_queues: queues, has_dma: false }],
        cpus: vec![0, 1],
        shape: None,
        lcores: None,
        processings: None,
        outputs: None,
    })
    .unwrap()
}

#[test]
fn derives_lcores_memory_and_devices() {
    let config = config(&["--vdev", "net_null0,size=64"]);
    let args = eal_args(&config, &plan(1), EalMemory::Hugepages).join(" ");
    assert!(args.starts_with("--lcores 0@0,1@1 --main-lcore 0 --in-memory "), "{args}");
    assert!(args.ends_with("--vdev net_null0,size=64 --no-pci"), "{args}");
    let ordinary = EalMemory::Ordinary { mempool_bytes: 10 << 20 };
    let args = eal_args(&config, &plan(1), ordinary).join(" ");
    assert!(args.contains(" --no-huge --no-shconf -m 74 "), "{args}");
    // EAL 22.11 refuses the two together.
    assert!(!args.contains("--in-memory"), "{args}");
}

#[test]
fn adds_what_stands_after_the_dashes() {
    let config = config(&["--vdev", "net_null0", "--", "--iova-mode=va", "-d", "x.so"]);
    let args = eal_args(&config, &plan(1), EalMemory::Hugepages);
    assert_eq!(args[args.len() - 3..], ["--iova-mode=va", "-d", "x.so"]);
}

/// `getopt_long` takes options in many forms; none may get past the check.
#[test]
fn refuses_what_contradicts_the_configuration() {
    let derived = ["-l", "-l0-3", "-c3", "--lcores", "--lcores=0-1", "--lco=1", "--main-lcore=1"];
    let memory = ["--no-huge", "--in-memory", "--no-h", "--file-prefix=x", "--file=x"];
    let devices = ["--vdev", "--vdev=net_null1", "-a", "-a0000:01:00.0", "--allow=0000:01:00.0"];
    for argument in derived.iter().chain(&memory).chain(&devices) {
        let refused = check_extra(argument);
        assert!(matches!(refused, Err(EalArgsError::Derived { .. })), "{argument}: {refused:?}");
    }
    for argument in ["--proc-type=secondary", "--proc", "-h", "--help", "--he", "--no-pci"] {
        let refused = check_extra(argument);
        assert!(matches!(refused, Err(EalArgsError::Unfit { .. })), "{argument}: {refused:?}");
    }
    for argument in ["-d", "-m", "--log-level=8", "--socket-mem=64", "--iova-mode=va", "x", ""] {
        assert_eq!(check_extra(argument), Ok(()), "{argument}");
    }
    assert!(matches!(check_extra("a\0b"), Err(EalArgsError::Nul { .. })));
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let arguments = ["weir", "run", "-c", "/nowhere/weir.toml"];
    let Command::Run(arguments) = Cli::parse_from(arguments).command else { panic!("it is a run") };
    let refused = crate::config::load(&arguments).err().unwrap().to_string();
    assert!(refused.contains(&*Path::new("/nowhere/weir.toml").to_string_lossy()), "{refused}");
}

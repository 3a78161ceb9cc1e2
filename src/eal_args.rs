//! EAL's arguments, derived from the configuration; pure.

use weir_capture::Plan;

use crate::config::{Config, Device};

/// Memory of EAL's own beside the mbufs, in MiB: rings, tables, and room for alignment.
const EAL_OVERHEAD_MB: u64 = 64;

/// Whether and how EAL gets memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EalMemory {
    /// Hugepages, as they are needed.
    Hugepages,
    /// Ordinary memory, taken at the start.
    Ordinary {
        /// What the mempools need.
        mempool_bytes: u64,
    },
}

/// An argument after `--` contradicts what the configuration makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EalArgsError {
    #[error(
        "the EAL argument {argument} would contradict the configuration: use {instead} instead"
    )]
    Derived { argument: String, instead: &'static str },
    #[error("the EAL argument {argument} cannot be used with weir: {why}")]
    Unfit { argument: String, why: &'static str },
    #[error("the EAL argument {argument:?} has a NUL byte in it")]
    Nul { argument: String },
}

/// EAL's options that the configuration makes, with what to use instead.
const DERIVED: &[(&str, &str)] = &[
    ("-l", "topology.cpus"),
    ("-c", "topology.cpus"),
    ("--lcores", "topology.cpus"),
    ("--main-lcore", "topology.cpus"),
    ("-S", "topology.cpus"),
    ("-s", "topology.cpus"),
    ("--vdev", "--vdev before the --, or [[ports]]"),
    ("-a", "ports.pci"),
    ("--allow", "ports.pci"),
    ("-w", "ports.pci"),
    ("--file-prefix", "eal.file_prefix"),
    ("--no-huge", "eal.hugepages = \"off\""),
    ("--in-memory", "eal.hugepages = \"on\""),
];

/// EAL's options that a capture cannot live with.
const UNFIT: &[(&str, &str)] = &[
    ("--proc-type", "it is always the primary process"),
    ("-h", "it would print EAL's help and exit"),
    ("--help", "it would print EAL's help and exit"),
    ("-v", "it would say nothing that weir does not"),
    ("--no-pci", "it is given when no port is a PCI device"),
    ("--no-telemetry", "it is always given"),
];

/// Checks what the user adds to EAL's arguments. It comes before anything that has a word to say
/// about the machine, so that a mistake is told alone.
///
/// # Errors
///
/// [`EalArgsError`] if it contradicts what is derived.
pub(crate) fn check_extra_args(config: &Config) -> Result<(), EalArgsError> {
    config.eal.extra_args.iter().try_for_each(|argument| check_extra(argument))
}

/// Makes EAL's arguments, without the program's name. What the user adds stands last, and was
/// [checked](check_extra_args).
pub(crate) fn eal_args(config: &Config, plan: &Plan, memory: EalMemory) -> Vec<String> {
    let mut args = vec!["--lcores".to_owned(), lcores(plan)];
    args.extend(["--main-lcore".to_owned(), "0".to_owned()]);
    args.extend(memory_args(memory));
    args.push("--no-telemetry".to_owned());
    args.push(format!("--file-prefix={}", config.eal.file_prefix));
    args.push("--log-level=*:warning".to_owned());
    args.extend(device_args(config));
    args.extend(config.eal.extra_args.iter().cloned());
    args
}

/// Maps each lcore that EAL runs to its CPU: `0@0,1@1`.
fn lcores(plan: &Plan) -> String {
    let workers = plan
        .lcores
        .iter()
        .filter(|lcore| lcore.is_eal())
        .map(|lcore| format!("{}@{}", lcore.lcore, lcore.cpu));
    std::iter::once(format!("0@{}", plan.control_cpu)).chain(workers).collect::<Vec<_>>().join(",")
}

fn memory_args(memory: EalMemory) -> Vec<String> {
    match memory {
        // Nothing is left behind in hugetlbfs or /var/run, whatever ends the process.
        EalMemory::Hugepages => vec!["--in-memory".to_owned()],
        // Without hugepages EAL takes all of its memory at the start, and refuses --in-memory.
        EalMemory::Ordinary { mempool_bytes } => {
            let megabytes = mempool_bytes.div_ceil(1 << 20) + EAL_OVERHEAD_MB;
            ["--no-huge", "--no-shconf", "-m"]
                .into_iter()
                .map(str::to_owned)
                .chain([megabytes.to_string()])
                .collect()
        }
    }
}

fn device_args(config: &Config) -> Vec<String> {
    let mut args = Vec::new();
    for port in &config.ports {
        match &port.device {
            Device::Vdev(arguments) => args.extend(["--vdev".to_owned(), arguments.clone()]),
            Device::Pci(address) => args.extend(["-a".to_owned(), address.clone()]),
        }
    }
    if !config.ports.iter().any(|port| matches!(port.device, Device::Pci(_))) {
        args.push("--no-pci".to_owned());
    }
    args
}

fn check_extra(argument: &str) -> Result<(), EalArgsError> {
    if argument.contains('\0') {
        return Err(EalArgsError::Nul { argument: argument.to_owned() });
    }
    let is = |option: &str| names(argument, option);
    if let Some(&(_, instead)) = DERIVED.iter().find(|(option, _)| is(option)) {
        return Err(EalArgsError::Derived { argument: argument.to_owned(), instead });
    }
    match UNFIT.iter().find(|(option, _)| is(option)) {
        Some(&(_, why)) => Err(EalArgsError::Unfit { argument: argument.to_owned(), why }),
        None => Ok(()),
    }
}

/// Returns whether EAL would take `argument` for `option`: `getopt_long` takes a long option cut
/// short, with or without `=VALUE`, and a short one with its value behind it (`-l0-3`).
fn names(argument: &str, option: &str) -> bool {
    if !option.starts_with("--") {
        return !argument.starts_with("--") && argument.starts_with(option);
    }
    let name = argument.split('=').next().unwrap_or_default();
    name.len() > "--".len() && option.starts_with(name)
}

#[cfg(test)]
mod tests;

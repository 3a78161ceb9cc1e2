//! The `weir` command: wiring only.

mod build_info;
mod cli;
#[cfg_attr(
    not(feature = "dpdk"),
    allow(dead_code, unused_imports, reason = "only a capture is configured")
)]
mod config;
#[cfg(feature = "dpdk")]
mod eal_args;
mod exit;
mod logging;
#[cfg(feature = "dpdk")]
mod run;
mod socket;
mod stats_command;
mod table;
mod text;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::{AppError, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.log_format, &cli.log_level);
    let exit = command(&cli.command).unwrap_or_else(|error| exit::report(&error));
    exit.into()
}

fn command(command: &Command) -> Result<Exit, AppError> {
    match command {
        #[cfg(feature = "dpdk")]
        Command::Run(arguments) => run::run(arguments),
        #[cfg(not(feature = "dpdk"))]
        Command::Run(_) => Err(AppError::WithoutDpdk),
        Command::Stats(arguments) => Ok(stats_command::stats(arguments)?),
        Command::Ctl(arguments) => Ok(stats_command::ctl(arguments)?),
    }
}
